/**
 * Writes below a directory until it is killed or cannot any more: `node writer.mjs DIRECTORY FROM`. Numbers
 * go on from FROM. After a number is durable, one line says so:
 *
 *     a FILE NUMBER     it was appended to that file, which was synced
 *     r FILE NUMBER     that file was replaced by one that has it: written aside, synced, renamed, synced
 */
import {
  appendFileSync,
  closeSync,
  fdatasyncSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';

const [directory, from] = [process.argv[2], Number(process.argv[3])];
let number = from;

function pick(count) {
  return Math.floor(Math.random() * count);
}

function say(line) {
  writeSync(1, `${line}\n`);
}

function append(file) {
  const fd = openSync(`${directory}/ledger/${file}`, 'a');
  writeSync(fd, `${number}\n`);
  fdatasyncSync(fd);
  closeSync(fd);
  say(`a ${file} ${number}`);
}

function replace(file) {
  const fd = openSync(`${directory}/ledger/${file}.new`, 'w');
  writeSync(fd, `${number}\n`);
  fsyncSync(fd);
  closeSync(fd);
  renameSync(`${directory}/ledger/${file}.new`, `${directory}/ledger/${file}`);
  const folder = openSync(`${directory}/ledger`, 'r');
  fsyncSync(folder);
  closeSync(folder);
  say(`r ${file} ${number}`);
}

/** What nobody waits for, and what is lost with the power: names and content, small and large. */
const noise = [
  (path) => writeFileSync(path, `${number} `.repeat(pick(3000))),
  (path) => appendFileSync(path, 'more '.repeat(pick(1000))),
  (path) => renameSync(path, `${directory}/noise/${pick(4)}/${pick(12)}`),
  (path) => rmSync(path, { recursive: true, force: true }),
  (path) => mkdirSync(`${path}/deep/deeper`, { recursive: true }),
  (path) => writeFileSync(`${path}/deep/deeper/${pick(5)}`, 'deep'),
  (path) => truncateSync(path, pick(2000)),
  (path) => {
    const fd = openSync(path, 'a');
    writeSync(fd, Buffer.alloc(64 * 1024, number), 0, 64 * 1024, pick(40) * 64 * 1024);
    closeSync(fd);
  },
];

/** What is in the way, or missing, is meant to be; a mirror that is gone is the end. */
const EXPECTED = new Set(['ENOENT', 'EEXIST', 'ENOTDIR', 'EISDIR', 'ENOTEMPTY', 'EINVAL', 'EPERM']);

function makeNoise() {
  const act = noise[pick(noise.length)];
  try {
    act(`${directory}/noise/${pick(4)}/${pick(12)}`);
  } catch (error) {
    if (!EXPECTED.has(error.code)) throw error;
  }
}

mkdirSync(`${directory}/ledger`, { recursive: true });
for (let at = 0; at < 4; at += 1) mkdirSync(`${directory}/noise/${at}`, { recursive: true });
for (;;) {
  const dice = pick(10);
  if (dice < 3) makeNoise();
  else {
    number += 1;
    if (dice < 8) append(`a${pick(6)}`);
    else replace(`r${pick(3)}`);
  }
}
