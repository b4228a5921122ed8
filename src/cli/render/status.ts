/**
 * `tako status` for people: one sentence that answers "is everything all right?", then each group
 * with what belongs to it, then the nodes and their links.
 */
import type {
  ClusterStatus,
  DecidedBy,
  FenceStatus,
  GroupStatus,
  InstanceStatus,
  NodeStatus,
  ResourceStatus,
} from '../../protocol/api.ts';
import type { NodeId } from '../../protocol/ids.ts';
import type { MirrorPeerStatus, MirrorVerifyStatus } from '../../protocol/mirror-ipc.ts';
import { localTime, plain } from './event.ts';
import { bytes, duration, progress } from './figures.ts';
import { createPaint, type Paint, toneOf } from './paint.ts';
import { renderTable } from './table.ts';

const SIGN = { info: '✔', warning: '▲', error: '✖' } as const;

export function renderStatus(status: ClusterStatus, colours: boolean): string {
  const paint = createPaint(colours);
  const sign = paint(toneOf(status.level), SIGN[status.level]);
  const seconds = localTime(status.time).slice(0, 'YYYY-MM-DD HH:MM:SS'.length);
  const seen = `Cluster ${plain(status.cluster)}, as ${status.node} sees it at ${seconds}`;
  return [
    `${sign} ${paint('strong', plain(status.summary))}\n`,
    `${paint('faint', seen)}\n`,
    ...riskLines(status.decidedBy, paint),
    ...fenceLines(status.fence, paint),
    ...status.groups.map((group) => renderGroup(group, status, colours)),
    renderNodes(status, colours),
  ].join('\n');
}

const DECIDED_BY = {
  witness: 'the nodes and a witness',
  nodes: 'the nodes',
  'both-nodes': 'both nodes together',
  fence: 'whoever turns the other one off',
  'one-node': 'one node alone',
  etcd: 'the nodes with etcd',
} as const satisfies Record<DecidedBy['by'], string>;

/** Who decides, where that is a risk. */
function riskLines(decidedBy: DecidedBy | undefined, paint: Paint): readonly string[] {
  if (decidedBy?.risk === undefined) return [];
  const who = `Decided by ${DECIDED_BY[decidedBy.by]}`;
  return [`${paint('notice', 'Risk:')} ${who}: ${plain(decidedBy.risk)}\n`];
}

/** What is known by the fence, where something is. */
function fenceLines(fence: FenceStatus | undefined, paint: Paint): readonly string[] {
  if (fence === undefined || fence.state === 'idle') return [];
  const { detail, failures, node, state } = fence;
  const before = failures === 0 ? '' : `, after ${failures} without success (${plain(detail)})`;
  const words = {
    due: `${node} is to be turned off soon${before}`,
    running: `${node} is being turned off${before}`,
    off: `${node} is off: ${plain(detail)}`,
  };
  return [`${paint('notice', 'Fence:')} ${words[state]}\n`];
}

/** One group of a status, with all that belongs to it. */
export function renderGroup(group: GroupStatus, status: ClusterStatus, colours: boolean): string {
  const { instances } = group;
  if (instances !== undefined) return renderInstances(group, { instances, status }, colours);
  const paint = createPaint(colours);
  const since =
    group.since === undefined ? undefined : Date.parse(status.time) - Date.parse(group.since);
  const head = renderTable({
    head: ['GROUP', 'STATE', 'OWNER', 'EPOCH', 'SINCE'],
    rows: [
      [
        paint('strong', group.id),
        paint(toneOf(group.state), stateOf(group)),
        group.owner ?? '-',
        group.epoch === undefined ? '-' : String(group.epoch),
        since === undefined || Number.isNaN(since) ? '-' : duration(since),
      ],
    ],
    colours,
  });
  const resources = group.resources.flatMap((r) => resourceRows(r, group, paint));
  const table = renderTable({
    head: ['RESOURCE', 'AGENT', 'STATE', 'DETAIL'],
    rows: resources,
    indent: '  ',
    colours,
  });
  const members = status.nodes.map(({ id }) => id);
  const placed = group.placement === undefined ? [] : [`placement: ${plain(group.placement)}`];
  const votes = votesLine(group, members);
  const byHand = (group.byHand ?? []).map(plain);
  const lines = [plain(group.reason), ...placed, ...votes, ...barsLine(group), ...byHand];
  return `${head}${lines.map((line) => paint('faint', `  ${line}`)).join('\n')}\n\n${table}`;
}

/** A group without an owner: each of its nodes, with what runs there. */
function renderInstances(
  group: GroupStatus,
  of: { readonly instances: readonly InstanceStatus[]; readonly status: ClusterStatus },
  colours: boolean,
): string {
  const paint = createPaint(colours);
  const head = renderTable({
    head: ['GROUP', 'STATE', 'OWNER'],
    rows: [[paint('strong', group.id), paint(toneOf(group.state), stateOf(group)), 'everywhere']],
    colours,
  });
  const rows = of.instances.flatMap((instance) => instanceRows(instance, group, paint));
  const table = renderTable({
    head: ['NODE', 'RESOURCE', 'AGENT', 'STATE', 'DETAIL'],
    rows,
    indent: '  ',
    colours,
  });
  const members = of.status.nodes.map(({ id }) => id);
  const lines = [plain(group.reason), ...votesLine(group, members), ...barsLine(group)];
  return `${head}${lines.map((line) => paint('faint', `  ${line}`)).join('\n')}\n\n${table}`;
}

function instanceRows(instance: InstanceStatus, group: GroupStatus, paint: Paint): string[][] {
  const { node, reason, resources, state } = instance;
  const head = [node, '', '', paint(toneOf(state), state), plain(reason)];
  const rows = resources.flatMap((resource) => resourceRows(resource, group, paint));
  return [head, ...rows.map((row) => ['', ...row])];
}

/** Whose votes decide, where that is not everybody. */
function votesLine({ voters }: GroupStatus, members: readonly NodeId[]): readonly string[] {
  const without = members.filter((member) => !voters.includes(member));
  if (voters.length === 0 || without.length === 0) return [];
  return [`votes: ${voters.join(', ')}; without ${without.join(', ')}`];
}

function barsLine({ standby = [], banned = [] }: Partial<GroupStatus>): readonly string[] {
  const resting = standby.length === 0 ? [] : [`in standby: ${standby.join(', ')}`];
  return banned.length === 0 ? resting : [...resting, `banned from: ${banned.join(', ')}`];
}

/** The state, and what is wanted where that differs. */
function stateOf({ state, want, ...group }: GroupStatus): string {
  const leftAlone = group.maintenance?.find(
    ({ scope, node }) => scope !== 'node' || node === group.owner,
  );
  const alone = leftAlone === undefined ? '' : ' (maintenance)';
  return want === 'offline' && state !== 'stopped' ? `${state} (to stop)${alone}` : state + alone;
}

function resourceRows(resource: ResourceStatus, group: GroupStatus, paint: Paint): string[][] {
  const { id, agent, state, detail, restarts, mirror } = resource;
  const restarted =
    restarts === 0 ? '' : ` (restarted ${restarts === 1 ? 'once' : `${restarts} times`})`;
  const rows = [[id, agent, paint(toneOf(state), state), `${plain(detail)}${restarted}`]];
  if (mirror === undefined) return rows;
  const inSync = group.inSync[id] ?? [];
  if (inSync.length > 0) rows.push(['', '', '', `copies in sync: ${inSync.join(', ')}`]);
  if (mirror.frozen !== undefined) {
    rows.push(['', '', paint('notice', 'waits'), plain(mirror.frozen)]);
  }
  for (const peer of mirror.peers) {
    rows.push(['', `→ ${peer.node}`, paint(toneOf(peer.state), peer.state), peerDetail(peer)]);
    if (peer.verify !== undefined) rows.push(['', '', '', verifyDetail(peer.verify)]);
  }
  return rows;
}

function peerDetail({ resync, behindBytes, detail }: MirrorPeerStatus): string {
  const behind = behindBytes > 0 ? `${bytes(behindBytes)} behind` : '';
  const parts = [behind, plain(detail)].filter((part) => part !== '');
  if (resync === undefined) return parts.join('; ');
  const { bytesDone, bytesTotal, filesDone, filesTotal } = resync;
  const bar = progress(bytesDone, bytesTotal);
  return `${bar}  ${bytes(bytesDone)} of ${bytes(bytesTotal)}, ${filesDone} of ${filesTotal} files`;
}

function verifyDetail(verify: MirrorVerifyStatus): string {
  const found = `${bytes(verify.bytes)} in ${verify.files} files`;
  const what = verify.kind === 'scrub' ? 'scrub' : 'verification';
  if (verify.state === 'running') return `${what} under way: ${found} equal so far`;
  if (verify.state === 'equal') return `last ${what}: ${found} are equal`;
  return `last ${what} broken off after ${found}: ${plain(verify.detail)}`;
}

function renderNodes(status: ClusterStatus, colours: boolean): string {
  const paint = createPaint(colours);
  return renderTable({
    head: ['NODE', 'STATE', 'LINKS', ''],
    rows: status.nodes.map((node) => [
      node.role === 'witness' ? `${node.id} (witness)` : node.id,
      paint(toneOf(node.state), node.state) + restOf(node),
      node.id === status.node ? '(this node)' : linksOf(node, paint),
      node.state === 'up' ? '' : plain(node.reason),
    ]),
    colours,
  });
}

/** An API of an older version does not tell. */
function restOf({ maintenance, quarantine, standby }: Partial<NodeStatus>): string {
  const resting = standby === 'yes' || standby === 'partly' ? ' (standby)' : '';
  const kept = quarantine === undefined ? '' : ' (quarantine)';
  return `${resting}${maintenance === true ? ' (maintenance)' : ''}${kept}`;
}

function linksOf({ links }: NodeStatus, paint: Paint): string {
  return links
    .map(({ link, state, roundTripMs, carrier }) => {
      if (!carrier) return paint('bad', `${link} no carrier`);
      if (state !== 'up') return paint(toneOf(state), `${link} ${state}`);
      return roundTripMs === undefined ? link : `${link} ${roundTripMs.toFixed(1)} ms`;
    })
    .join(', ');
}
