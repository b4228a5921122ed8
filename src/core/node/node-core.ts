/**
 * All decisions of one node, in one object without any I/O: the acceptor, and one `GroupCore` per
 * group. Give it events with the time they happened, carry out the effects it returns in order
 * (the duties are listed in `node-io.ts`), and wake it at `nextWakeAt`.
 *
 * Where to read on: `group-core.ts` for where a group runs, `../group/engine.ts` for starting and
 * stopping, `../registry/` for votes, `../heart/` for leases.
 */
import { type Instant, earliest } from '../../base/time.ts';
import type { Config, GroupConfig } from '../../protocol/config.ts';
import type { GroupId, NodeId, SeatId } from '../../protocol/ids.ts';
import type { RegistryMessage } from '../../protocol/record.ts';
import { Acceptor, type AcceptorEffect, type AcceptorEntry } from '../registry/acceptor.ts';
import { GroupCore } from './group-core.ts';
import type { CoreEvent, Effect } from './node-io.ts';

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

  constructor(options: NodeCoreOptions) {
    const { me, config, seat } = options;
    this.#acceptor = new Acceptor(seat, options.restored);
    const members = membersOf(config);
    for (const group of [...config.groups].sort((a, b) => (a.id < b.id ? -1 : 1))) {
      const core = new GroupCore({
        me,
        group,
        timing: config.timing,
        members,
        outside: config.registry !== undefined,
        seat,
        promised: () => this.#acceptor.entry(group.id)?.promised,
        accepted: () => this.#acceptor.entry(group.id)?.accepted?.record,
        inStandby: () => this.#inStandby(group),
        othersMove: () => this.#othersMove(group.id),
      });
      this.#groups.set(group.id, core);
    }
  }

  #inStandby({ nodes }: GroupConfig): readonly NodeId[] {
    const known = [...this.#groups.values()].flatMap(({ record }) => record?.standby ?? []);
    return nodes.filter((node) => known.includes(node)).sort();
  }

  #othersMove(group: GroupId): boolean {
    return [...this.#groups].some(([id, { phase }]) => id !== group && phase === 'handing');
  }

  get acceptor(): Acceptor {
    return this.#acceptor;
  }

  groups(): readonly [GroupId, GroupCore][] {
    return [...this.#groups];
  }

  group(id: GroupId): GroupCore | undefined {
    return this.#groups.get(id);
  }

  /** The first effects: probes of what runs, and readings of the records. */
  start(now: Instant): readonly Effect[] {
    return [...this.#groups.values()].flatMap((group) => group.start(now));
  }

  nextWakeAt(now: Instant): Instant {
    return earliest([...this.#groups.values()].map((group) => group.nextWakeAt(now)));
  }

  step(event: CoreEvent): readonly Effect[] {
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
      case 'timePassed':
      case 'calendar':
      case 'peers':
      case 'persisted':
        return this.#all(event);
      case 'decided':
        return this.#one(event.decided.group, event);
      default:
        return this.#one(event.group, event);
    }
  }

  #registryMessage(event: Extract<CoreEvent, { type: 'registryMessage' }>): readonly Effect[] {
    const { message } = event;
    if (!isQuestion(message)) return this.#one(message.group, event);
    return this.#acceptorDid(this.#acceptor.step(event.from, message));
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
    return [...this.#groups.values()].flatMap((group) => group.step(event));
  }

  #one(group: GroupId, event: CoreEvent): readonly Effect[] {
    return this.#groups.get(group)?.step(event) ?? [];
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
