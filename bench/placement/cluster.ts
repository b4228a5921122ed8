/**
 * Made clusters for the placement benchmark: ten groups per node. Each prefers three neighbouring
 * nodes in a row, half of them mirrored there; priorities, `together`, `apart` and `after` are
 * strewn in. The nodes carry about two thirds of what they could. The same size gives the same
 * cluster.
 */
import { Prng } from '../../src/base/prng.ts';
import { instant } from '../../src/base/time.ts';
import type {
  FailoverGroup,
  PlacementInput,
  PlacementNode,
} from '../../src/core/placement/types.ts';
import type { GroupId, NodeId } from '../../src/protocol/ids.ts';

export const GROUPS_PER_NODE = 10;
const SEED = 1999;
const COPIES = 3;
const PRIORITIES = 5;
const MEMORY = 64;
const DEMAND_MAX = 8;
const RELATED_CHANCE = 0.05;

/** `narrow`: three nodes for each group. `wide`: any node, after the three that it prefers. */
export type ShapeName = 'narrow' | 'wide';

export function makeCluster(nodeCount: number, shape: ShapeName): PlacementInput {
  const prng = new Prng(SEED);
  const nodes = Array.from({ length: nodeCount }, (_, index) => makeNode(index));
  const groups = Array.from({ length: nodeCount * GROUPS_PER_NODE }, (_, index) =>
    makeGroup(index, { nodeCount, shape, prng }),
  );
  return { now: instant(0), maintenance: false, nodes, groups };
}

function makeNode(index: number): PlacementNode {
  return {
    id: nodeName(index),
    state: 'up',
    standby: false,
    maintenance: false,
    quarantined: false,
    healthySince: instant(0),
    capacity: { memory: MEMORY, cpu: 16 },
  };
}

interface Deal {
  readonly nodeCount: number;
  readonly shape: ShapeName;
  readonly prng: Prng;
}

function makeGroup(index: number, { nodeCount, shape, prng }: Deal): FailoverGroup {
  const first = prng.below(nodeCount);
  const preferred = Array.from({ length: COPIES }, (_, step) =>
    nodeName((first + step) % nodeCount),
  );
  const related = (): GroupId[] =>
    index > 0 && prng.chance(RELATED_CHANCE) ? [groupName(index - 1)] : [];
  return {
    id: groupName(index),
    type: 'failover',
    want: 'online',
    maintenance: false,
    priority: prng.below(PRIORITIES),
    demand: { memory: 1 + prng.below(DEMAND_MAX), cpu: 1 },
    preferred,
    allowed: shape === 'narrow' ? preferred : 'any',
    bans: [],
    failedOn: [],
    together: shape === 'wide' ? related() : [],
    apart: related().map((group) => ({ group, soft: false })),
    after: related(),
    owner: undefined,
    runs: 'no',
    inSync: shape === 'narrow' && index % 2 === 0 ? preferred : 'no-mirrors',
    failback: { policy: 'when-in-sync', healthyForMs: 0 },
  };
}

function nodeName(index: number): NodeId {
  return `n${index}` as NodeId;
}

function groupName(index: number): GroupId {
  return `g${index}` as GroupId;
}

/** The cluster with that node lost. */
export function withLost(input: PlacementInput, id: NodeId): PlacementInput {
  const nodes = input.nodes.map((node) =>
    node.id === id ? { ...node, state: 'lost' as const, healthySince: undefined } : node,
  );
  return { ...input, nodes };
}
