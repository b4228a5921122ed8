/**
 * All decisions of one node, in one object without any I/O: the acceptor, and one `GroupCore` per
 * group, or one `EverywhereCore` where the group runs on each of its nodes at once. Give it events
 * with the time they happened, carry out the effects it returns in order (the duties are listed in
 * `node-io.ts`), and wake it at `nextWakeAt`.
 *
 * Where to read on: `group-core.ts` for where a group runs, `everywhere.ts` for one that runs on all
 * its nodes, `../group/engine.ts` for starting and stopping, `../registry/` for votes, `../heart/` for
 * leases.
 */
import { type Instant, NEVER, earliest } from '../../base/time.ts';
import { type Config, type GroupConfig, isEverywhere } from '../../protocol/config.ts';
import type { GroupId, NodeId, SeatId } from '../../protocol/ids.ts';
import type { Maintenance, RegistryMessage } from '../../protocol/record.ts';
import type { GroupEngine } from '../group/engine.ts';
import { lineOf } from '../registry/forced-line.ts';
import { Acceptor, type AcceptorEffect, type AcceptorEntry } from '../registry/acceptor.ts';
import { isSamePlace } from '../registry/maintenance.ts';
import { EverywhereCore } from './everywhere.ts';
import { Flapping, type Quarantined } from './flapping.ts';
import { GroupCore } from './group-core.ts';
import type { FenceView } from './fence-keeper.ts';
import { NodeFence } from './node-fence.ts';
import type { GroupCoreOptions } from './group-context.ts';
import type { CoreEvent, Effect } from './node-io.ts';
import { Placing, placingFor } from './placing.ts';
import { usesPlacement } from './placing-facts.ts';

/** Within one step; what is left comes with the next one. */
const PLANS_MAX = 8;

export interface NodeCoreOptions {
  readonly me: NodeId;
  readonly config: Config;
  /** What the acceptor had on stable storage when the process started. */
  readonly restored: Iterable<AcceptorEntry>;
  /** The identity of that storage. */
  readonly seat: SeatId;
}

export class NodeCore {
  readonly #acceptor: Acceptor;
  readonly #groups = new Map<GroupId, GroupCore>();
  readonly #flapping: Flapping;
  readonly #fence: NodeFence | undefined;
  readonly #everywhere = new Map<GroupId, EverywhereCore>();
  readonly #placing: Placing | undefined;

  constructor(options: NodeCoreOptions) {
    const { me, config, seat } = options;
    this.#acceptor = new Acceptor(seat, options.restored);
    const members = membersOf(config);
    this.#flapping = new Flapping({
      me,
      nodes: config.nodes.map(({ id }) => id).filter((id) => id !== me),
      members: members.length,
      config: config.quarantine,
      excused: (node) => this.#isWorkedOn(node),
    });
    this.#placing = usesPlacement(config) ? this.#newPlacing(me, config) : undefined;
    const placing = this.#placing;
    for (const group of [...config.groups].sort((a, b) => (a.id < b.id ? -1 : 1))) {
      const of: GroupCoreOptions = {
        me,
        group,
        timing: config.timing,
        members,
        outside: config.registry !== undefined,
        seat,
        promised: () => this.#acceptor.entry(group.id)?.promised,
        accepted: () => this.#acceptor.entry(group.id)?.accepted?.record,
        inStandby: () => this.#inStandby(group),
        inMaintenance: () => this.#inMaintenance(group),
        quarantined: () => this.#flapping.nodes,
        maintenanceWarnMs: config.maintenanceWarnMs,
        othersMove: () => this.#othersMove(group.id),
        gaveUp: (record) => this.#acceptor.gaveUp(group.id, record),
        knownOff: () => this.#fence?.off,
        placing: placing === undefined ? undefined : placingFor(placing, group.id),
      };
      if (isEverywhere(group)) this.#everywhere.set(group.id, new EverywhereCore(of));
      else this.#groups.set(group.id, new GroupCore(of));
    }
    this.#fence = NodeFence.of(me, config, this.#groups);
  }

  #newPlacing(me: NodeId, config: Config): Placing {
    return new Placing({
      ...{ me, config },
      factsOf: (group) => this.#groups.get(group)?.facts(),
      instanceOf: (group) => this.#everywhere.get(group)?.facts(),
      upSince: (node) => [...this.#groups.values()][0]?.upSince(node),
    });
  }

  #inStandby({ nodes }: GroupConfig): readonly NodeId[] {
    const known = this.#cores().flatMap(({ record }) => record?.standby ?? []);
    return nodes.filter((node) => known.includes(node)).sort();
  }

  #inMaintenance({ nodes }: GroupConfig): readonly Maintenance[] {
    const known = [...this.#groups.values()].flatMap(({ record }) => record?.maintenance ?? []);
    const wide = known.filter(
      ({ scope, node }) => scope === 'cluster' || (node !== undefined && nodes.includes(node)),
    );
    return wide.filter((entry, index) => wide.findIndex((e) => isSamePlace(e, entry)) === index);
  }

  #isWorkedOn(node: NodeId): boolean {
    return [...this.#groups.values()].some(({ record }) =>
      record?.maintenance?.some((entry) => entry.scope === 'cluster' || entry.node === node),
    );
  }

  /** Nodes that come and go, as this node has heard them. */
  quarantined(): readonly Quarantined[] {
    return this.#flapping.list();
  }

  #othersMove(group: GroupId): boolean {
    return [...this.#groups].some(([id, { phase }]) => id !== group && phase === 'handing');
  }

  get acceptor(): Acceptor {
    return this.#acceptor;
  }

  /** Those that run on one node at a time. */
  groups(): readonly [GroupId, GroupCore][] {
    return [...this.#groups];
  }

  group(id: GroupId): GroupCore | undefined {
    return this.#groups.get(id);
  }

  /** Those that run on each of their nodes at once. */
  everywhere(): readonly [GroupId, EverywhereCore][] {
    return [...this.#everywhere];
  }

  instance(id: GroupId): EverywhereCore | undefined {
    return this.#everywhere.get(id);
  }

  /** What runs the group's resources on this node, whatever its type. */
  engine(id: GroupId): GroupEngine | undefined {
    return this.#core(id)?.engine;
  }

  #core(id: GroupId): GroupCore | EverywhereCore | undefined {
    return this.#groups.get(id) ?? this.#everywhere.get(id);
  }

  #cores(): readonly (GroupCore | EverywhereCore)[] {
    return [...this.#groups.values(), ...this.#everywhere.values()];
  }

  /** The first effects: probes of what runs, and readings of the records. */
  start(now: Instant): readonly Effect[] {
    return this.#cores().flatMap((core) => core.start(now));
  }

  nextWakeAt(now: Instant): Instant {
    const cores = this.#cores().map((core) => core.nextWakeAt(now));
    const fenceAt = this.#fence?.nextWakeAt(now) ?? NEVER;
    const others = [this.#placing?.nextWakeAt() ?? NEVER, this.#flapping.nextWakeAt()];
    return earliest([...cores, ...others, fenceAt]);
  }

  /** What is known of the other node by its fence; undefined where there are none. */
  get fence(): FenceView | undefined {
    return this.#fence?.view;
  }

  step(event: CoreEvent): readonly Effect[] {
    const before = this.#fence?.before(event) ?? [];
    const effects = [...this.#watch(event), ...this.#take(event)];
    const placed = this.#placing === undefined ? [] : this.#place(this.#placing, event);
    return [...before, ...effects, ...placed, ...(this.#fence?.after(event) ?? [])];
  }

  /** Before the groups, so that they decide by what is known of the nodes now. */
  #watch(event: CoreEvent): readonly Effect[] {
    const { now, type } = event;
    const flapping = this.#flapping;
    if (type === 'heartConnected' || type === 'heartLost') flapping.heartLost();
    if (type === 'flaps') flapping.toldOfMe(now);
    const told = [
      ...(type === 'peers' ? flapping.peersReported(event.peers, now) : []),
      ...(type === 'nodeCleared' ? flapping.clear(event.node) : []),
      ...flapping.tick(now),
    ];
    const others = flapping.toTell(now).map((to): Effect => {
      return { type: 'send', to, message: { type: 'flaps' }, after: undefined };
    });
    return [...told.map((draft): Effect => ({ type: 'event', draft })), ...others];
  }

  /** Groups look at a new plan at once; what they do may call for another one. */
  #place(placing: Placing, event: CoreEvent): readonly Effect[] {
    const { now } = event;
    if (event.type === 'peers') placing.peersReported(event.peers);
    if (event.type === 'heartConnected') placing.heart(true);
    if (event.type === 'heartLost') placing.heart(false);
    if (event.type === 'standing') placing.heard(event.from, event.standing);
    const effects: Effect[] = [];
    for (let plans = 0; plans < PLANS_MAX && placing.refresh(now); plans += 1) {
      effects.push(...this.#all({ type: 'timePassed', now }));
    }
    return [...effects, ...placing.tellOthers(now)];
  }

  #take(event: CoreEvent): readonly Effect[] {
    switch (event.type) {
      case 'registryMessage':
        return this.#registryMessage(event);
      case 'revoked':
        return this.#acceptorDid(this.#acceptor.revoked(event.id, event));
      case 'heartConnected':
        return [{ type: 'records', after: undefined }, ...this.#all(event)];
      case 'heartLost':
        this.#acceptor.heartLost();
        return this.#all(event);
      case 'flaps':
      case 'nodeCleared':
        return this.#all({ type: 'timePassed', now: event.now });
      case 'timePassed':
      case 'calendar':
      case 'peers':
      case 'persisted':
        return this.#all(event);
      case 'fenceAnswered':
      case 'standing':
        return [];
      case 'decided':
        return this.#one(event.decided.group, event);
      default:
        return this.#one(event.group, event);
    }
  }

  #registryMessage(event: Extract<CoreEvent, { type: 'registryMessage' }>): readonly Effect[] {
    const { message } = event;
    if (!isQuestion(message)) return this.#one(message.group, event);
    const answers = this.#acceptorDid(this.#acceptor.step(event.from, message));
    // The acceptor may have to wait; that there is a newer line stops what runs on an older one.
    const awaited = this.#groups.get(message.group)?.awaitsLine === true;
    const newLine = message.type === 'accept' && (awaited || lineOf(message.record) > 0);
    return newLine ? [...answers, ...this.#one(message.group, event)] : answers;
  }

  #acceptorDid(effects: readonly AcceptorEffect[]): readonly Effect[] {
    return effects.map((effect): Effect => {
      switch (effect.type) {
        case 'answer':
          return { type: 'send', to: effect.to, message: effect.message, after: effect.after };
        case 'tableChanged':
          return { type: 'records', after: effect.after };
        case 'persist':
        case 'revoke':
          return effect;
      }
    });
  }

  #all(event: CoreEvent): readonly Effect[] {
    return this.#cores().flatMap((core) => core.step(event));
  }

  #one(group: GroupId, event: CoreEvent): readonly Effect[] {
    return this.#core(group)?.step(event) ?? [];
  }
}

/** All members of the cluster, sorted; each has one vote. */
export function membersOf(config: Config): readonly NodeId[] {
  const nodes = config.nodes.map((node) => node.id);
  const all = config.witness === undefined ? nodes : [...nodes, config.witness.id];
  return all.sort();
}

function isQuestion(
  message: RegistryMessage,
): message is Extract<RegistryMessage, { type: 'prepare' | 'accept' }> {
  return message.type === 'prepare' || message.type === 'accept';
}
