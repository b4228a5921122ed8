/** A few power losses; `npm run power` has them for as long as one likes. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Prng } from '../../src/base/prng.ts';
import { PowerCycle } from './power-cycle.ts';

const BASE_PORT = 41660;
const TIMEOUT_MS = 120_000;

let cycle: PowerCycle;

beforeEach(() => {
  cycle = new PowerCycle(new Prng(Date.now()), BASE_PORT);
});
afterEach(() => cycle.end());

test(
  'whoever loses power, what was acknowledged is there, and the copies become equal',
  async () => {
    await cycle.begin();
    for (const loss of ['copy', 'owner', 'both', 'owner', 'both'] as const) await cycle.round(loss);
    expect(cycle.acknowledged).toBeGreaterThan(50);
    // At least the first copy.
    expect(cycle.resyncs.everything).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);
