/**
 * Who may take a group over, and who goes first. Pure questions about a record and the peers.
 */
import { type Instant, plus } from '../../base/time.ts';
import type { GroupConfig } from '../../protocol/config.ts';
import type { PeerReport } from '../../protocol/heart-ipc.ts';
import type { LinkId, NodeId, ResourceId } from '../../protocol/ids.ts';
import type { OwnershipRecord } from '../../protocol/record.ts';
import { barOf } from '../registry/bars.ts';
import type { GroupPlacing } from './placing.ts';

/** Each candidate gives those before it this much time to be first. */
const STAGGER_MS = 200;

export interface Situation {
  readonly me: NodeId;
  readonly group: GroupConfig;
  readonly record: OwnershipRecord;
  readonly peers: ReadonlyMap<NodeId, PeerReport>;
  /** Nodes that come and go: they come last, and no planned move goes there. */
  readonly quarantined: ReadonlySet<NodeId>;
  /** Undefined where no group of the cluster has words of placement. */
  readonly placing?: GroupPlacing | undefined;
}

/** Mirrors whose copy on `node` may not take over; empty means that it may. */
export function staleCopies(record: OwnershipRecord, node: NodeId): readonly ResourceId[] {
  const stale: ResourceId[] = [];
  for (const [mirror, nodes] of Object.entries(record.inSync)) {
    if (!nodes.includes(node)) stale.push(mirror as ResourceId);
  }
  return stale;
}

/** Whether a node answers: this one always does. */
export function isUp(situation: Pick<Situation, 'me' | 'peers'>, node: NodeId): boolean {
  return node === situation.me || situation.peers.get(node)?.state === 'up';
}

/** Nodes that could take over now, the preferred one first. */
export function candidates(situation: Situation): readonly NodeId[] {
  const { group, record } = situation;
  return quarantinedLast(situation, group.nodes).filter(
    (node) =>
      isUp(situation, node) &&
      staleCopies(record, node).length === 0 &&
      (node === record.owner || barOf(record, node) === undefined),
  );
}

function quarantinedLast({ quarantined }: Situation, nodes: readonly NodeId[]): readonly NodeId[] {
  if (quarantined.size === 0) return nodes;
  const calm = nodes.filter((node) => !quarantined.has(node));
  return [...calm, ...nodes.filter((node) => quarantined.has(node))];
}

/** When this node may seal and claim, counted from when the owner was found lost. */
export function claimAt(situation: Situation, lostAt: Instant): Instant {
  const order = candidates(situation).filter((node) => node !== situation.record.owner);
  const rank = Math.max(0, order.indexOf(situation.me));
  return plus(lostAt, rank * STAGGER_MS);
}

/** The links that the group's virtual addresses need. */
export function addressLinks(group: GroupConfig): readonly LinkId[] {
  return group.resources.flatMap((r) => (r.agent === 'virtual-ip' ? [r.link] : []));
}

/**
 * The best node to hand the group to, other than this one: in sync, up, not among `avoid`, and
 * not cut off on a link that the group's addresses need. With the reason why there is none. Less
 * important groups make room there, if it is not gently.
 */
export function handOverTarget(
  situation: Situation,
  avoid: ReadonlySet<NodeId>,
  manner: 'pushing' | 'gently' = 'pushing',
): { readonly node: NodeId } | { readonly node: undefined; readonly why: string } {
  const reasons: string[] = [];
  const fit: NodeId[] = [];
  for (const node of quarantinedLast(situation, situation.group.nodes)) {
    if (node === situation.me) continue;
    const why = obstacle(situation, node, avoid) ?? tooMuch(situation, node, manner);
    if (why === undefined && (situation.placing === undefined || manner === 'gently'))
      return { node };
    if (why === undefined) fit.push(node);
    else reasons.push(`${node} ${why}`);
  }
  const calm = fit.filter((node) => !situation.quarantined.has(node));
  const first = calm.length === 0 ? undefined : situation.placing?.choose(calm);
  const any = fit.length === 0 ? undefined : situation.placing?.choose(fit);
  const chosen = first?.target === undefined ? any : first;
  if (chosen?.target !== undefined) return { node: chosen.target };
  if (chosen !== undefined) reasons.push(chosen.reason);
  const why = reasons.length === 0 ? 'the group has no other node' : reasons.join(', ');
  return { node: undefined, why };
}

/** What is against a node for a move that need not be. */
function tooMuch(
  { placing, quarantined }: Situation,
  node: NodeId,
  manner: 'pushing' | 'gently',
): string | undefined {
  if (manner === 'pushing') return undefined;
  return quarantined.has(node) ? 'is in quarantine' : placing?.against(node);
}

/** What is against a planned move to `node`, for which nobody else shall have to go. */
export function moveObstacle(situation: Situation, node: NodeId): string | undefined {
  return obstacle(situation, node, new Set()) ?? situation.placing?.against(node);
}

/** Why the group can't go to `node`, undefined when it can. */
export function obstacle(
  situation: Situation,
  node: NodeId,
  avoid: ReadonlySet<NodeId>,
): string | undefined {
  if (!situation.group.nodes.includes(node)) return 'is not among the nodes of the group';
  if (!isUp(situation, node)) return 'does not answer';
  if (situation.peers.get(node)?.deafSince !== undefined) return 'is heard, but hears nobody';
  const barred = barOf(situation.record, node);
  if (barred !== undefined) return barred;
  const stale = staleCopies(situation.record, node);
  if (stale.length > 0) return `has a copy of "${stale.join('", "')}" that is not in sync`;
  if (avoid.has(node)) return 'failed to run it a short while ago';
  const peer = situation.peers.get(node);
  if (peer === undefined) return undefined;
  for (const link of addressLinks(situation.group)) {
    if (!peer.hearsOn.includes(link)) return `hears nobody on link "${link}"`;
  }
  return undefined;
}
