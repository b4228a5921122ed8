/**
 * The proof that a resync never races: hundreds of seeds of random trees, random live changes at
 * every possible moment, random order of everything else. See resync-rig.ts.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ResyncRig, type RigOptions } from './resync-rig.ts';

const SEEDS = Number(process.env['TAKO_RESYNC_SEEDS'] ?? 150);
const FIRST_SEED = Number(process.env['TAKO_RESYNC_FIRST_SEED'] ?? 1);

describe('resync', () => {
  let umask = 0;
  beforeAll(() => {
    umask = process.umask(0);
  });
  afterAll(() => {
    process.umask(umask);
  });

  async function runRig(
    options: RigOptions,
    after: (rig: ResyncRig) => Promise<void> | void,
  ): Promise<void> {
    const rig = new ResyncRig(options);
    try {
      rig.begin();
      await rig.run();
      expect(rig.failures, `seed ${options.seed}`).toEqual([]);
      await after(rig);
    } finally {
      await rig.close();
    }
  }

  it('makes a diverged copy equal, whatever is changed meanwhile', async () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed += 1) {
      const before = { source: 20 + (seed % 7) * 10, copy: (seed % 5) * 10 };
      const liveChanges = (seed % 4) * 60;
      await runRig({ seed, liveChanges, before }, async (rig) => {
        expect(rig.finished, `seed ${seed}`).toBe(true);
        expect(rig.compare(), `seed ${seed}`).toEqual([]);
        await rig.follow(0);
        expect(rig.note.read()).toEqual({ state: 'dirty' });
      });
    }
  }, 120_000);
});
