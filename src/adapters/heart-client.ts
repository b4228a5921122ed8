/**
 * The control side of the heart's socket (`src/protocol/heart-ipc.ts`): passes messages both ways
 * and keeps the wanted addresses, which a heart that was restarted must be told again.
 */
import { join } from 'node:path';
import type { AddressKeeper, AddressState, LinkHealth } from '../ports/address-keeper.ts';
import type { Log } from '../ports/log.ts';
import type { FromHeart, PeerReport, ToHeart, WantedAddress } from '../protocol/heart-ipc.ts';
import type { Epoch, GroupId, LinkId, ResourceId } from '../protocol/ids.ts';
import {
  LOCAL_PROTOCOL,
  commonVersion,
  noCommonVersion,
  readRange,
  toldRange,
} from '../protocol/versions.ts';
import { type LineClient, connectLines } from './line-socket.ts';

export interface HeartClientOptions {
  readonly runDir: string;
  readonly log: Log;
  /** The heart listens, has said what it holds, and knows nothing of what it was told before. */
  readonly onConnected: () => void;
  readonly onLost: () => void;
  readonly onMessage: (message: FromHeart) => void;
}

interface Wish {
  epoch: Epoch;
  readonly addresses: Map<ResourceId, WantedAddress>;
  /** No longer wanted; the heart is to say that they are not held. */
  readonly gone: Set<ResourceId>;
}

const NOT_HELD: AddressState = { state: 'withdrawn', detail: 'the heart does not hold it' };
const UNKNOWN: AddressState = { state: 'unknown', detail: 'the heart has not answered yet' };

export class HeartClient implements AddressKeeper {
  readonly #client: LineClient<ToHeart>;
  readonly #options: HeartClientOptions;
  readonly #wishes = new Map<GroupId, Wish>();
  readonly #states = new Map<string, AddressState>();
  /** Wishes that the heart has not answered. */
  readonly #pending = new Set<string>();
  #welcomed = false;
  readonly #listeners = new Set<() => void>();
  #peers: readonly PeerReport[] | undefined;

  constructor(options: HeartClientOptions) {
    this.#options = options;
    this.#client = connectLines<FromHeart, ToHeart>({
      path: join(options.runDir, 'heart.sock'),
      log: options.log,
      onOpen: (client) => this.#opened(client),
      onMessage: (message) => this.#received(message),
      onClose: () => this.#closed(),
    });
  }

  /** The heart's last report of the peers; empty before the first. */
  get peers(): readonly PeerReport[] {
    return this.#peers ?? [];
  }

  send(message: ToHeart): boolean {
    return this.#client.send(message);
  }

  close(): void {
    this.#client.close();
  }

  want(group: GroupId, epoch: Epoch, address: WantedAddress): void {
    const wish = this.#wishes.get(group) ?? { epoch, addresses: new Map(), gone: new Set() };
    wish.epoch = epoch;
    wish.addresses.set(address.resource, address);
    wish.gone.delete(address.resource);
    this.#wishes.set(group, wish);
    this.#wished(group, address.resource);
  }

  unwant(group: GroupId, resource: ResourceId): void {
    const wish = this.#wishes.get(group) ?? {
      epoch: 0 as Epoch,
      addresses: new Map(),
      gone: new Set(),
    };
    wish.addresses.delete(resource);
    wish.gone.add(resource);
    this.#wishes.set(group, wish);
    this.#wished(group, resource);
  }

  state(group: GroupId, resource: ResourceId): AddressState {
    const key = stateKey(group, resource);
    const known = this.#welcomed && !this.#pending.has(key);
    return this.#states.get(key) ?? (known ? NOT_HELD : UNKNOWN);
  }

  link(link: LinkId): LinkHealth | undefined {
    const peers = this.#peers;
    if (peers === undefined) return undefined;
    const reports = peers.flatMap((peer) => peer.links.filter((report) => report.link === link));
    if (reports.length === 0) return undefined;
    return {
      carrier: reports.every((report) => report.carrier),
      hearsSomeone: reports.some((report) => report.state === 'up'),
      peersHearThere: peers.some((peer) => peer.state === 'up' && peer.hearsOn.includes(link)),
    };
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #wished(group: GroupId, resource: ResourceId): void {
    this.#states.delete(stateKey(group, resource));
    this.#pending.add(stateKey(group, resource));
    this.#sendWishes(group);
  }

  #sendWishes(group: GroupId): void {
    const wish = this.#wishes.get(group);
    if (wish === undefined) return;
    const addresses = [...wish.addresses.values()];
    const gone = [...wish.gone];
    this.#client.send({ type: 'addresses', group, epoch: wish.epoch, addresses, gone });
  }

  #opened(client: LineClient<ToHeart>): void {
    const speaks = toldRange(LOCAL_PROTOCOL);
    client.send({ type: 'hello', role: 'control', name: 'control', pid: process.pid, speaks });
  }

  #welcome(message: Extract<FromHeart, { type: 'welcome' }>): void {
    const speaks = readRange(message.speaks) ?? { oldest: 0, newest: 0 };
    if (commonVersion(LOCAL_PROTOCOL, speaks) === undefined) {
      const own = { name: 'control', speaks: LOCAL_PROTOCOL };
      const { why } = noCommonVersion(own, { name: 'the heart', speaks });
      const next = 'restart Tako on this node, so that all its processes are of one release';
      this.#options.log.error('heart not used', { code: 'version-unsupported', why, next });
      return;
    }
    this.#welcomed = true;
    for (const { group, resource } of message.addresses ?? []) {
      this.#states.set(stateKey(group, resource), { state: 'held', detail: 'held already' });
    }
    for (const [group, { addresses, gone }] of this.#wishes) {
      for (const resource of [...addresses.keys(), ...gone]) this.#wished(group, resource);
    }
    this.#options.onConnected();
  }

  #received(message: FromHeart): void {
    if (message.type === 'welcome') this.#welcome(message);
    if (message.type === 'peers') this.#peers = message.peers;
    if (message.type === 'address') {
      const { state, detail } = message;
      this.#states.set(stateKey(message.group, message.resource), { state, detail });
      this.#pending.delete(stateKey(message.group, message.resource));
    }
    if (message.type === 'peers' || message.type === 'address') this.#changed();
    this.#options.onMessage(message);
  }

  #closed(): void {
    this.#peers = undefined;
    this.#welcomed = false;
    this.#states.clear();
    this.#changed();
    this.#options.onLost();
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

function stateKey(group: GroupId, resource: ResourceId): string {
  return `${group}/${resource}`;
}
