/**
 * Histories of the votes of real clusters under cuts, kills and power-offs are linearizable.
 * `npm run linearizability` does it for long, and with `--mutants` shows that defects are found.
 */
import { describe, expect, it } from 'vitest';
import { experiment } from '../linearizability/experiment.ts';
import { summary } from '../linearizability/judge.ts';
import { SHAPES, type Shape } from '../linearizability/vote-cluster.ts';

/** Its three members of etcd start first, and every troubled one takes its time to be back. */
const SECONDS: Readonly<Record<Shape, number>> = { witness: 10, three: 10, etcd: 6 };
/** Fewer would mean that nothing was tested. */
const CHOSEN_MIN = 30;
const RECORDS_MIN = 12;

describe('the registry is linearizable', () => {
  it.each(SHAPES.map((shape, at) => [shape, at + 1] as const))(
    'shape %s, seed %i',
    async (shape, seed) => {
      const { judgement, failures, kept } = await experiment({
        shape,
        seed,
        seconds: SECONDS[shape],
      });
      console.log(`${shape}: ${summary(judgement)}`);
      expect(failures, `logs: ${kept}`).toEqual([]);
      expect(judgement.outcomes['chosen']).toBeGreaterThan(CHOSEN_MIN);
      expect(judgement.states).toBeGreaterThan(RECORDS_MIN);
    },
  );
});
