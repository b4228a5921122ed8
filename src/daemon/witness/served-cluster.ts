/**
 * One cluster of a witness: its storage, its voter and its heart, and nothing that it shares with
 * another cluster but the thread. Whatever breaks in here ends this cluster's heart, as a crash ends
 * a process, and it begins again from what is on storage: a new boot, quiet for one lease.
 *
 *     opening ──► serving ──error──► failed ──pause──► opening ...        stop ──► stopping ──► over
 */
import { join } from 'node:path';
import { messageOf, TakoError } from '../../base/tako-error.ts';
import type { Instant } from '../../base/time.ts';
import { decodeAcceptorEntry } from '../../core/registry/acceptor-entry.ts';
import type { AcceptorEntry } from '../../core/registry/acceptor.ts';
import type { NodeSetup } from '../../protocol/config.ts';
import type { PeerReport } from '../../protocol/heart-ipc.ts';
import type { SeatId } from '../../protocol/ids.ts';
import type {
  WitnessCluster,
  WitnessClusterState,
  WitnessClusterStatus,
} from '../../protocol/witness.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { StateStore } from '../../ports/state-store.ts';
import { openRecordLog } from '../../adapters/record-log.ts';
import { readTerm, termPath } from '../../adapters/term-file.ts';
import { Admission } from '../heart/admission.ts';
import { udpLinks } from '../heart/heart-options.ts';
import { HeartRunner } from '../heart/heart-runner.ts';
import { TermKeeper } from '../heart/term-keeper.ts';
import { formerTermMs, openClusterDirectory, saveCluster } from './cluster-file.ts';
import { Voter } from './voter.ts';

const RETRY_MS = 250;
const RETRY_MS_MAX = 30_000;
/** One that served so long begins again at once when it fails. */
const SOUND_MS = 60_000;
/** Datagrams looked at per peer, link and heartbeat interval: far more than ever come. */
const DATAGRAMS_PER_BEAT = 16;
const DATAGRAMS_PER_SECOND_MAX = 10_000;

export interface ServedClusterOptions {
  readonly cluster: WitnessCluster;
  readonly key: Uint8Array;
  readonly stateDir: string;
  readonly clock: Clock;
  readonly log: Log;
  /** The end of whoever used the same sockets and storage before. */
  readonly after: Promise<void>;
}

interface Beating {
  readonly runner: HeartRunner;
  readonly voter: Voter;
  readonly store: StateStore<AcceptorEntry>;
  peers: readonly PeerReport[];
  readonly stop: () => void;
}

export class ServedCluster {
  readonly #options: ServedClusterOptions;
  readonly #life: Promise<void>;
  #state: WitnessClusterState = 'opening';
  #since: Instant;
  #detail = '';
  #failures = 0;
  #lastError = '';
  #over = false;
  #beating: Beating | undefined;
  #wake: () => void = () => undefined;

  constructor(options: ServedClusterOptions) {
    this.#options = options;
    this.#since = options.clock.now();
    this.#life = this.#live();
  }

  get cluster(): WitnessCluster {
    return this.#options.cluster;
  }

  /** Resolves when sockets and storage are free; storage that hangs can hold that up. */
  async stop(): Promise<void> {
    this.#over = true;
    this.#enter('stopping', '');
    this.#wake();
    this.#beating?.stop();
    await this.#life;
  }

  status(fault: string | undefined): WitnessClusterStatus {
    const { cluster, clock } = this.#options;
    const { name, self, config } = cluster;
    const beating = this.#beating;
    const now = clock.now();
    // The report of an up peer is as old as its last change.
    beating?.runner.reportAll();
    return {
      name,
      cluster: config.cluster,
      self,
      state: this.#state,
      detail: this.#detail,
      fault,
      forMs: now - this.#since,
      failures: this.#failures,
      seat: beating === undefined ? undefined : (beating.store.id as SeatId),
      links: udpLinks(this.#setup()).map((link) => {
        return { link: link.id, address: link.address, port: config.basePort };
      }),
      nodes: (beating?.peers ?? []).map(({ node, state, lastHeardAt, reason }) => {
        const heardMsAgo = lastHeardAt === undefined ? undefined : Math.max(0, now - lastHeardAt);
        return { node, state, heardMsAgo, reason };
      }),
      votes: [...(beating?.store.entries().values() ?? [])].flatMap(({ group, accepted }) => {
        const record = accepted?.record;
        return record === undefined ? [] : [{ group, owner: record.owner, epoch: record.epoch }];
      }),
      meters: beating?.runner.meters(),
      dropped: beating?.voter.dropped ?? 0,
    };
  }

  async #live(): Promise<void> {
    const { after, clock } = this.#options;
    await after;
    let failuresInARow = 0;
    while (!this.#over) {
      const startedAt = clock.now();
      await this.#serveOnce();
      failuresInARow = clock.now() - startedAt >= SOUND_MS ? 1 : failuresInARow + 1;
      await this.#pause(retryMs(failuresInARow));
    }
  }

  /** Until an error ends it, or it is asked to stop. */
  async #serveOnce(): Promise<void> {
    let store: StateStore<AcceptorEntry> | undefined;
    let terms: TermKeeper | undefined;
    try {
      this.#enter('opening', '');
      store = await this.#open();
      if (store === undefined) return;
      const { log, stateDir } = this.#options;
      const path = termPath(stateDir);
      terms = new TermKeeper({ path, formerMs: await readTerm(path, log), log });
      await this.#beat(store, terms);
    } catch (error) {
      this.#failed(error);
    } finally {
      await terms?.settled();
      await store?.close();
    }
  }

  /** The storage, once nothing binds that was promised before; undefined when asked to stop. */
  async #open(): Promise<StateStore<AcceptorEntry> | undefined> {
    const { cluster, stateDir, log } = this.#options;
    const former = await openClusterDirectory(stateDir, cluster);
    await this.#pause(formerTermMs(former, cluster));
    if (this.#over) return undefined;
    if (JSON.stringify(former) !== JSON.stringify(cluster)) await saveCluster(stateDir, cluster);
    const path = join(stateDir, 'acceptor.log');
    return await openRecordLog<AcceptorEntry>({ path, log, decode: decodeAcceptorEntry });
  }

  /** Serves until it is ended; rejects with what ended it. */
  #beat(store: StateStore<AcceptorEntry>, terms: TermKeeper): Promise<void> {
    if (this.#over) return Promise.resolve();
    const { key, clock, log } = this.#options;
    return new Promise((resolve, reject) => {
      const end = (ended: () => void): void => {
        if (this.#beating !== beating) return;
        this.#beating = undefined;
        runner.close();
        ended();
      };
      const fail = (error: unknown): void => end(() => reject(toError(error)));
      const runner = new HeartRunner({
        setup: this.#setup(),
        key,
        clock,
        log,
        terms,
        admission: new Admission(this.#datagramsPerSecond()),
        broken: fail,
        report: (message) => {
          if (message.type === 'peers') beating.peers = message.peers;
          voter.heard(message);
        },
      });
      const voter = new Voter({ store, heart: (message) => runner.command(message), fail });
      const stop = (): void => {
        runner.giveUp();
        end(resolve);
      };
      const beating: Beating = { runner, voter, store, peers: [], stop };
      this.#beating = beating;
      this.#enter('serving', '');
      runner.controlConnected();
      voter.start();
      runner.start();
      log.info('cluster served', {
        boot: runner.boot,
        seat: store.id,
        groups: store.entries().size,
      });
    });
  }

  #setup(): NodeSetup {
    const { cluster, stateDir } = this.#options;
    const { self, file, config } = cluster;
    return { node: self, runDir: '', stateDir, configFile: file, config };
  }

  #datagramsPerSecond(): number {
    const { config } = this.cluster;
    const peers = udpLinks(this.#setup()).reduce((count, link) => count + link.peers.size, 0);
    const beatsPerSecond = 1000 / config.timing.heartbeatMs;
    const wanted = Math.ceil(peers * beatsPerSecond * DATAGRAMS_PER_BEAT);
    return Math.min(DATAGRAMS_PER_SECOND_MAX, Math.max(1000, wanted));
  }

  #failed(error: unknown): void {
    if (this.#over) return;
    const text = tellError(error);
    this.#failures += 1;
    // Once per cause: it is tried again for ever.
    const level = text === this.#lastError ? 'debug' : 'error';
    this.#lastError = text;
    this.#options.log[level]('cluster not served, it is tried again', { error });
    this.#enter('failed', text);
  }

  #enter(state: WitnessClusterState, detail: string): void {
    if (this.#state !== state) this.#since = this.#options.clock.now();
    this.#state = state;
    this.#detail = detail;
  }

  /** Ends early when the cluster is to stop. */
  async #pause(ms: number): Promise<void> {
    if (this.#over) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, ms);
    });
    clearTimeout(timer);
  }
}

function tellError(error: unknown): string {
  const next = error instanceof TakoError ? error.next : undefined;
  return next === undefined ? messageOf(error) : `${messageOf(error)}. Next: ${next}`;
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(messageOf(error), { cause: error });
}

/** The pause after so many failures in a row. */
export function retryMs(failuresInARow: number): number {
  return Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** Math.min(failuresInARow - 1, 16));
}
