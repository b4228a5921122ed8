/**
 * What a person can do about a group that waits for members who are lost, as far as this node knows: for
 * whom it waits, how to make sure that they are off, the exact command, and what may be lost by it.
 */
import { staleCopies } from '../core/node/candidacy.ts';
import type { GroupCore } from '../core/node/group-core.ts';
import type { Instant } from '../base/time.ts';
import type { AcceptorEntry } from '../core/registry/acceptor.ts';
import { electoratesOf, majorityOf } from '../core/registry/electorate.ts';
import type { GroupConfig } from '../protocol/config.ts';
import type { PeerReport } from '../protocol/heart-ipc.ts';
import type { NodeId } from '../protocol/ids.ts';
import type { OwnershipRecord } from '../protocol/record.ts';

export interface ByHandSources {
  readonly me: NodeId;
  readonly group: GroupConfig;
  readonly core: GroupCore;
  /** What this node's acceptor has accepted. */
  readonly accepted: AcceptorEntry | undefined;
  readonly peers: readonly PeerReport[];
  readonly now: Instant;
}

/** In these nothing of the group serves here, and it may be forced here. */
const WAITING: readonly string[] = ['probing', 'suspended', 'waiting', 'sealing', 'claiming'];

/** One sentence a line; undefined where nothing waits for anybody. */
export function byHand(sources: ByHandSources): readonly string[] | undefined {
  const { core, group, me, now, peers } = sources;
  const record = core.record ?? sources.accepted?.accepted?.record;
  if (record === undefined || record.want !== 'online' || !group.nodes.includes(me))
    return undefined;
  if (!WAITING.includes(core.phase)) return undefined;
  const lost = peers.filter(({ state }) => state === 'lost');
  const off = lost.map(({ node }) => node);
  if (off.length === 0 || lost.length < peers.filter(({ state }) => state !== 'up').length)
    return undefined;
  if (record.owner !== me && !off.includes(record.owner)) return undefined;
  if (!isMissed(record, off) && staleCopies(record, me).length === 0) return undefined;
  const names = off.join(', ');
  const heard = lost.map(({ lastHeardAt, node }) => lastHeard(node, lastHeardAt, now)).join(', ');
  return [
    `waits for ${names}: ${heard}; when it is back, the group goes on by itself`,
    `if it stays away: make sure that ${names} is off (pull the plug, or switch it off in its ` +
      'management interface), and only then run here:',
    `  ${commandOf(sources, record, off)}`,
    `lost by it: ${lossOf(sources, record)}; if ${names} runs all the same, both sides serve ` +
      'until they hear each other',
  ];
}

function isMissed(record: OwnershipRecord, off: readonly NodeId[]): boolean {
  return electoratesOf(record).some(
    (voters) => voters.filter(({ node }) => !off.includes(node)).length < majorityOf(voters),
  );
}

function lastHeard(node: NodeId, at: Instant | undefined, now: Instant): string {
  if (at === undefined) return `${node} was not heard since Tako started here`;
  return `${node} was heard last ${Math.round((now - at) / 1000)} s ago`;
}

/** Refused without `--accept-data-loss` where that is needed: see `core/node/forced.ts`. */
function commandOf(
  sources: ByHandSources,
  record: OwnershipRecord,
  off: readonly NodeId[],
): string {
  const { group } = sources;
  const members = off.join(' ');
  if (isWhole(sources, record)) return `tako force voters ${group.id} --off ${members}`;
  return `tako force takeover ${group.id} --off ${members} --accept-data-loss`;
}

function isWhole({ core, group, me }: ByHandSources, record: OwnershipRecord): boolean {
  const mirrored = group.resources.some(({ agent }) => agent === 'mirror');
  return staleCopies(record, me).length === 0 && (core.hasRead || !mirrored);
}

function lossOf(sources: ByHandSources, record: OwnershipRecord): string {
  const { me } = sources;
  if (isWhole(sources, record)) return 'nothing that was acknowledged, as far as this node knows';
  const stale = staleCopies(record, me);
  if (stale.length === 0) {
    return `nothing, if ${me} was in sync to the end; it has not heard since it started`;
  }
  const others = Object.values(record.inSync).flat();
  const holders = [...new Set(others)].filter((node) => node !== me).join(', ');
  return `what "${stale.join('", "')}" on ${holders} has and ${me} lacks`;
}
