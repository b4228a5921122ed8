/**
 * Reasons, in plain words: one sentence each, beginning with the node (or `nowhere`). They are part
 * of the answer, so they depend on what was looked at and on nothing else.
 */
import { must } from '../../base/assert.ts';
import type { NodeId } from '../../protocol/ids.ts';
import type { Look } from './look.ts';
import type { Obstacle } from './standing.ts';
import { PARTS_PER_UNIT } from './shape.ts';

/** Nodes that a reason speaks of before it says "and N more". */
const TOLD_MAX = 3;
const ORDINALS = ['first', 'second', 'third', 'fourth', 'fifth'];

export function nodeName(look: Look, node: number): string {
  return must(look.view.shape.nodeIds[node], 'an index of a node');
}

export function groupName(look: Look, group: number): string {
  return `"${look.shapeOf(group).id}"`;
}

/** "n1 is lost" */
export function obstacleWords(obstacle: Obstacle, node: string): string {
  return `${node} ${QUALITY[obstacle]}`;
}

/** "which is lost" */
export function obstacleClause(obstacle: Obstacle): string {
  return `which ${QUALITY[obstacle]}`;
}

const QUALITY: Readonly<Record<Obstacle, string>> = {
  'not-allowed': 'is not among its nodes',
  banned: 'is banned for it',
  failed: 'saw it fail lately',
  passed: 'did not take it over',
  stale: 'has no copy in sync',
  suspect: 'is suspect',
  lost: 'is lost',
  unknown: 'has not been heard of',
  maintenance: 'is in maintenance',
  standby: 'is in standby',
  quarantined: 'is in quarantine',
};

function advice(obstacle: Obstacle, node: string): string {
  switch (obstacle) {
    case 'lost':
      return `bring ${node} back`;
    case 'suspect':
    case 'unknown':
      return `see whether ${node} runs`;
    case 'standby':
      return `end the standby of ${node}`;
    case 'maintenance':
      return `end the maintenance of ${node}`;
    case 'quarantined':
      return `find out why ${node} comes and goes`;
    case 'banned':
      return `lift the ban on ${node}`;
    case 'passed':
      return `see what "tako why" says on ${node}`;
    case 'failed':
      return `repair it on ${node} and clear its failures`;
    case 'stale':
      return `bring a copy in sync`;
    case 'not-allowed':
      return `allow it on ${node}`;
  }
}

/** "preferred second and in sync" */
export function qualities(look: Look, node: number): string {
  const place = look.unit.preferred.indexOf(node);
  const mirrored = look.unit.members.some((member) => {
    const { input } = look.now(member);
    return input.type === 'failover' && input.inSync !== 'no-mirrors';
  });
  const rank = place < 0 ? 'allowed' : `preferred ${ORDINALS[place] ?? `as number ${place + 1}`}`;
  return mirrored ? `${rank} and in sync` : rank;
}

export interface Refusal {
  readonly text: string;
  readonly advice: string;
}

/** Why `groups` cannot start on `node`, or `undefined` if they can. */
export function refusal(look: Look, groups: readonly number[], node: number): Refusal | undefined {
  const name = nodeName(look, node);
  for (const group of groups) {
    const obstacle = look.obstacle(group, node);
    if (obstacle === undefined) continue;
    const whose = group === groups[0] ? '' : ` (for ${groupName(look, group)})`;
    return { text: `${obstacleWords(obstacle, name)}${whose}`, advice: advice(obstacle, name) };
  }
  const neighbours = look.neighbours(node);
  for (const group of groups) {
    const rival = look.rival(group, neighbours);
    if (rival === undefined) continue;
    return {
      text: `${name} has ${groupName(look, rival)}, from which it must be apart`,
      advice: `allow it on another node`,
    };
  }
  const kind = look.lacking(node, groups);
  if (kind < 0) return undefined;
  return { text: roomWords(look, groups, node, kind), advice: `make room on ${name}` };
}

function roomWords(look: Look, groups: readonly number[], node: number, kind: number): string {
  const amount = (group: number): number =>
    look.shapeOf(group).demand.find(([each]) => each === kind)?.[1] ?? 0;
  const sum = (list: readonly number[]): number =>
    list.reduce((total, group) => total + amount(group), 0);
  const limit = look.view.shape.capacity[node]?.[kind] ?? 0;
  const free = Math.max(0, limit - sum(look.neighbours(node)));
  const what = look.view.shape.kinds[kind] ?? '';
  const wants = sum(groups) / PARTS_PER_UNIT;
  return `${nodeName(look, node)} has ${free / PARTS_PER_UNIT} ${what} left of ${wants} wanted`;
}

interface Wanted {
  readonly groups: readonly number[];
  /** The node that is to be left, which has been told; or none. */
  readonly leaving: number;
}

/** Why `groups` can start nowhere, with the next step: "n1 is lost, n2 is in standby; next: ...". */
export function nowhereWords(look: Look, wanted: Wanted, candidates: Iterable<number>): string {
  const copies = copyWords(look, wanted);
  if (copies !== undefined) return copies;
  const told: Refusal[] = [];
  let more = 0;
  for (const node of candidates) {
    if (node === wanted.leaving) continue;
    // Beyond what is told, only the number of nodes matters: no need to look at them.
    if (told.length === TOLD_MAX) {
      more += 1;
      continue;
    }
    const found = refusal(look, wanted.groups, node);
    if (found !== undefined) told.push(found);
  }
  const [first] = told;
  if (first === undefined) return 'it has no other node; next: allow one';
  const rest = more > 0 ? ` and ${more} more will not do either` : '';
  return `${told.map(({ text }) => text).join(', ')}${rest}; next: ${first.advice}`;
}

/** Where the data decides: the copies in sync are few, and each of them is told. */
function copyWords(look: Look, { groups, leaving }: Wanted): string | undefined {
  for (const group of groups) {
    const { input } = look.now(group);
    if (input.type !== 'failover' || input.inSync === 'no-mirrors') continue;
    const whose = group === groups[0] ? '' : ` of ${groupName(look, group)}`;
    const other = input.inSync.includes(nameOrNone(look, leaving)) ? 'other ' : '';
    const found = input.inSync
      .flatMap((id) => look.view.shape.nodeIndex.get(id) ?? [])
      .filter((node) => node !== leaving)
      .toSorted((a, b) => a - b)
      .map((node) => ({ node, obstacle: look.obstacle(group, node) }));
    if (found.some(({ obstacle }) => obstacle === undefined)) continue;
    const [first] = found;
    if (first?.obstacle === undefined) {
      return `no ${other}copy${whose} is in sync; next: bring one in sync`;
    }
    const next = `next: ${advice(first.obstacle, nodeName(look, first.node))}`;
    if (found.length === 1) {
      const where = `${nodeName(look, first.node)}, ${obstacleClause(first.obstacle)}`;
      return `the only ${other}copy${whose} in sync is on ${where}; ${next}`;
    }
    const list = found
      .slice(0, TOLD_MAX)
      .map(({ node, obstacle }) => obstacleWords(obstacle ?? 'lost', nodeName(look, node)));
    const more = found.length > TOLD_MAX ? ` and ${found.length - TOLD_MAX} more` : '';
    return `the ${other}copies${whose} in sync cannot be used: ${list.join(', ')}${more}; ${next}`;
  }
  return undefined;
}

function nameOrNone(look: Look, node: number): NodeId {
  return look.view.shape.nodeIds[node] ?? ('' as NodeId);
}
