/** What the live screen shows: gathered a few times a second from the nodes and the client. */
import type { ClusterStatus } from '../../src/protocol/api.ts';
import type { TakoEvent } from '../../src/protocol/event.ts';
import type { LedgerStats } from '../programs/ledger/wire.ts';
import type { Cluster } from './cluster.ts';

export interface HostView {
  readonly name: string;
  readonly powered: boolean;
  readonly frozen: boolean;
  readonly fullDisk: boolean;
  readonly links: readonly { readonly name: string; readonly cut: boolean }[];
  /** What it answers; undefined when it answers nothing. */
  readonly status: ClusterStatus | undefined;
}

export interface DemoView {
  readonly title: string;
  readonly group: string;
  readonly records: string;
  readonly address: string;
  readonly hosts: readonly HostView[];
  readonly client: LedgerStats | undefined;
  /** Acknowledgements per sample, oldest first. */
  readonly rates: readonly number[];
  readonly longestOutageMs: number;
  readonly events: readonly TakoEvent[];
  /** What the last key did. */
  readonly message: string;
}

/** State of the hosts that the kernel does not tell. */
export interface Mischief {
  readonly frozen: Set<string>;
  readonly full: Set<string>;
}

const POLL_MS = 250;
const EVENTS_EVERY = 3;
const EVENTS_SHOWN = 12;
const RATES_MAX = 60;

export class Model {
  readonly #cluster: Cluster;
  readonly mischief: Mischief = { frozen: new Set(), full: new Set() };
  #statuses = new Map<string, ClusterStatus | undefined>();
  #events: readonly TakoEvent[] = [];
  #rates: number[] = [];
  #lastAcknowledged = 0;
  #longestOutageMs = 0;
  #ended = false;
  message = 'Press a key of the list below; the service should not care.';

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Gathers until `end`; calls back after every round. */
  async run(onChange: () => void): Promise<void> {
    for (let round = 0; !this.#ended; round += 1) {
      const startedAt = performance.now();
      await this.#gather(round);
      onChange();
      const restMs = Math.max(0, POLL_MS - (performance.now() - startedAt));
      await new Promise((resolve) => {
        setTimeout(resolve, restMs);
      });
    }
  }

  end(): void {
    this.#ended = true;
  }

  /** The owner by the latest epoch that any node knows. */
  owner(): string | undefined {
    return [...this.#statuses.values()]
      .flatMap((status) => status?.groups ?? [])
      .filter(({ id }) => id === this.#cluster.app.name)
      .toSorted((a, b) => (b.epoch ?? 0) - (a.epoch ?? 0))[0]?.owner;
  }

  view(): DemoView {
    const { app, address, lab, members } = this.#cluster;
    return {
      title: `${app.name} on two nodes and a witness`,
      group: app.name,
      records: app.records,
      address: `${address}:${app.port}`,
      hosts: members.map((host) => ({
        name: host.name,
        powered: host.powered,
        frozen: this.mischief.frozen.has(host.name),
        fullDisk: this.mischief.full.has(host.name),
        links: host.links.map((name) => ({ name, cut: lab.host(host.name).isCut(name) })),
        status: this.#statuses.get(host.name),
      })),
      client: this.#cluster.client.stats,
      rates: this.#rates,
      longestOutageMs: this.#longestOutageMs,
      events: this.#events,
      message: this.message,
    };
  }

  async #gather(round: number): Promise<void> {
    const { nodes, client } = this.#cluster;
    const awake = nodes.filter(({ name }) => !this.mischief.frozen.has(name));
    const pairs = await Promise.all(
      awake.map(async ({ name }) => [name, await this.#cluster.status(name)] as const),
    );
    this.#statuses = new Map(pairs);
    const acknowledged = client.stats?.acknowledged ?? 0;
    this.#rates.push(acknowledged - this.#lastAcknowledged);
    this.#rates = this.#rates.slice(-RATES_MAX);
    this.#lastAcknowledged = acknowledged;
    this.#longestOutageMs = Math.max(this.#longestOutageMs, client.stats?.lastOutage?.ms ?? 0);
    const teller = pairs.find(([, status]) => status !== undefined)?.[0];
    if (round % EVENTS_EVERY === 0 && teller !== undefined) {
      const events = await this.#cluster.events(teller, EVENTS_SHOWN);
      if (events.length > 0) this.#events = events;
    }
  }
}
