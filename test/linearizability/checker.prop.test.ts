/** Law: the checker says of every small history what the definition of linearizability says. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isLinearizable } from './brute-force.ts';
import { type Operation, check } from './checker.ts';

const STATES = 3;
const register = { initial: 0, keyOf: String };

/** Adds to the register, and says what it held before; `add` 0 is a reading. */
const step = fc.record({
  add: fc.nat(STATES - 1),
  began: fc.nat(12),
  lasts: fc.option(fc.nat(5), { nil: undefined, freq: 2 }),
  saw: fc.nat(STATES - 1),
  kind: fc.constantFrom('saw', 'any', 'glimpsed'),
});

type Drawn = typeof step extends fc.Arbitrary<infer T> ? T : never;

function operationOf({ add, began, lasts, saw, kind }: Drawn): Operation<number> {
  const ended = lasts === undefined ? undefined : began + lasts;
  const made = (saw + add) % STATES;
  const name = `${kind} ${saw} add ${add} from ${began} to ${ended ?? 'never'}`;
  const knows = (state: number): number | undefined => (state === saw ? made : undefined);
  if (kind === 'any') return { name, began, ended, apply: (state) => (state + add) % STATES };
  if (kind === 'saw' || ended === undefined) {
    const unknown = ended === undefined ? { makes: String(made), alike: `${saw} ${add}` } : {};
    return { name, began, ended, apply: knows, ...unknown };
  }
  const reads = (state: number): number | undefined => (state === saw ? state : undefined);
  return { name, began, ended, apply: reads, glimpsed: String(saw) };
}

test('the checker and the definition agree', () => {
  const tally = { linearizable: 0, violated: 0, undecided: 0 };
  const histories = fc.array(step, { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(histories, (drawn) => {
      const operations = drawn.map(operationOf);
      const { type } = check(operations, register);
      tally[type] += 1;
      expect(type === 'linearizable').toBe(isLinearizable(operations, register.initial));
    }),
    { numRuns: 3000 },
  );
  expect(tally.undecided).toBe(0);
  expect(tally.linearizable).toBeGreaterThan(100);
  expect(tally.violated).toBeGreaterThan(100);
});

test('the order that the checker gives is one that the clock allows', () => {
  const histories = fc.array(step, { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(histories, (drawn) => {
      const operations = drawn.map(operationOf);
      const verdict = check(operations, register);
      if (verdict.type !== 'linearizable') return;
      const { order } = verdict;
      expect(new Set(order).size).toBe(order.length);
      const known = operations.filter(({ ended }) => ended !== undefined);
      expect(known.every((operation) => order.includes(operation))).toBe(true);
      for (const [at, operation] of order.entries()) {
        for (const later of order.slice(at + 1)) {
          expect(later.ended ?? Number.POSITIVE_INFINITY).toBeGreaterThanOrEqual(operation.began);
        }
      }
    }),
    { numRuns: 1000 },
  );
});
