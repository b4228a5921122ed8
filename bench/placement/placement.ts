/**
 * `npm run bench -- placement`: how long the placement planner takes from nothing, after the loss of
 * one node and when nothing has changed, over the size of the cluster, beside the plain pass over all
 * groups and nodes. Everything is measured in turns, so that all see the same machine.
 */
import { isDeepStrictEqual } from 'node:util';
import { assert, must } from '../../src/base/assert.ts';
import { Planner } from '../../src/core/placement/planner.ts';
import { carriedOut } from '../../src/core/placement/story.ts';
import type { PlacementInput, Plan } from '../../src/core/placement/types.ts';
import { type Summary, summarize } from '../failover/figures.ts';
import { GROUPS_PER_NODE, type ShapeName, makeCluster, withLost } from './cluster.ts';
import { linearPass } from './linear.ts';

const SIZES = [10, 100, 1000] as const;
const SHAPES: readonly ShapeName[] = ['narrow', 'wide'];
/** Runs that are not counted, in which the engine compiles. */
const WARM_UPS = 2;
const SITUATIONS = ['linear', 'scratch', 'loss', 'steady'] as const;
type Situation = (typeof SITUATIONS)[number];

export interface PlacementFigures {
  readonly shape: ShapeName;
  readonly nodes: number;
  readonly groups: number;
  /** Groups without a node, of all, when everything has been placed. */
  readonly unplaced: number;
  /** Groups whose plan says something else after the loss. */
  readonly affected: number;
  readonly milliseconds: Readonly<Record<Situation, readonly number[]>>;
}

export function measurePlacement(
  runs: number,
  tell: (line: string) => void,
): readonly PlacementFigures[] {
  return SHAPES.flatMap((shape) =>
    SIZES.map((nodes) => {
      const figures = measureSize(nodes, shape, runs);
      tell(`${figures.groups} groups, ${shape}, on ${nodes} nodes: ${runs} runs`);
      return figures;
    }),
  );
}

function measureSize(nodes: number, shape: ShapeName, runs: number): PlacementFigures {
  const empty = makeCluster(nodes, shape);
  const first = new Planner().plan(empty);
  const steady = carriedOut(empty, first);
  const planner = new Planner();
  const calm = planner.plan(steady);
  const times: Record<Situation, number[]> = { linear: [], scratch: [], loss: [], steady: [] };
  const affected: number[] = [];
  for (let run = -WARM_UPS; run < runs; run += 1) {
    const victim = must(steady.nodes[(Math.abs(run) * 7) % nodes], 'one of the nodes').id;
    const lost = withLost(steady, victim);
    const taken = {
      linear: timed(() => linearPass(empty)),
      scratch: timed(() => new Planner().plan(empty)),
      loss: timed(() => planner.plan(lost)),
      steady: timed(() => planner.plan(lost)),
    };
    if (run < 0) {
      // What is quick must also be right: the same as from nothing.
      assert(isDeepStrictEqual(taken.loss.result, new Planner().plan(lost)), 'plans are the same');
    }
    affected.push(countDifferent(calm, taken.loss.result));
    planner.plan(steady);
    if (run < 0) continue;
    for (const situation of SITUATIONS) times[situation].push(taken[situation].ms);
  }
  return {
    shape,
    nodes,
    groups: nodes * GROUPS_PER_NODE,
    unplaced: countUnplaced(empty, first),
    affected: Math.max(...affected),
    milliseconds: times,
  };
}

function timed<T>(work: () => T): { readonly result: T; readonly ms: number } {
  const start = performance.now();
  const result = work();
  return { result, ms: performance.now() - start };
}

function countUnplaced(input: PlacementInput, plan: Plan): number {
  return input.groups.length - plan.placements.filter(({ target }) => target !== undefined).length;
}

function countDifferent(before: Plan, after: Plan): number {
  const told = new Map(
    before.placements.map(({ group, target, reason }) => [group, `${target} ${reason}`]),
  );
  return after.placements.filter(
    ({ group, target, reason }) => told.get(group) !== `${target} ${reason}`,
  ).length;
}

const HEADS = [
  ...['cluster', 'plain pass', 'planned from nothing', 'one node lost', 'nothing new'],
  ...['from nothing / plain', 'lost / plain'],
];

/** A Markdown table of milliseconds, each as median (least to most). */
export function placementTable(all: readonly PlacementFigures[]): string {
  const rows = all.map((figures) => {
    const { shape, nodes, groups } = figures;
    const [linear, scratch, loss, steady] = SITUATIONS.map((situation) =>
      must(summarize(figures.milliseconds[situation]), 'at least one run'),
    );
    const cells = [linear, scratch, loss, steady].map((each) => cell(each));
    const ratio = (each: Summary | undefined): string =>
      ((each?.median ?? 0) / (linear?.median ?? 1)).toFixed(3);
    const name = `${groups} groups on ${nodes} nodes, ${shape}`;
    return `| ${[name, ...cells, ratio(scratch), ratio(loss)].join(' | ')} |`;
  });
  return [`| ${HEADS.join(' | ')} |`, `|${'---|'.repeat(HEADS.length)}`, ...rows].join('\n');
}

function cell(summary: Summary | undefined): string {
  if (summary === undefined) return '-';
  const [median, least, most] = [summary.median, summary.least, summary.most].map((ms) =>
    ms >= 10 ? ms.toFixed(0) : ms.toFixed(2),
  );
  return `${median} (${least} to ${most})`;
}
