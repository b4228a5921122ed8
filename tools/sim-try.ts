import { randomRun } from '../src/sim/random-run.ts';
const [from = '1', count = '100'] = process.argv.slice(2);
const t0 = Date.now();
let ok = 0;
const failures: string[] = [];
for (let seed = Number(from); seed < Number(from) + Number(count); seed += 1) {
  try {
    randomRun(seed);
    ok += 1;
  } catch (error) {
    failures.push(String((error as Error).message));
    if (failures.length >= 30) break;
  }
}
console.log(`${ok} ok, ${failures.length} failed, ${(Date.now() - t0) / 1000} s`);
for (const f of failures) console.log(f.split('\n')[0]);
if (process.argv[4]) console.log(failures[0]);
