/**
 * The clusters of one witness process. A reading of the files is applied cluster by cluster: what is
 * new begins, what changed begins anew, what is gone ends, and the rest is not touched at all. A file
 * or key with a fault changes nothing about its cluster, which goes on as it was last served.
 */
import { join } from 'node:path';
import { messageOf, TakoError } from '../../base/tako-error.ts';
import type {
  WitnessCluster,
  WitnessClusterStatus,
  WitnessFault,
  WitnessReading,
} from '../../protocol/witness.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { normalAddress } from '../../adapters/ip-address.ts';
import { readClusterKey } from '../../adapters/tls-psk.ts';
import { readFormerCluster } from './cluster-file.ts';
import { ServedCluster } from './served-cluster.ts';

export interface ClusterSetOptions {
  readonly stateDir: string;
  readonly clock: Clock;
  /** The log of one cluster. */
  readonly logFor: (name: string) => Log;
}

/** What a reload did, a line each, and what is wrong with which file. */
export interface Applied {
  readonly done: readonly string[];
  readonly faults: readonly string[];
}

interface Slot {
  readonly name: string;
  served: ServedCluster | undefined;
  key: Uint8Array | undefined;
  fault: string | undefined;
  readonly since: number;
}

interface Candidate {
  readonly cluster: WitnessCluster;
  readonly key: Uint8Array;
}

export class ClusterSet {
  readonly #options: ClusterSetOptions;
  readonly #slots = new Map<string, Slot>();
  /** Clusters that end, or that ended last, by name: the next of that name waits for them. */
  readonly #ends = new Map<string, Promise<void>>();

  constructor(options: ClusterSetOptions) {
    this.#options = options;
  }

  apply(reading: WitnessReading): Applied {
    const { good, faults } = this.#judge(reading);
    const done: string[] = [];
    const named = new Set([...good.map(({ cluster }) => cluster.name), ...faults.keys()]);
    for (const slot of [...this.#slots.values()]) {
      if (named.has(slot.name)) continue;
      this.#slots.delete(slot.name);
      if (slot.served !== undefined) this.#stop(slot.name, slot.served);
      const votes = join(this.#options.stateDir, slot.name);
      done.push(`${slot.name}: not served any more; its votes stay in "${votes}"`);
    }
    for (const candidate of good) {
      const { name } = candidate.cluster;
      done.push(`${name}: ${this.#serve(candidate)}`);
    }
    for (const [name, fault] of faults) this.#refuse(name, fault);
    return { done, faults: [...faults].map(([name, fault]) => this.#tell(name, fault)) };
  }

  status(): readonly WitnessClusterStatus[] {
    return [...this.#slots.values()]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((slot) => slot.served?.status(slot.fault) ?? this.#unusable(slot));
  }

  async close(): Promise<void> {
    for (const [name, { served }] of this.#slots) {
      if (served !== undefined) this.#stop(name, served);
    }
    await Promise.all(this.#ends.values());
  }

  /** Which can be served: with a good file, a good key, and sockets that no other one has. */
  #judge(reading: WitnessReading): {
    readonly good: readonly Candidate[];
    readonly faults: ReadonlyMap<string, string>;
  } {
    const faults = new Map(reading.faults.map(({ name, text }: WitnessFault) => [name, text]));
    const candidates: Candidate[] = [];
    for (const cluster of reading.clusters) {
      try {
        candidates.push({ cluster, key: readClusterKey(cluster.keyFile) });
      } catch (error) {
        if (!(error instanceof TakoError)) throw error;
        faults.set(cluster.name, `${messageOf(error)}\n  Next: ${error.next ?? 'Correct it'}`);
      }
    }
    const taken = new Map<string, string>();
    for (const name of faults.keys()) {
      const served = this.#slots.get(name)?.served;
      if (served !== undefined) takeSockets(taken, served.cluster);
    }
    // Whoever is served already comes before a newcomer, and before one that was changed.
    const rank = ({ cluster, key }: Candidate): number => {
      const slot = this.#slots.get(cluster.name);
      if (slot?.served === undefined) return 2;
      return isSame(slot, cluster, key) ? 0 : 1;
    };
    const good: Candidate[] = [];
    for (const candidate of candidates.toSorted((a, b) => rank(a) - rank(b))) {
      const clash = takeSockets(taken, candidate.cluster);
      if (clash === undefined) good.push(candidate);
      else faults.set(candidate.cluster.name, clash);
    }
    return { good, faults };
  }

  #serve({ cluster, key }: Candidate): string {
    const { name } = cluster;
    const slot = this.#slots.get(name);
    if (slot !== undefined && isSame(slot, cluster, key)) {
      slot.fault = undefined;
      return 'as before';
    }
    const former = slot?.served;
    if (former !== undefined) this.#stop(name, former);
    this.#begin({ cluster, key }, undefined);
    return former === undefined ? 'served from now on' : 'changed, begins anew';
  }

  #begin({ cluster, key }: Candidate, fault: string | undefined): void {
    const { clock, stateDir, logFor } = this.#options;
    const { name } = cluster;
    const served = new ServedCluster({
      cluster,
      key,
      stateDir: join(stateDir, name),
      clock,
      log: logFor(name),
      after: this.#ends.get(name) ?? Promise.resolve(),
    });
    this.#slots.set(name, { name, served, key, fault, since: clock.now() });
  }

  /** Goes on as before; after a start, with what it was served by last. */
  #refuse(name: string, fault: string): void {
    const { clock } = this.#options;
    const slot = this.#slots.get(name);
    if (slot !== undefined) {
      slot.fault = fault;
      if (slot.served !== undefined) return;
    } else {
      const since = clock.now();
      this.#slots.set(name, { name, served: undefined, key: undefined, fault, since });
    }
    this.#goOnAsBefore(name, fault).catch((error: unknown) => {
      this.#options.logFor(name).warn('no former configuration either', { error });
    });
  }

  async #goOnAsBefore(name: string, fault: string): Promise<void> {
    const former = await readFormerCluster(join(this.#options.stateDir, name));
    const slot = this.#slots.get(name);
    const wanted = slot !== undefined && slot.served === undefined && slot.fault === fault;
    if (former === undefined || !wanted) return;
    const key = readClusterKey(former.keyFile);
    const taken = new Map<string, string>();
    for (const { served } of this.#slots.values()) {
      if (served !== undefined) takeSockets(taken, served.cluster);
    }
    if (takeSockets(taken, former) !== undefined) return;
    this.#options.logFor(name).warn('served by its last good configuration', { fault });
    this.#begin({ cluster: former, key }, fault);
  }

  #stop(name: string, served: ServedCluster): void {
    const end = served.stop();
    this.#ends.set(name, end);
    const forget = (): void => {
      if (this.#ends.get(name) === end) this.#ends.delete(name);
    };
    end.then(forget, (error: unknown) => {
      forget();
      this.#options.logFor(name).error('cluster not ended in order', { error });
    });
  }

  #tell(name: string, fault: string): string {
    const goesOn = this.#slots.get(name)?.served !== undefined;
    return `${name}: ${goesOn ? 'goes on as before' : 'not served'}: ${fault}`;
  }

  #unusable({ name, fault, since }: Slot): WitnessClusterStatus {
    return {
      name,
      cluster: undefined,
      self: undefined,
      state: 'unusable',
      detail: fault ?? '',
      fault,
      forMs: this.#options.clock.now() - since,
      failures: 0,
      seat: undefined,
      links: [],
      nodes: [],
      votes: [],
      meters: undefined,
      dropped: 0,
    };
  }
}

function isSame(slot: Slot, cluster: WitnessCluster, key: Uint8Array): boolean {
  const { served } = slot;
  if (served === undefined || slot.key === undefined) return false;
  // A comment that was added above moves the place, and nothing else.
  const settings = ({ addressesAt: _, ...rest }: WitnessCluster): string => JSON.stringify(rest);
  return settings(served.cluster) === settings(cluster) && Buffer.compare(slot.key, key) === 0;
}

/** Marks the cluster's sockets as taken; or says, with its place, who has one of them already. */
function takeSockets(taken: Map<string, string>, cluster: WitnessCluster): string | undefined {
  const { config, self, name, addressesAt } = cluster;
  const addresses = Object.values(config.witness?.addresses ?? {}).map(normalAddress);
  for (const address of addresses) {
    const owner = taken.get(`${address} ${config.basePort}`);
    if (owner === undefined || owner === name) continue;
    return (
      `${addressesAt}: found ${address} with port ${config.basePort} for ${self}, which cluster ` +
      `file "${owner}" has already, expected an address or base-port of its own\n` +
      '  Next: Give this cluster another base-port, or the witness another address in it'
    );
  }
  for (const address of addresses) taken.set(`${address} ${config.basePort}`, name);
  return undefined;
}
