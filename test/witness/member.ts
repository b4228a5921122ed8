/**
 * A node of a cluster inside the test's own process: the real heart (core, packets, sockets) with
 * the test in the place of its control. Cheap enough to have many of them.
 */
import { mkdirSync } from 'node:fs';
import { systemClock } from '../../src/adapters/clock.ts';
import { LeaseMarkFiles } from '../../src/adapters/lease-mark-file.ts';
import { createLog } from '../../src/adapters/log.ts';
import { AddressKeeper } from '../../src/daemon/heart/address-keeper.ts';
import { HeartRunner, type Holdings } from '../../src/daemon/heart/heart-runner.ts';
import type { NodeSetup } from '../../src/protocol/config.ts';
import type { FromHeart, PeerReport } from '../../src/protocol/heart-ipc.ts';
import type { Epoch, GroupId, NodeId, SeatId } from '../../src/protocol/ids.ts';
import type { Electorate, RegistryMessage } from '../../src/protocol/record.ts';
import { until } from '../hosts/wait.ts';

const AGAIN_MS = 60;
const ANSWER_MS = 20_000;
const log = createLog({ name: 'test', level: 'silent' });
/** The memory of the acceptor that the test plays. */
export const MEMBER_SEAT = 'seat' as SeatId;

export type Question =
  | Omit<Extract<RegistryMessage, { type: 'prepare' }>, 'id'>
  | Omit<Extract<RegistryMessage, { type: 'accept' }>, 'id'>;

export interface LeaseChange {
  readonly held: boolean;
  readonly at: number;
}

let questions = 0;

export class Member {
  readonly #runner: HeartRunner;
  readonly #witness: NodeId;
  readonly #answers = new Map<string, RegistryMessage>();
  readonly #leases = new Map<GroupId, LeaseChange>();
  #peers: readonly PeerReport[] = [];

  /** `claims`: it may seek leases, which takes lease marks and a look at the interfaces. */
  constructor(
    setup: NodeSetup,
    key: Uint8Array,
    { claims, setupFile }: { readonly claims: boolean; readonly setupFile?: string | undefined },
  ) {
    this.#witness = setup.config.witness?.id ?? ('none' as NodeId);
    this.#runner = new HeartRunner({
      setup,
      setupFile,
      key,
      clock: systemClock,
      log,
      report: (message) => this.#heard(message),
      holdings: claims ? holdingsOf(setup) : undefined,
    });
    this.#runner.controlConnected();
    this.#runner.start();
  }

  /** Asks the witness until it answers: datagrams may be lost. */
  async ask(question: Question, timeoutMs = ANSWER_MS): Promise<RegistryMessage> {
    const id = this.post(question);
    let sentAt = performance.now();
    return until(
      `the witness answers ${question.type}`,
      () => {
        if (performance.now() - sentAt > AGAIN_MS) {
          sentAt = performance.now();
          this.post(question, id);
        }
        return this.#answers.get(id);
      },
      { timeoutMs, pollMs: 2 },
    );
  }

  /** Asks once and waits for nothing; the number of the question. */
  post(question: Question, id = `q${(questions += 1)}`): string {
    this.#runner.command({ type: 'send', to: this.#witness, body: { ...question, id } });
    return id;
  }

  answered(id: string): boolean {
    return this.#answers.has(id);
  }

  /** What this node's own acceptor last accepted. */
  records(group: GroupId, owner: NodeId, epoch: Epoch): void {
    this.#runner.command({
      type: 'records',
      seat: MEMBER_SEAT,
      records: [{ group, owner, epoch }],
      after: undefined,
    });
  }

  claim(group: GroupId, epoch: Epoch, voters: Electorate): void {
    this.#runner.command({ type: 'claim', group, epoch, electorates: [voters] });
  }

  release(group: GroupId): void {
    this.#runner.command({ type: 'release', group });
  }

  /** The last change that the heart reported. */
  lease(group: GroupId): LeaseChange {
    return this.#leases.get(group) ?? { held: false, at: Number.NEGATIVE_INFINITY };
  }

  async hasLease(group: GroupId, held: boolean): Promise<void> {
    await until(`the lease is ${held ? 'held' : 'lost'}`, () => this.lease(group).held === held, {
      timeoutMs: ANSWER_MS,
      pollMs: 2,
    });
  }

  hears(node: NodeId): boolean {
    return this.#peers.find((peer) => peer.node === node)?.state === 'up';
  }

  meters(): ReturnType<HeartRunner['meters']> {
    return this.#runner.meters();
  }

  close(): void {
    this.#runner.close();
  }

  #heard(message: FromHeart): void {
    if (message.type === 'peers') this.#peers = message.peers;
    if (message.type === 'lease') {
      this.#leases.set(message.group, { held: message.held, at: performance.now() });
    }
    if (message.type !== 'message') return;
    const answer = message.body as RegistryMessage;
    this.#answers.set(answer.id, answer);
  }
}

function holdingsOf({ runDir, config }: NodeSetup): Holdings {
  mkdirSync(runDir, { recursive: true });
  return {
    addresses: new AddressKeeper({
      lifeSeconds: config.timing.addressLifeSeconds,
      ownAddresses: new Map(),
      clock: systemClock,
      log,
    }),
    marks: new LeaseMarkFiles(runDir),
  };
}
