/**
 * Laws of placement over random clusters: small enough that everything meets everything (together,
 * apart, after, room, bans, standby, maintenance), with a slow twin that says the same. What differs
 * once in ten thousand is found by raising the number of fresh runs for a while.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { must } from '../../base/assert.ts';
import { type Instant, NEVER, instant } from '../../base/time.ts';
import type { GroupId, NodeId } from '../../protocol/ids.ts';
import { Planner, ROUNDS_MAX } from './planner.ts';
import { referenceTargets } from './reference.ts';
import { carriedOut } from './story.ts';
import type {
  FailoverGroup,
  Placement,
  PlacementGroup,
  PlacementInput,
  PlacementNode,
  Plan,
} from './types.ts';

/** The same in every run of the tests, so that a test which turns red points at the last change. */
const KNOWN_RUNS = 200;
/** Not tried by anybody before; what one of them finds becomes a story. */
const FRESH_RUNS = 20;
const NODES = ['n1', 'n2', 'n3', 'n4'] as NodeId[];
const GROUPS = ['a', 'b', 'c', 'd', 'e', 'f', 'g'] as GroupId[];
const NOW = 1000;

/** How much the groups have to do with each other. */
interface Mix {
  /** One group in so many may come after any other, so that there are circles. */
  readonly circleIn: number;
  /** The higher, the fewer are together with others. */
  readonly alone: number;
}

const USUAL: Mix = { circleIn: 41, alone: 6 };
const ENTANGLED: Mix = { circleIn: 3, alone: 1 };

function rarely(chance: number): fc.Arbitrary<boolean> {
  return fc.integer({ min: 0, max: 99 }).map((dice) => dice >= 100 - chance);
}

function mostly<T>(value: T, others: fc.Arbitrary<T>, weight = 4): fc.Arbitrary<T> {
  return fc.oneof({ arbitrary: fc.constant(value), weight }, { arbitrary: others, weight: 1 });
}

function few<T>(items: readonly T[], none = 3): fc.Arbitrary<T[]> {
  if (items.length === 0) return fc.constant([]);
  const some = fc.subarray([...items], { minLength: 1, maxLength: Math.min(items.length, 2) });
  return mostly<T[]>([], some, none);
}

const CAPACITIES: readonly PlacementNode['capacity'][] = [{}, { memory: 2 }, { memory: 6, cpu: 2 }];

const nodeArb = (id: NodeId): fc.Arbitrary<PlacementNode> =>
  fc.record({
    id: fc.constant(id),
    state: mostly<PlacementNode['state']>(
      'up',
      fc.constantFrom('lost', 'lost', 'suspect', 'unknown'),
    ),
    standby: rarely(12),
    maintenance: rarely(5),
    quarantined: rarely(8),
    healthySince: fc.constantFrom(undefined, instant(0), instant(900)),
    capacity: mostly<PlacementNode['capacity']>({ memory: 4 }, fc.constantFrom(...CAPACITIES), 2),
  });

const idsOf = (count: number): readonly GroupId[] => GROUPS.slice(0, count);

const baseArb = (id: GroupId, all: readonly GroupId[], { circleIn }: Mix) => ({
  id: fc.constant(id),
  want: mostly<'online' | 'offline'>('online', fc.constant('offline'), 8),
  maintenance: rarely(6),
  priority: fc.integer({ min: 0, max: 3 }),
  demand: fc.constantFrom({}, { memory: 1 }, { memory: 2 }, { memory: 3, cpu: 1 }),
  preferred: fc.shuffledSubarray(NODES),
  allowed: mostly<readonly NodeId[] | 'any'>('any', fc.subarray(NODES, { minLength: 1 }), 1),
  bans: few(NODES).chain((nodes) =>
    fc
      .constantFrom(undefined, instant(NOW + 50), instant(NOW))
      .map((until) => nodes.map((node) => ({ node, until }))),
  ),
  failedOn: few(NODES),
  passedOver: few(NODES, 8),
  apart: few(
    all.filter((each) => each !== id),
    4,
  ).chain((others) => fc.boolean().map((soft) => others.map((group) => ({ group, soft })))),
  // Now and then in a circle.
  after: fc
    .oneof(
      { arbitrary: fc.constant(false), weight: circleIn - 1 },
      { arbitrary: fc.constant(true), weight: 1 },
    )
    .chain((any) =>
      few(
        all.filter((each) => each > id || (any && each !== id)),
        4,
      ),
    ),
});

const groupArb = (id: GroupId, all: readonly GroupId[], mix: Mix): fc.Arbitrary<PlacementGroup> => {
  const failover: fc.Arbitrary<PlacementGroup> = fc.record({
    ...baseArb(id, all, mix),
    type: fc.constant('failover' as const),
    owner: mostly<NodeId | undefined>(
      undefined,
      fc.constantFrom(...NODES, ...NODES, 'x' as NodeId),
      1,
    ),
    runs: mostly<'yes' | 'no' | 'unknown'>('yes', fc.constantFrom('no', 'unknown')),
    firstTry: mostly<NodeId | undefined>(undefined, fc.constantFrom(...NODES), 3),
    inSync: mostly<readonly NodeId[] | 'no-mirrors'>('no-mirrors', fc.subarray(NODES), 1),
    together: few(
      all.filter((each) => each !== id),
      mix.alone,
    ),
    failback: fc.oneof(
      fc.constant({ policy: 'never' as const }),
      fc
        .constantFrom(0, 150)
        .map((healthyForMs) => ({ policy: 'when-in-sync' as const, healthyForMs })),
      fc.boolean().map((open) => ({ policy: 'window' as const, open, healthyForMs: 0 })),
    ),
  });
  const everywhere: fc.Arbitrary<PlacementGroup> = fc.record({
    ...baseArb(id, all, mix),
    type: fc.constant('everywhere' as const),
    runsOn: fc.subarray(NODES),
  });
  return fc.oneof({ arbitrary: failover, weight: 5 }, { arbitrary: everywhere, weight: 1 });
};

const inputsOf = (mix: Mix): fc.Arbitrary<PlacementInput> =>
  fc
    .tuple(fc.integer({ min: 1, max: NODES.length }), fc.integer({ min: 1, max: GROUPS.length }))
    .chain(([nodes, groups]) =>
      fc.record({
        now: fc.constant(instant(NOW)),
        maintenance: rarely(3),
        nodes: fc.tuple(...NODES.slice(0, nodes).map((id) => nodeArb(id))),
        groups: fc.tuple(...idsOf(groups).map((id) => groupArb(id, idsOf(groups), mix))),
      }),
    );

const inputArb: fc.Arbitrary<PlacementInput> = fc.oneof(
  { arbitrary: inputsOf(USUAL), weight: 3 },
  { arbitrary: inputsOf(ENTANGLED), weight: 1 },
);

/** What starts where it ran last may go back to the node that it prefers as soon as it runs. */
function withoutReturn(group: PlacementGroup): PlacementGroup {
  if (group.type !== 'failover' || group.firstTry === undefined) return group;
  return { ...group, failback: { policy: 'never' } };
}

/** Most runs by a seed of the property's own, a few by none. */
function tryOut<T>(seed: number, property: fc.IProperty<T>): void {
  fc.assert(property, { numRuns: KNOWN_RUNS, seed });
  fc.assert(property, { numRuns: FRESH_RUNS });
}

function holds(seed: number, check: (input: PlacementInput, plan: Plan) => void): () => void {
  return () => {
    tryOut(
      seed,
      fc.property(inputArb, (input) => check(input, new Planner().plan(input))),
    );
  };
}

function groupOf(input: PlacementInput, { group }: Placement): PlacementGroup {
  return must(
    input.groups.find(({ id }) => id === group),
    'a plan speaks of what it was given',
  );
}

function nodeOf(input: PlacementInput, id: NodeId | undefined): PlacementNode | undefined {
  return input.nodes.find((node) => node.id === id);
}

function arrivals(plan: Plan): readonly Placement[] {
  return plan.placements.filter(({ action }) => action === 'start' || action === 'move');
}

function isApart(a: PlacementGroup, b: PlacementGroup): boolean {
  const says = (x: PlacementGroup, y: PlacementGroup): boolean =>
    x.apart.some(({ group, soft }) => group === y.id && !soft);
  return says(a, b) || says(b, a);
}

/** Moved and stopped only by a person or not at all. */
function isLeftAlone(input: PlacementInput, placement: Placement): boolean {
  const group = groupOf(input, placement);
  const node = nodeOf(input, placement.target);
  if (placement.action === 'wait' || input.maintenance || group.maintenance) return true;
  return node?.maintenance === true || placement.reason.includes(': left as it is, ');
}

describe('laws of a plan', () => {
  test(
    'every group has one answer, with one sentence of reason',
    holds(1, (input, plan) => {
      for (const group of input.groups) {
        const given = plan.placements.filter((each) => each.group === group.id);
        if (group.type === 'failover') expect(given).toHaveLength(1);
        expect(new Set(given.map(({ instance }) => instance)).size).toBe(given.length);
        const instances = group.type === 'everywhere' ? group.runsOn : [];
        for (const node of instances) {
          if ((nodeOf(input, node)?.state ?? 'lost') !== 'lost') {
            expect(given.map(({ instance }) => instance)).toContain(node);
          }
        }
        for (const { reason } of given) expect(reason).toMatch(/^[^\n]{5,}[^.\n]$/);
      }
    }),
  );

  test(
    'nothing starts where it may not: stale copy, node not up, standby, ban, failure',
    holds(2, (input, plan) => {
      for (const placement of arrivals(plan)) {
        const group = groupOf(input, placement);
        const node = must(nodeOf(input, placement.target), 'a target is a node');
        expect(node).toMatchObject({ state: 'up', maintenance: false, quarantined: false });
        const ranThere = group.type === 'failover' && group.firstTry === node.id;
        if (!ranThere) expect(node.standby).toBe(false);
        if (group.allowed !== 'any') expect(group.allowed).toContain(node.id);
        expect(group.failedOn).not.toContain(node.id);
        const bans = group.bans.filter(({ until }) => until === undefined || until > input.now);
        expect(bans.map((ban) => ban.node)).not.toContain(node.id);
        if (group.type === 'failover' && group.inSync !== 'no-mirrors') {
          expect(group.inSync).toContain(node.id);
        }
      }
    }),
  );

  test(
    'nobody takes over from an owner that may still act, or whose state is unknown',
    holds(3, (input, plan) => {
      for (const placement of arrivals(plan)) {
        const group = groupOf(input, placement);
        if (group.type === 'everywhere' || group.owner === undefined) continue;
        expect(['up', 'lost']).toContain(nodeOf(input, group.owner)?.state);
        if (nodeOf(input, group.owner)?.state === 'up') expect(group.runs).not.toBe('unknown');
      }
    }),
  );

  test(
    'what is added never exceeds a capacity',
    holds(4, (input, plan) => {
      for (const node of input.nodes) {
        const here = plan.placements.filter(({ target }) => target === node.id);
        for (const [kind, limit] of Object.entries(node.capacity)) {
          const demand = (each: Placement): number => groupOf(input, each).demand[kind] ?? 0;
          const adds = arrivals(plan).some((each) => each.target === node.id && demand(each) > 0);
          const sum = here.reduce((total, each) => total + demand(each), 0);
          if (adds) expect(sum, `${kind} on ${node.id}`).toBeLessThanOrEqual(limit);
        }
      }
    }),
  );

  test(
    'apart holds between all that may be moved',
    holds(5, (input, plan) => {
      const placed = plan.placements.filter(({ target }) => target !== undefined);
      for (const a of placed) {
        for (const b of placed) {
          if (a === b || a.target !== b.target || a.group === b.group) continue;
          if (!isApart(groupOf(input, a), groupOf(input, b))) continue;
          expect(isLeftAlone(input, a) || isLeftAlone(input, b), `${a.group} and ${b.group}`).toBe(
            true,
          );
          expect(['stay', 'wait']).toContain(a.action);
        }
      }
    }),
  );

  test(
    'whoever starts or moves is where all that it is together with are',
    holds(6, (input, plan) => {
      const byName = new Map(plan.placements.map((each) => [each.group, each]));
      for (const placement of arrivals(plan)) {
        const group = groupOf(input, placement);
        if (group.type === 'everywhere') continue;
        const mates = input.groups.filter(
          (other) =>
            other.type === 'failover' &&
            (group.together.includes(other.id) || other.together.includes(group.id)),
        );
        for (const mate of mates) {
          const { target } = must(byName.get(mate.id), 'every group has an answer');
          if (target !== undefined) expect(target).toBe(placement.target);
        }
      }
    }),
  );

  test(
    'a start waits for what it comes after, and that will run',
    holds(7, (input, plan) => {
      for (const placement of arrivals(plan)) {
        const group = groupOf(input, placement);
        if (placement.action === 'move') continue;
        for (const other of group.after) {
          const theirs = plan.placements.filter((each) => each.group === other);
          expect(theirs.some(({ target }) => target !== undefined)).toBe(true);
          const runs = theirs.some(
            ({ action, target }) => action === 'stay' && target !== undefined,
          );
          const waits = theirs.every(({ action }) => action === 'wait');
          if (!runs && !waits) expect(placement.startsAfter).toContain(other);
        }
      }
    }),
  );

  test(
    'carried out, it is followed by a plan that changes nothing',
    holds(8, (given) => {
      const input = { ...given, groups: given.groups.map(withoutReturn) };
      const plan = new Planner().plan(input);
      const done = carriedOut(input, plan);
      const next = new Planner().plan(done);
      expect(next.steps).toEqual([]);
      const targets = ({ placements }: Plan): string[] =>
        placements
          .filter(({ target }) => target !== undefined)
          .map(({ group, target }) => `${group} ${target}`);
      expect(targets(next)).toEqual(targets(plan));
    }),
  );

  test(
    'in maintenance nothing is done',
    holds(9, (input) => {
      expect(new Planner().plan({ ...input, maintenance: true }).steps).toEqual([]);
      const groups = input.groups.map((group) => ({ ...group, maintenance: true }));
      expect(new Planner().plan({ ...input, groups }).steps).toEqual([]);
    }),
  );

  test(
    'time alone changes nothing before it says so',
    holds(10, (input, plan) => {
      const at = plan.nextChangeAt === NEVER ? input.now + 1e9 : plan.nextChangeAt - 1;
      const later = new Planner().plan({ ...input, now: at as Instant });
      expect(later).toEqual(plan);
    }),
  );

  test('rounds end by themselves', () => {
    tryOut(
      11,
      fc.property(inputArb, (input) => {
        const planner = new Planner();
        planner.plan(input);
        expect(planner.roundsUsed).toBeLessThan(ROUNDS_MAX / 2);
      }),
    );
  });
});

describe('stickiness', () => {
  test('a group that runs well stays, unless a rule that can be named moves it', () => {
    tryOut(
      12,
      fc.property(inputArb, (given) => {
        const groups = given.groups.map((group): PlacementGroup => {
          const calm = { ...group, apart: [], priority: 1, after: [] };
          if (calm.type === 'everywhere') return calm;
          return { ...calm, together: [], failback: { policy: 'never' } };
        });
        const input = { ...given, groups };
        const plan = new Planner().plan(input);
        for (const placement of plan.placements) {
          const group = groupOf(input, placement);
          const node = group.type === 'failover' ? nodeOf(input, group.owner) : undefined;
          if (node === undefined || !runsWell(input, group as FailoverGroup, node)) continue;
          expect(placement).toMatchObject({ action: 'stay', target: node.id });
        }
      }),
    );
  });
});

function runsWell(input: PlacementInput, group: FailoverGroup, node: PlacementNode): boolean {
  const isAllowed = group.allowed === 'any' || group.allowed.includes(node.id);
  const isBanned = group.bans.some(
    (ban) => ban.node === node.id && (ban.until === undefined || ban.until > input.now),
  );
  const isWell = node.state === 'up' && !node.standby && !group.failedOn.includes(node.id);
  return isAllowed && !isBanned && isWell && group.want === 'online' && group.runs === 'yes';
}

describe('twins', () => {
  test('the order of lists makes no difference', () => {
    const shuffled = inputArb.chain((input) =>
      fc.record({
        input: fc.constant(input),
        nodes: fc.shuffledSubarray([...input.nodes], { minLength: input.nodes.length }),
        groups: fc.shuffledSubarray([...input.groups], { minLength: input.groups.length }),
      }),
    );
    tryOut(
      13,
      fc.property(shuffled, ({ input, nodes, groups }) => {
        const turned = groups.map((group) => turnLists(group));
        const other = new Planner().plan({ ...input, nodes, groups: turned });
        expect(other).toEqual(new Planner().plan(input));
      }),
    );
  });

  test('the slow twin finds the same places', () => {
    tryOut(
      14,
      fc.property(inputArb, (input) => {
        const plan = new Planner().plan(input);
        const targets: Record<string, string[]> = {};
        for (const { id } of input.groups) targets[id] = [];
        for (const { group, target } of plan.placements)
          if (target !== undefined) targets[group]?.push(target);
        expect(targets).toEqual(referenceTargets(input, ROUNDS_MAX));
      }),
    );
  });

  test('a planner with a past says what a new one says', () => {
    const history = inputArb.chain((first) =>
      fc.record({
        first: fc.constant(first),
        changes: fc.array(changeArb(first), { maxLength: 6 }),
      }),
    );
    tryOut(
      15,
      fc.property(history, ({ first, changes }) => {
        const old = new Planner();
        expect(old.plan(first)).toEqual(new Planner().plan(first));
        let input = first;
        for (const change of changes) {
          input = change(input, old.plan(input));
          expect(old.plan(structuredClone(input))).toEqual(new Planner().plan(input));
        }
      }),
    );
  });
});

/** The same group with every list turned round whose order means nothing. */
function turnLists(group: PlacementGroup): PlacementGroup {
  const turned = {
    bans: group.bans.toReversed(),
    failedOn: group.failedOn.toReversed(),
    apart: group.apart.toReversed(),
    after: group.after.toReversed(),
    allowed: group.allowed === 'any' ? 'any' : group.allowed.toReversed(),
  } as const;
  if (group.type === 'everywhere')
    return { ...group, ...turned, runsOn: group.runsOn.toReversed() };
  const inSync = group.inSync === 'no-mirrors' ? 'no-mirrors' : group.inSync.toReversed();
  return { ...group, ...turned, inSync, together: group.together.toReversed() };
}

type Change = (input: PlacementInput, plan: Plan) => PlacementInput;

/** A node or group becomes another, the plan is carried out, or time passes. */
function changeArb(first: PlacementInput): fc.Arbitrary<Change> {
  const all = first.groups.map(({ id }) => id);
  const node = fc
    .nat({ max: first.nodes.length - 1 })
    .chain((at) => nodeArb(must(first.nodes[at], 'an index').id))
    .map((other): Change => (input) => ({
      ...input,
      nodes: input.nodes.map((each) => (each.id === other.id ? other : each)),
    }));
  const loss = fc.constantFrom(...first.nodes).map(({ id }): Change => (input) => ({
    ...input,
    nodes: input.nodes.map((each) =>
      each.id === id ? { ...each, state: each.state === 'lost' ? 'up' : 'lost' } : each,
    ),
  }));
  const group = fc
    .nat({ max: all.length - 1 })
    .chain((at) => groupArb(must(all[at], 'an index'), all, USUAL))
    .map((other): Change => (input) => ({
      ...input,
      groups: input.groups.map((each) =>
        each.id === other.id && each.type === other.type ? mixed(each, other) : each,
      ),
    }));
  const done = fc.constant<Change>((input, plan) => carriedOut(input, plan));
  const time = fc.constantFrom(49, 50, 100).map((ms): Change => (input) => ({
    ...input,
    now: instant(input.now + ms),
  }));
  return fc.oneof(loss, node, group, done, time);
}

/** What the configuration says stays; the rest is the other's. */
function mixed(old: PlacementGroup, other: PlacementGroup): PlacementGroup {
  const { type: _, priority, demand, preferred, allowed, apart, after } = old;
  const config = { priority, demand, preferred, allowed, apart, after };
  if (old.type === 'everywhere' || other.type === 'everywhere') return { ...other, ...config };
  return { ...other, ...config, together: old.together };
}
