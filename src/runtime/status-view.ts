/**
 * Makes the cluster's status out of what this node decides by itself and what the owners of other
 * groups tell about them. Pure: everything comes in as an argument.
 */
import { parseCivilTime } from '../base/civil-time.ts';
import type { Instant } from '../base/time.ts';
import type { GroupCore } from '../core/node/group-core.ts';
import type { NodeCore } from '../core/node/node-core.ts';
import type { ClusterStatus, GroupStatus, InstanceStatus, NodeStatus } from '../protocol/api.ts';
import type { Config, GroupConfig } from '../protocol/config.ts';
import type { EventLevel } from '../protocol/event.ts';
import type { PeerReport } from '../protocol/heart-ipc.ts';
import { barWarnings, standbyOf } from './bar-view.ts';
import { isNodeMaintained, maintenanceWarnings } from './maintenance-view.ts';
import type { GroupId, MirrorId, NodeId } from '../protocol/ids.ts';
import type { MirrorStatus } from '../protocol/mirror-ipc.ts';
import { decidedBy } from './decided-by.ts';
import { everywhereFindings, everywhereStatus } from './everywhere-view.ts';
import { resourcesOf } from './resource-view.ts';

export interface StatusSources {
  readonly me: NodeId;
  readonly config: Config;
  readonly core: NodeCore;
  readonly peers: readonly PeerReport[];
  readonly mirrors: ReadonlyMap<MirrorId, MirrorStatus | undefined>;
  /** When each group came online on this node. */
  readonly onlineSince: ReadonlyMap<GroupId, string>;
  /** What owners said of their groups lately. */
  readonly reported: ReadonlyMap<GroupId, GroupStatus>;
  /** What nodes said of their instances lately, by `instanceKey`. */
  readonly instances?: ReadonlyMap<string, InstanceStatus> | undefined;
  readonly now: Instant;
  readonly time: string;
}

export function clusterStatus(sources: StatusSources): ClusterStatus {
  const groups = sources.config.groups.map((group) => groupStatus(sources, group));
  const nodes = nodeStatuses(sources, groups);
  const { summary, level } = summarize(nodes, groups, sources);
  const { me, config, time } = sources;
  return {
    cluster: config.cluster,
    node: me,
    time,
    summary,
    level,
    nodes,
    groups,
    decidedBy: decidedBy(config),
  };
}

/** A group as this node knows it best: its own view when it owns it, else the owner's word. */
export function groupStatus(sources: StatusSources, group: GroupConfig): GroupStatus {
  const instance = sources.core.instance(group.id);
  if (instance !== undefined) return everywhereStatus(sources, group, instance);
  const core = sources.core.group(group.id);
  const reported = sources.reported.get(group.id);
  if (core === undefined) return reported ?? unknownGroup(group);
  const mine = core.epochOwned !== undefined || core.phase === 'yielding';
  const known = core.record?.epoch ?? 0;
  if (!mine && reported?.epoch !== undefined && reported.epoch >= known) return reported;
  return ownGroupStatus(sources, group, core);
}

export function ownGroupStatus(
  sources: StatusSources,
  group: GroupConfig,
  core: GroupCore,
): GroupStatus {
  const { record } = core;
  const resources = resourcesOf(group, core.engine, sources.now, sources.mirrors);
  return {
    id: group.id,
    state: stateOf(core),
    owner: record?.owner,
    epoch: record?.epoch,
    want: record?.want,
    reason: core.reason,
    since: core.epochOwned === undefined ? undefined : sources.onlineSince.get(group.id),
    inSync: record?.inSync ?? {},
    voters: record?.voters.map(({ node }) => node) ?? [],
    standby: record?.standby ?? [],
    banned: record?.banned ?? [],
    ...(record?.maintenance !== undefined && { maintenance: record.maintenance }),
    cannotLeave: core.cannotLeave,
    ...(core.planned !== undefined && { placement: core.planned }),
    resources,
  };
}

function stateOf(core: GroupCore): GroupStatus['state'] {
  switch (core.phase) {
    case 'owning':
      if (core.engine.hasGivenUp() || core.engine.heldDown() !== undefined) return 'failed';
      if (core.heldBack !== undefined) return 'blocked';
      if (core.engine.isResting && !core.engine.isOnline()) return 'failed';
      return core.engine.isOnline() ? 'online' : 'starting';
    case 'suspended':
      return 'suspended';
    case 'handing':
    case 'stopping':
    case 'yielding':
      return 'stopping';
    case 'offline':
      return 'stopped';
    case 'sealing':
    case 'claiming':
      return 'starting';
    case 'probing':
      return 'unknown';
    case 'waiting':
      return core.record?.want === 'offline' ? 'stopped' : 'unknown';
  }
}

function unknownGroup(group: GroupConfig): GroupStatus {
  return {
    id: group.id,
    state: 'unknown',
    owner: undefined,
    epoch: undefined,
    want: undefined,
    reason: 'nothing is known of it on this node yet',
    inSync: {},
    voters: [],
    standby: [],
    banned: [],
    cannotLeave: undefined,
    resources: [],
  };
}

function nodeStatuses(
  sources: StatusSources,
  groups: readonly GroupStatus[],
): readonly NodeStatus[] {
  const { config, me } = sources;
  const reports = new Map(sources.peers.map((peer) => [peer.node, peer]));
  const ids = config.nodes.map((node) => ({ id: node.id, role: 'node' as const }));
  const witness =
    config.witness === undefined ? [] : [{ id: config.witness.id, role: 'witness' as const }];
  return [...ids, ...witness].map(({ id, role }): NodeStatus => {
    const rests = {
      standby: standbyOf(id, config, groups),
      ...(isNodeMaintained(id, groups) && { maintenance: true }),
      ...quarantineOf(sources, id),
    };
    if (id === me) return { id, role, state: 'up', reason: 'it answers', ...rests, links: [] };
    const report = reports.get(id);
    if (report === undefined) {
      const reason = 'nothing was heard of it yet';
      return { id, role, state: 'lost', reason, ...rests, links: [] };
    }
    const links = report.links.map(({ link, state, roundTripMs, carrier }) => ({
      link,
      state,
      roundTripMs,
      carrier,
    }));
    return { id, role, state: report.state, reason: report.reason, ...rests, links };
  });
}

function quarantineOf(
  { core, now }: StatusSources,
  id: NodeId,
): Pick<NodeStatus, 'quarantine'> | undefined {
  const found = core.quarantined().find(({ node }) => node === id);
  if (found === undefined) return undefined;
  return { quarantine: { returns: found.returns, endsInMs: Math.max(0, found.until - now) } };
}

function summarize(
  nodes: readonly NodeStatus[],
  groups: readonly GroupStatus[],
  { config, time }: StatusSources,
): { readonly summary: string; readonly level: EventLevel } {
  const errors: string[] = [];
  const warnings: string[] = [];
  for (const group of groups) {
    if (group.type === 'everywhere') {
      const found = everywhereFindings(group);
      errors.push(...found.errors);
      warnings.push(...found.warnings);
      continue;
    }
    if (group.want === 'offline') continue;
    if (group.state !== 'online') errors.push(`group "${group.id}" is ${group.state}`);
    for (const [mirror, copies] of Object.entries(group.inSync)) {
      if (copies.length < 2) warnings.push(`"${group.id}.${mirror}" has one copy in sync only`);
    }
  }
  warnings.push(...maintenanceWarnings(groups, config, parseCivilTime(time)));
  warnings.push(...barWarnings(nodes, groups, config));
  for (const node of nodes) {
    if (node.quarantine !== undefined) {
      const { endsInMs, returns } = node.quarantine;
      const ends = `ends in ${Math.ceil(endsInMs / 1000)} s, or by "tako node clear ${node.id}"`;
      warnings.push(`${node.id} is in quarantine, for it came back ${returns} times; that ${ends}`);
    }
    if (node.state !== 'up') warnings.push(`${node.role} ${node.id} is ${node.state}`);
    for (const link of node.links) {
      if (node.state === 'up' && link.state !== 'up') {
        warnings.push(`link "${link.link}" to ${node.id} is ${link.state}`);
      }
    }
  }
  const found = [...errors, ...warnings];
  if (found.length === 0) return { summary: 'All is well', level: 'info' };
  const level = errors.length > 0 ? 'error' : 'warning';
  return { summary: capitalized(found.join('; ')), level };
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
