/**
 * What people ask of a node (`Steering`), for the whole cluster: answers what this node knows, has
 * its own core do what it owns, and passes on to the other controls what is theirs to do.
 */
import { TakoError } from '../base/tako-error.ts';
import type { NodeCore } from '../core/node/node-core.ts';
import type { OperatorRequest } from '../core/node/node-io.ts';
import type { Clock } from '../ports/clock.ts';
import type { ControlPeers } from '../ports/control-peers.ts';
import type { EventStore } from '../ports/event-store.ts';
import type { MirrorControl } from '../ports/mirror-control.ts';
import type { Fence } from '../ports/fence.ts';
import type { Force, Steering } from '../ports/steering.ts';
import type { Timer } from '../ports/timer.ts';
import type {
  ClusterStatus,
  ForceStakes,
  GroupStatus,
  InstanceStatus,
  MaintenanceRequest,
  WhyAnswer,
} from '../protocol/api.ts';
import { type Config, type GroupConfig, isEverywhere } from '../protocol/config.ts';
import type { TakoEvent } from '../protocol/event.ts';
import type { FenceAction } from '../protocol/fence.ts';
import type { PeerReport } from '../protocol/heart-ipc.ts';
import type { GroupId, MirrorId, NodeId } from '../protocol/ids.ts';
import { type BarParts, setBan, setStandby } from './bar-steering.ts';
import { civilMs, setMaintenance } from './maintenance-steering.ts';
import type { ControlRuntime } from './control-runtime.ts';
import { askFence } from './fence-steering.ts';
import {
  type EverywhereParts,
  refuseMove,
  setEverywhere,
  startOn,
  stopOn,
} from './everywhere-steering.ts';
import { instanceKey, ownInstance } from './everywhere-view.ts';
import { forceStakes } from './force-stakes.ts';
import { type StatusSources, clusterStatus, groupStatus, ownGroupStatus } from './status-view.ts';
import { until } from './until.ts';
import { verifyHere } from './verify-steering.ts';

export interface SteeringParts {
  readonly me: NodeId;
  readonly config: Config;
  readonly core: NodeCore;
  readonly runtime: ControlRuntime;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly fence: Fence;
  readonly peers: ControlPeers;
  readonly events: EventStore;
  readonly mirrors: ReadonlyMap<MirrorId, MirrorControl>;
  readonly reports: () => readonly PeerReport[];
  /** Why the store of the records cannot be read at present, if it cannot. */
  readonly registryFails?: (() => string | undefined) | undefined;
  readonly reload: () => Promise<string>;
}

const CALL_TIMEOUT_MS = 60_000;
const QUICK_TIMEOUT_MS = 1500;
/** How long a finished hand-over may take to be online there, as the person waits. */
const ONLINE_TIMEOUT_MS = 55_000;
/** As long as a connection to a peer that came back may take: the longest pause, and two tries. */
const CONNECT_TIMEOUT_MS = 2500;
/** An owner's word about its group counts for this long. */
const REPORT_MS = 3000;
const WHY_EVENTS = 30;
const WHY_SEARCH = 2000;

export class NodeSteering implements Steering {
  readonly #parts: SteeringParts;
  readonly #reported = new Map<GroupId, { readonly status: GroupStatus; readonly at: number }>();
  readonly #instances = new Map<
    string,
    { readonly instance: InstanceStatus; readonly at: number }
  >();
  readonly #followers = new Set<(event: TakoEvent) => void>();
  readonly #onlineSince = new Map<GroupId, string>();

  constructor(parts: SteeringParts) {
    this.#parts = parts;
    // A control that was restarted takes up a group that came online before.
    for (const event of parts.events.latest(WHY_SEARCH)) this.#cameOnline(event);
    parts.events.subscribe((event) => {
      this.#cameOnline(event);
      for (const listener of this.#followers) listener(event);
      for (const node of parts.peers.connected()) parts.peers.notify(node, 'event', event);
    });
  }

  status(): ClusterStatus {
    return clusterStatus(this.#sources());
  }

  async move(group: GroupId, to: NodeId): Promise<string> {
    this.#checkNode(to);
    this.#checkOwned(group, 'move');
    const owner = this.#ownerOf(group);
    await this.#checkReachable(group, owner, to);
    const reason = 'an administrator asked for it';
    const done = await this.#at(owner, group, { type: 'move', to, reason });
    if (owner === to) return done;
    await this.#untilOnline(group, to);
    return `"${group}" moved from ${owner} to ${to} and is online there`;
  }

  async startGroup(group: GroupId, node?: NodeId): Promise<string> {
    const config = this.#configOf(group);
    if (node !== undefined) return startOn(this.#everywhere(config, node), config, node);
    if (isEverywhere(config)) return setEverywhere(this.#everywhere(config), config, 'start');
    return this.#at(await this.#actingNode(group), group, { type: 'start' });
  }

  async stopGroup(group: GroupId, node?: NodeId): Promise<string> {
    const config = this.#configOf(group);
    if (node !== undefined) return stopOn(this.#everywhere(config, node), config, node);
    if (isEverywhere(config)) return setEverywhere(this.#everywhere(config), config, 'stop');
    return this.#at(await this.#actingNode(group), group, { type: 'stop' });
  }

  forceStakes(group: GroupId, off: readonly NodeId[] | undefined): ForceStakes {
    this.#checkOwned(group, 'force');
    const { me, clock, core, events, reports } = this.#parts;
    const peers = reports();
    const lost = peers.filter(({ state }) => state === 'lost').map(({ node }) => node);
    const noted = events.latest(WHY_SEARCH).filter((event) => event.group === group);
    return forceStakes({
      ...{ me, group, core, peers, mirrors: this.#sources().mirrors, now: clock.now() },
      off: off ?? lost,
      lastEvent: noted.at(-1),
    });
  }

  async force(group: GroupId, { off, acceptDataLoss: acceptLoss }: Force): Promise<string> {
    this.#checkOwned(group, 'force');
    return this.#parts.runtime.ask(group, { type: 'force', off, acceptLoss });
  }

  fence(node: NodeId, action: FenceAction): Promise<string> {
    this.#checkNode(node);
    return askFence(this.#parts, node, action);
  }

  standby(node: NodeId, on: boolean): Promise<string> {
    this.#checkNode(node);
    return setStandby(this.#barParts(), node, on);
  }

  ban(group: GroupId, node: NodeId, on: boolean): Promise<string> {
    this.#checkNode(node);
    return setBan(this.#barParts(), { group: this.#configOf(group), node, on });
  }

  async clearNode(node: NodeId): Promise<string> {
    this.#checkNode(node);
    const { me, peers, runtime } = this.#parts;
    runtime.dispatch({ type: 'nodeCleared', node });
    const others = peers.connected();
    const asked = others.map(async (other) => {
      try {
        await peers.call(other, 'clear-node', { node }, { timeoutMs: QUICK_TIMEOUT_MS });
        return [];
      } catch (error) {
        if (error instanceof TakoError) return [other];
        throw error;
      }
    });
    const silent = (await Promise.all(asked)).flat();
    const missed = silent.length === 0 ? '' : `; no answer of ${silent.sort().join(', ')}`;
    const done = [me, ...others].filter((name) => !silent.includes(name)).sort();
    return `${node} is cleared, as far as ${done.join(', ')} can tell${missed}`;
  }

  async maintain(request: MaintenanceRequest): Promise<string> {
    if (request.node !== undefined) this.#checkNode(request.node);
    if (request.group !== undefined) this.#configOf(request.group);
    const { clock, me } = this.#parts;
    return setMaintenance(this.#barParts(), request, { me, nowMs: civilMs(clock) });
  }

  async verify(group: GroupId, bytesPerSecond: number): Promise<string> {
    this.#checkOwned(group, 'verify');
    const { me, peers } = this.#parts;
    const owner = this.#ownerOf(group);
    if (owner === me) return this.#verifyHere(group, bytesPerSecond);
    const options = { timeoutMs: CALL_TIMEOUT_MS };
    return String(await peers.call(owner, 'verify', { group, bytesPerSecond }, options));
  }

  #verifyHere(group: GroupId, bytesPerSecond: number): Promise<string> {
    return verifyHere(this.#parts, this.#configOf(group), bytesPerSecond);
  }

  async why(group: GroupId): Promise<WhyAnswer> {
    const config = this.#configOf(group);
    const all = await this.events(WHY_SEARCH);
    const events = all.filter((event) => event.group === group).slice(-WHY_EVENTS);
    const status = groupStatus(this.#sources(), config);
    const running = status.instances?.filter(({ state }) => state === 'online') ?? [];
    const nodes = status.owner === undefined ? running.map(({ node }) => node) : [status.owner];
    const where = nodes.length === 0 ? 'on no node' : `on ${nodes.join(', ')}`;
    const placed = status.placement === undefined ? '' : `; placement: ${status.placement}`;
    const sentence = `"${group}" is ${status.state} ${where}: ${status.reason}${placed}`;
    return { group, sentence, events };
  }

  async events(limit: number): Promise<readonly TakoEvent[]> {
    const { peers, events } = this.#parts;
    const asked = peers.connected().map(async (node) => {
      try {
        const options = { timeoutMs: QUICK_TIMEOUT_MS };
        return (await peers.call(node, 'events', { limit }, options)) as readonly TakoEvent[];
      } catch (error) {
        // A node that does not answer now is left out; its events are not lost, they are there.
        if (error instanceof TakoError) return [];
        throw error;
      }
    });
    const all = [events.latest(limit), ...(await Promise.all(asked))].flat();
    const ordered = [...all].sort((a, b) =>
      a.time === b.time ? a.id - b.id : a.time < b.time ? -1 : 1,
    );
    return ordered.slice(-limit);
  }

  follow(listener: (event: TakoEvent) => void): () => void {
    this.#followers.add(listener);
    return () => this.#followers.delete(listener);
  }

  reload(): Promise<string> {
    return this.#parts.reload();
  }

  /** Requests of other controls. Throws a TakoError, which travels back. */
  async request(method: string, params: unknown): Promise<unknown> {
    const given = params as {
      group?: GroupId;
      request?: OperatorRequest;
      limit?: number;
      node?: NodeId;
      bytesPerSecond?: number;
    };
    if (method === 'events')
      return this.#parts.events.latest(Math.min(given.limit ?? 100, WHY_SEARCH));
    if (method === 'ask' && given.group !== undefined && given.request !== undefined) {
      this.#configOf(given.group);
      return this.#askHere(given.group, given.request);
    }
    if (method === 'verify' && given.group !== undefined && given.bytesPerSecond !== undefined) {
      return this.#verifyHere(given.group, given.bytesPerSecond);
    }
    if (method === 'clear-node' && given.node !== undefined) {
      this.#checkNode(given.node);
      this.#parts.runtime.dispatch({ type: 'nodeCleared', node: given.node });
      return true;
    }
    throw new TakoError('peer-refused', `Unknown request "${method}" from another node`);
  }

  /** One-way news of other controls. */
  notified(method: string, params: unknown): void {
    if (method === 'event') {
      for (const listener of this.#followers) listener(params as TakoEvent);
    }
    if (method === 'instance') {
      const { group, instance } = params as { group: GroupId; instance: InstanceStatus };
      const told = { instance, at: this.#parts.clock.now() };
      if (this.#isInstance(group, instance.node)) {
        this.#instances.set(instanceKey(group, instance.node), told);
      }
    }
    if (method === 'group') {
      const status = params as GroupStatus;
      this.#reported.set(status.id, { status, at: this.#parts.clock.now() });
    }
  }

  /** Tells the other controls about the groups of this node; call on changes and now and then. */
  tellPeers(): void {
    const { core, peers } = this.#parts;
    const sources = this.#sources();
    for (const group of this.#parts.config.groups) {
      const runs = core.instance(group.id);
      if (runs !== undefined && group.nodes.includes(this.#parts.me)) {
        const told = { group: group.id, instance: ownInstance(sources, group, runs) };
        for (const node of peers.connected()) peers.notify(node, 'instance', told);
      }
      const own = core.group(group.id);
      if (own === undefined || own.record?.owner !== this.#parts.me) continue;
      const status = ownGroupStatus(sources, group, own);
      for (const node of peers.connected()) peers.notify(node, 'group', status);
    }
  }

  /** For a group of that type; `node` is one of the cluster's. */
  #everywhere(group: GroupConfig, node?: NodeId): EverywhereParts {
    if (node !== undefined) this.#checkNode(node);
    if (!isEverywhere(group)) {
      const next = 'Leave "--node" out, or use "tako move", "tako ban" or "tako standby"';
      const text = `Cannot do that on one node: "${group.id}" runs on one node at a time`;
      throw new TakoError('bad-request', text, { next });
    }
    const { me, clock, timer } = this.#parts;
    return {
      ...{ me, clock, timer },
      reach: (other) => this.#reach(other),
      status: (config) => groupStatus(this.#sources(), config),
      at: (at, { id }, request) => this.#at(at, id, request),
    };
  }

  #isInstance(group: GroupId, node: NodeId): boolean {
    const config = this.#parts.config.groups.find(({ id }) => id === group);
    return config !== undefined && isEverywhere(config) && config.nodes.includes(node);
  }

  /** There is such a group, and a node that owns it. */
  #checkOwned(group: GroupId, what: string): void {
    const config = this.#configOf(group);
    if (isEverywhere(config)) throw refuseMove(config, what);
  }

  #barParts(): BarParts {
    return {
      groups: this.#parts.config.groups,
      status: () => this.status(),
      ask: (group, request) => this.#askHere(group, request),
    };
  }

  #sources(): StatusSources {
    const { me, config, core, clock, mirrors } = this.#parts;
    const now = clock.now();
    const fresh = [...this.#reported].filter(([, { at }]) => now - at < REPORT_MS);
    const instances = [...this.#instances].filter(([, { at }]) => now - at < REPORT_MS);
    return {
      me,
      config,
      core,
      peers: this.#parts.reports(),
      mirrors: new Map([...mirrors].map(([id, mirror]) => [id, mirror.status])),
      reported: new Map(fresh.map(([id, { status }]) => [id, status])),
      instances: new Map(instances.map(([key, { instance }]) => [key, instance])),
      onlineSince: this.#onlineSince,
      now,
      registryFails: this.#parts.registryFails?.(),
      time: clock.wallTime(),
    };
  }

  #cameOnline(event: TakoEvent): void {
    const { group, kind } = event;
    if (group !== undefined && kind === 'online') this.#onlineSince.set(group, event.time);
  }

  async #at(node: NodeId, group: GroupId, request: OperatorRequest): Promise<string> {
    const { me, peers } = this.#parts;
    if (node === me) return this.#askHere(group, request);
    const options = { timeoutMs: CALL_TIMEOUT_MS };
    return String(await peers.call(node, 'ask', { group, request }, options));
  }

  /** Adds to a refusal for a stale copy how far behind that copy is. */
  async #askHere(group: GroupId, request: OperatorRequest): Promise<string> {
    try {
      return await this.#parts.runtime.ask(group, request);
    } catch (error) {
      if (!(error instanceof TakoError) || error.code !== 'copy-stale') throw error;
      const behind = request.type === 'move' ? this.#behind(group, request.to) : '';
      throw new TakoError('copy-stale', error.message + behind, {
        next: 'Wait until "tako status" shows the copy in sync',
        cause: error,
      });
    }
  }

  #behind(group: GroupId, node: NodeId): string {
    const texts: string[] = [];
    for (const [id, mirror] of this.#parts.mirrors) {
      const copy = mirror.status?.peers.find((peer) => peer.node === node);
      if (!id.startsWith(`${group}.`) || copy === undefined || copy.state === 'in-sync') continue;
      const megabytes = (copy.behindBytes / 1e6).toFixed(1);
      const { resync } = copy;
      const done =
        resync === undefined ? '' : `, ${resync.filesDone} of ${resync.filesTotal} files`;
      texts.push(`${id} is ${copy.state}, ${megabytes} MB behind as far as known${done}`);
    }
    return texts.length === 0 ? '' : ` (${texts.join('; ')})`;
  }

  /** An owner that does not answer hands nothing over; what the group waits for is the answer. */
  async #checkReachable(group: GroupId, owner: NodeId, to: NodeId): Promise<void> {
    if (await this.#reach(owner)) return;
    const status = groupStatus(this.#sources(), this.#configOf(group));
    const stale = Object.values(status.inSync).some((nodes) => !nodes.includes(to));
    const which = stale ? `the copy on ${to} is not in sync and ` : '';
    const text = `Cannot move "${group}" to ${to}: ${which}${owner}, its owner, does not answer`;
    throw new TakoError(stale ? 'copy-stale' : 'not-owner', `${text}: ${status.reason}`, {
      next: stale ? `Bring ${owner} back: it has what that copy lacks` : 'See "tako status"',
    });
  }

  async #untilOnline(group: GroupId, node: NodeId): Promise<void> {
    const config = this.#configOf(group);
    const status = (): GroupStatus => groupStatus(this.#sources(), config);
    const isThere = (): boolean => status().owner === node && status().state === 'online';
    if (await until(this.#parts, isThere, ONLINE_TIMEOUT_MS)) return;
    const text = `"${group}" was handed to ${node} but is not online there yet`;
    const next = `See "tako why ${group}"`;
    throw new TakoError('timed-out', `${text}: ${status().reason}`, { next });
  }

  #ownerOf(group: GroupId): NodeId {
    const config = this.#configOf(group);
    const owner = groupStatus(this.#sources(), config).owner;
    if (owner !== undefined) return owner;
    const next = 'Look at "tako status": the registry may lack a majority';
    throw new TakoError('no-quorum', `Cannot tell who owns group "${group}" yet`, { next });
  }

  /** The owner while it answers, else this node. */
  async #actingNode(group: GroupId): Promise<NodeId> {
    const owner = groupStatus(this.#sources(), this.#configOf(group)).owner;
    return owner !== undefined && (await this.#reach(owner)) ? owner : this.#parts.me;
  }

  /**
   * Whether that node's control can be asked. One whose heart is heard, but to which this control
   * is not connected, is likely to have just come back: it is waited for.
   */
  async #reach(node: NodeId): Promise<boolean> {
    const { me, peers, reports } = this.#parts;
    const isConnected = (): boolean => node === me || peers.connected().includes(node);
    const isHeard = reports().some((report) => report.node === node && report.state === 'up');
    return until(this.#parts, isConnected, isHeard ? CONNECT_TIMEOUT_MS : 0);
  }

  #configOf(group: GroupId) {
    const found = this.#parts.config.groups.find((config) => config.id === group);
    if (found !== undefined) return found;
    const names = this.#parts.config.groups.map((config) => config.id).join(', ');
    throw new TakoError('no-such-group', `The configuration has no group "${group}"`, {
      next: `Use one of: ${names}`,
    });
  }

  #checkNode(node: NodeId): void {
    const names = this.#parts.config.nodes.map((config) => config.id);
    if (names.includes(node)) return;
    throw new TakoError('no-such-node', `The configuration has no node "${node}"`, {
      next: `Use one of: ${names.join(', ')}`,
    });
  }
}
