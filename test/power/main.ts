/**
 * `npm run power -- --minutes 60 [--seed N]`: power losses of the owner, the copy, and both of them, of disks
 * that lose what was not synced, as long as it takes. Nothing that was acknowledged may be lost.
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { Prng } from '../../src/base/prng.ts';
import { type Loss, PowerCycle } from './power-cycle.ts';

const MINUTE_MS = 60_000;
const LOSSES: readonly Loss[] = ['owner', 'copy', 'both'];
const SEED_MAX = 2 ** 31;
const BASE_PORT = 41700;
const USAGE_EXIT = 2;

async function main(words: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: { minutes: { type: 'string', default: '60' }, seed: { type: 'string' } },
  });
  const minutes = Number(values.minutes);
  const seed = Number(values.seed ?? randomInt(SEED_MAX));
  if (!(minutes > 0) || !Number.isInteger(seed)) {
    say('Cannot begin: --minutes and --seed want numbers');
    return USAGE_EXIT;
  }
  if (process.getuid?.() !== 0) {
    say('Cannot begin: it mounts file systems, which needs root. Next: sudo');
    return USAGE_EXIT;
  }
  say(`seed ${seed}; losses come in the same order with it, but never at the same moment`);
  const random = new Prng(seed);
  const cycle = new PowerCycle(random, BASE_PORT);
  const endsAt = performance.now() + minutes * MINUTE_MS;
  let rounds = 0;
  try {
    await cycle.begin();
    while (performance.now() < endsAt) {
      const loss = random.pick(LOSSES);
      await cycle.round(loss);
      rounds += 1;
      say(`${rounds}: power of ${loss} lost; ${cycle.acknowledged} acknowledged, none lost`);
    }
    const { everything, nothing, former, own } = cycle.resyncs;
    say(`${rounds} losses; compared was everything ${everything} times, what one side changed`);
    say(`${nothing + former} times, what either side changed ${own} times`);
    say(`${cycle.broken} resyncs were broken off by another loss`);
    return 0;
  } finally {
    await cycle.end();
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

process.exitCode = await main(process.argv.slice(2));
