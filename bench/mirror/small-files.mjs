/** Creates so many files of 4 KiB in a directory, then unlinks them: how many of each per second. */
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';

const [directory, count] = [process.argv[2], Number(process.argv[3])];
const block = Buffer.alloc(4096, 7);
const perSecond = (act) => {
  const begin = performance.now();
  for (let at = 0; at < count; at += 1) act(`${directory}/f${at}`);
  return count / ((performance.now() - begin) / 1000);
};
const created = perSecond((path) => {
  const fd = openSync(path, 'wx');
  writeSync(fd, block);
  closeSync(fd);
});
const unlinked = perSecond((path) => unlinkSync(path));
console.log(JSON.stringify({ created, unlinked }));
