/**
 * Waits for the end of the test run that made a lab, and removes the lab then, however the run
 * ended: the run holds the other end of this program's standard input, which the kernel closes
 * even after SIGKILL. In the ordinary case the lab is gone by then and nothing is left to do.
 * Runs in a session of its own: `node reaper.ts FOLDER`.
 */
import { removeLab } from './remains.ts';

const folder = process.argv[2];
if (folder === undefined) throw new Error('Cannot wait for the end of a lab: no folder given');
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    // Whoever ends the test run must not end this before it has done its work.
  });
}
process.stdin.resume();
process.stdin.once('close', () => removeLab(folder));
