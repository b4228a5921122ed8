/**
 * Placement stories for tests: a cluster and its groups in a few words per line, a plan as text.
 *
 *     node n2 standby memory=64            states: up (if not said), suspect, lost, unknown
 *     group db on=n1 nodes=n1,n2 sync=n1,n2 memory=8
 *
 * `nodes` are the allowed ones in order of preference (`prefers` and `allowed` say them apart);
 * `on` is the owner, where it runs unless `stopped` or `unsure` is said. Without `sync` there are
 * no mirrors. Words that are not known are amounts.
 */
import { assert, must } from '../../base/assert.ts';
import { instant } from '../../base/time.ts';
import type { GroupId, NodeId } from '../../protocol/ids.ts';
import type {
  Ban,
  EverywhereGroup,
  FailbackPolicy,
  FailoverGroup,
  Placement,
  PlacementGroup,
  PlacementInput,
  PlacementNode,
  Plan,
} from './types.ts';

const STATES = ['up', 'suspect', 'lost', 'unknown'] as const;
const NODE_WORDS = ['healthy'];
const GROUP_WORDS = [
  ...['on', 'runs', 'nodes', 'prefers', 'allowed', 'sync', 'ban', 'failed', 'together', 'apart'],
  ...['softly-apart', 'try', 'after', 'priority', 'back', 'healthy-for'],
];

/** Of a line of reason. */
const WIDTH = 90;

class Words {
  readonly #words: readonly string[];

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  has(word: string): boolean {
    return this.#words.includes(word);
  }

  value(key: string): string | undefined {
    return this.#words.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1);
  }

  list(key: string): readonly string[] {
    const value = this.value(key);
    return value === undefined || value === '' ? [] : value.split(',');
  }

  number(key: string, otherwise: number): number {
    return Number(this.value(key) ?? otherwise);
  }

  /** All `key=number` whose key is not in `known`. */
  amounts(known: readonly string[]): Record<string, number> {
    const pairs = this.#words
      .filter((word) => word.includes('='))
      .map((word) => word.split('='))
      .filter(([key]) => !known.includes(key ?? ''));
    return Object.fromEntries(pairs.map(([key, value]) => [key ?? '', Number(value)]));
  }
}

export function readStory(text: string): PlacementInput {
  const nodes: PlacementNode[] = [];
  const groups: PlacementGroup[] = [];
  let maintenance = false;
  let now = 0;
  for (const line of text.split('\n')) {
    const [kind, name, ...rest] = line.trim().split(/\s+/);
    const words = new Words(rest);
    if (kind === '') continue;
    if (kind === 'node') nodes.push(readNode(must(name, 'a node has a name'), words));
    else if (kind === 'group') groups.push(readGroup(must(name, 'a group has a name'), words));
    else if (kind === 'now') now = Number(name);
    else {
      assert(kind === 'cluster' && name === 'maintenance', `a line that is known: ${line}`);
      maintenance = true;
    }
  }
  return { now: instant(now), maintenance, nodes, groups };
}

function readNode(id: string, words: Words): PlacementNode {
  const state = STATES.find((each) => words.has(each)) ?? 'up';
  return {
    id: id as NodeId,
    state,
    standby: words.has('standby'),
    maintenance: words.has('maintenance'),
    quarantined: words.has('quarantined'),
    healthySince: state === 'up' ? instant(words.number('healthy', 0)) : undefined,
    capacity: words.amounts(NODE_WORDS),
  };
}

function readGroup(id: string, words: Words): PlacementGroup {
  const nodes = words.list('nodes');
  const allowed = words.value('allowed') === undefined ? nodes : words.list('allowed');
  const base = {
    id: id as GroupId,
    want: words.has('offline') ? ('offline' as const) : ('online' as const),
    maintenance: words.has('maintenance'),
    priority: words.number('priority', 0),
    demand: words.amounts(GROUP_WORDS),
    preferred: (nodes.length > 0 ? nodes : words.list('prefers')) as NodeId[],
    allowed: allowed.length === 0 ? ('any' as const) : (allowed as NodeId[]),
    bans: words.list('ban').map((each) => readBan(each)),
    failedOn: words.list('failed') as NodeId[],
    apart: [
      ...words.list('apart').map((group) => ({ group: group as GroupId, soft: false })),
      ...words.list('softly-apart').map((group) => ({ group: group as GroupId, soft: true })),
    ],
    after: words.list('after') as GroupId[],
  };
  if (words.has('everywhere')) {
    return {
      ...base,
      type: 'everywhere',
      runsOn: words.list('runs') as NodeId[],
    } satisfies EverywhereGroup;
  }
  const owner = words.value('on') as NodeId | undefined;
  const idle = owner === undefined || words.has('stopped');
  return {
    ...base,
    type: 'failover',
    owner,
    runs: words.has('unsure') ? 'unknown' : idle ? 'no' : 'yes',
    firstTry: words.value('try') as NodeId | undefined,
    inSync: words.value('sync') === undefined ? 'no-mirrors' : (words.list('sync') as NodeId[]),
    together: words.list('together') as GroupId[],
    failback: readFailback(words),
  } satisfies FailoverGroup;
}

/** `n1`, or `n1@500` until then. */
function readBan(text: string): Ban {
  const [node, until] = text.split('@');
  return { node: node as NodeId, until: until === undefined ? undefined : instant(Number(until)) };
}

function readFailback(words: Words): FailbackPolicy {
  const healthyForMs = words.number('healthy-for', 0);
  switch (words.value('back')) {
    case 'when-in-sync':
      return { policy: 'when-in-sync', healthyForMs };
    case 'open':
      return { policy: 'window', healthyForMs, open: true };
    case 'closed':
      return { policy: 'window', healthyForMs, open: false };
    default:
      return { policy: 'never' };
  }
}

/** A line per problem; a line per placement, and below it its reason. */
export function tellPlan(plan: Plan): string {
  return [...plan.problems.map((each) => `problem: ${each}`), ...plan.placements.map(tell)].join(
    '\n',
  );
}

function tell(placement: Placement): string {
  const { group, instance, action, target, from, startsAfter, roomFrom, reason } = placement;
  const name = instance === undefined ? group : `${group}@${instance}`;
  const where = instance === undefined && target !== undefined ? ` ${target}` : '';
  const came =
    from !== undefined && from !== target && instance === undefined ? ` from ${from}` : '';
  const starts = startsAfter.length > 0 ? ` (after ${startsAfter.join(', ')})` : '';
  const room = roomFrom.length > 0 ? ` (once ${roomFrom.join(', ')} left)` : '';
  return [`${name}: ${action}${where}${came}${starts}${room}`, ...wrapped(reason)].join('\n');
}

function wrapped(text: string): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line.length + word.length > WIDTH) {
      lines.push(`    ${line.trim()}`);
      line = '';
    }
    line += `${word} `;
  }
  return [...lines, `    ${line.trim()}`];
}

/**
 * The input once the plan has been carried out and nothing else has happened: what started has its
 * node for owner, what stopped runs nowhere.
 */
export function carriedOut(input: PlacementInput, plan: Plan): PlacementInput {
  const placements = new Map<string, Placement[]>();
  for (const placement of plan.placements) {
    const list = placements.get(placement.group) ?? [];
    placements.set(placement.group, [...list, placement]);
  }
  const groups = input.groups.map((group): PlacementGroup => {
    const given = must(placements.get(group.id), 'a plan has every group');
    if (group.type === 'everywhere') {
      const at = (action: Placement['action']): (NodeId | undefined)[] =>
        given.flatMap((each) => (each.action === action ? [each.instance] : []));
      const started = at('start').flatMap((node) => node ?? []);
      const runsOn = group.runsOn.filter((node) => !at('stop').includes(node));
      return { ...group, runsOn: [...runsOn, ...started] };
    }
    const [{ action, target }] = [must(given[0], 'a plan has every group')];
    if (action === 'start' || action === 'move') return { ...group, owner: target, runs: 'yes' };
    return action === 'stop' ? { ...group, runs: 'no' } : group;
  });
  return { ...input, groups };
}
