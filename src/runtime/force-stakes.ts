/** What is at stake when a group is forced onto this node: all that this node knows of it, in words. */
import type { NodeCore } from '../core/node/node-core.ts';
import type { Instant } from '../base/time.ts';
import type { ForceStakes } from '../protocol/api.ts';
import type { TakoEvent } from '../protocol/event.ts';
import type { PeerReport } from '../protocol/heart-ipc.ts';
import {
  type GroupId,
  type MirrorId,
  mirrorId,
  type NodeId,
  type ResourceId,
} from '../protocol/ids.ts';
import type { MirrorStatus } from '../protocol/mirror-ipc.ts';
import type { OwnershipRecord } from '../protocol/record.ts';

export interface StakesSources {
  readonly me: NodeId;
  readonly group: GroupId;
  readonly core: NodeCore;
  readonly off: readonly NodeId[];
  readonly peers: readonly PeerReport[];
  readonly mirrors: ReadonlyMap<MirrorId, MirrorStatus | undefined>;
  /** The latest of this node that are about the group; undefined: none. */
  readonly lastEvent: TakoEvent | undefined;
  readonly now: Instant;
}

export function forceStakes(sources: StakesSources): ForceStakes {
  const { core, group, me, off } = sources;
  const record = core.group(group)?.record ?? core.acceptor.entry(group)?.accepted?.record;
  const names = off.join(', ') || 'nobody';
  const lines = [
    ...(record === undefined ? [`${me} knows of no owner of "${group}"`] : ownership(record)),
    ...(record === undefined ? [] : copies(sources, record)),
    ...off.map((node) => lastHeard(sources, node)),
    lastNoted(sources),
    `You vouch that these are off, and stay off until they can hear ${me}: ${names}`,
    `If one of them runs, both sides serve "${group}" until they hear each other`,
  ];
  return { group, node: me, off, lines };
}

function ownership({ epoch, owner, voters }: OwnershipRecord): readonly string[] {
  const votes = voters.map(({ node }) => node).join(', ');
  return [`Last known owner: ${owner}, at epoch ${epoch}; votes with ${votes}`];
}

function copies(
  { group, me, mirrors }: StakesSources,
  { inSync }: OwnershipRecord,
): readonly string[] {
  return Object.entries(inSync).map(([mirror, nodes]) => {
    const status = mirrors.get(mirrorId(group, mirror as ResourceId));
    const place =
      status?.epoch === undefined
        ? 'its position is not known'
        : `it has what came up to position ${status.sequence} of epoch ${status.epoch}`;
    const others = nodes.filter((node) => node !== me).join(', ');
    const worth = nodes.includes(me)
      ? 'was in sync when this node last knew'
      : `is outdated: only ${nodes.join(', ')} has everything`;
    const lost = others === '' ? 'others acknowledged since' : `${others} acknowledged since`;
    return `The copy of "${mirror}" here ${worth}; ${place}. What ${lost} is given up`;
  });
}

function lastHeard({ now, peers }: StakesSources, node: NodeId): string {
  const at = peers.find((peer) => peer.node === node)?.lastHeardAt;
  if (at === undefined) return `${node} was not heard since Tako started here`;
  return `${node} was heard ${Math.round((now - at) / 1000)} s ago`;
}

function lastNoted({ group, lastEvent, me }: StakesSources): string {
  if (lastEvent === undefined) return `${me} has noted nothing about "${group}" before`;
  return `The last thing that ${me} noted of "${group}": ${lastEvent.time} ${lastEvent.text}`;
}
