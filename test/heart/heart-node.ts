/**
 * Heart processes for tests: each with a client in the place of control, which keeps all that the
 * heart says. Used on loopback and in network namespaces.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../src/adapters/clock.ts';
import { connectLines, type LineClient } from '../../src/adapters/line-socket.ts';
import { createLog } from '../../src/adapters/log.ts';
import { must } from '../../src/base/assert.ts';
import { ENGINE_FLAGS } from '../../src/daemon/heart/engine.ts';
import type { NodeSetup } from '../../src/protocol/config.ts';
import type { FromHeart, ToHeart } from '../../src/protocol/heart-ipc.ts';
import type { Epoch, GroupId, NodeId, SeatId } from '../../src/protocol/ids.ts';
import { decodeLeaseMark } from '../../src/protocol/lease-mark.ts';
import type { Electorate } from '../../src/protocol/record.ts';

export const WAIT_MS = 20_000;
const log = createLog({ name: 'test', level: 'silent' });
const heartProgram = fileURLToPath(new URL('../../src/daemon/heart.ts', import.meta.url));

/** The group that all these tests are about. */
export const G = 'g' as GroupId;
/** The memory of every acceptor that a test plays. */
export const SEAT = 'seat' as SeatId;

type Of<T extends FromHeart['type']> = Extract<FromHeart, { type: T }>;

/** One node: its heart's process, and this test as its control. */
export class HeartNode {
  readonly id: NodeId;
  readonly setup: NodeSetup;
  readonly received: FromHeart[] = [];
  readonly client: LineClient<ToHeart>;
  process: ChildProcess;
  readonly #prefix: readonly string[];

  /** `prefix`: a command that runs the heart somewhere else (`ip netns exec NAME`). */
  constructor(id: NodeId, setup: NodeSetup, prefix: readonly string[] = []) {
    this.id = id;
    this.#prefix = prefix;
    this.setup = setup;
    mkdirSync(setup.runDir, { recursive: true });
    writeFileSync(join(setup.runDir, 'setup.json'), JSON.stringify(setup));
    this.process = this.#spawn();
    this.client = connectLines<FromHeart, ToHeart>({
      path: join(setup.runDir, 'heart.sock'),
      log,
      onOpen: (client) => {
        client.send({ type: 'hello', role: 'control', name: 'control', pid: process.pid });
      },
      onMessage: (message) => this.received.push(message),
    });
  }

  restart(): void {
    this.received.length = 0;
    this.process = this.#spawn();
  }

  async kill(): Promise<void> {
    const gone = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill('SIGKILL');
    await gone;
  }

  async end(): Promise<void> {
    this.client.close();
    if (this.process.exitCode === null && this.process.signalCode === null) await this.kill();
  }

  send(message: ToHeart): void {
    if (!this.client.send(message)) throw new Error(`heart of ${this.id} is not connected`);
  }

  /** The acceptor's table of a node on which all is well. */
  records(owner: NodeId, epoch: Epoch, after?: number): void {
    this.send({ type: 'records', seat: SEAT, records: [{ group: G, owner, epoch }], after });
  }

  /** Seeks the lease; without other word, of a majority of all members. */
  claim(epoch: Epoch, voters: Electorate = this.#everybody()): void {
    this.send({ type: 'claim', group: G, epoch, electorates: [voters] });
  }

  #everybody(): Electorate {
    const { nodes, witness } = this.setup.config;
    const members = witness === undefined ? nodes : [...nodes, witness];
    return members.map(({ id }) => ({ node: id, seat: SEAT }));
  }

  async next<T extends FromHeart['type']>(
    type: T,
    which: (message: Of<T>) => boolean = () => true,
  ): Promise<Of<T>> {
    let found: Of<T> | undefined;
    await until(() => {
      const at = this.received.findIndex((m) => m.type === type && which(m as Of<T>));
      if (at < 0) return false;
      found = this.received[at] as Of<T>;
      this.received.splice(0, at + 1);
      return true;
    }, `${type} from the heart of ${this.id}`);
    return must(found, 'until() came back');
  }

  async ask(id: number, owner: NodeId): Promise<Of<'revoked'>> {
    this.send({ type: 'revoke', id, group: G, owner });
    return this.next('revoked', (m) => m.id === id);
  }

  async hears(...peers: readonly NodeId[]): Promise<void> {
    await this.next('peers', ({ peers: reports }) =>
      peers.every((id) => reports.find((peer) => peer.node === id)?.state === 'up'),
    );
  }

  /** Whether a mirror of this node may answer now. */
  marked(epoch: Epoch): boolean {
    const mark = decodeLeaseMark(readFileSync(join(this.setup.runDir, 'lease', G)));
    return mark?.epoch === epoch && systemClock.now() < mark.validUntil;
  }

  #spawn(): ChildProcess {
    const file = join(this.setup.runDir, 'setup.json');
    const [program, ...args] = [
      ...this.#prefix,
      process.execPath,
      ...ENGINE_FLAGS,
      heartProgram,
      file,
      '--no-children',
    ];
    return spawn(must(program, 'at least node'), args, { stdio: ['ignore', 'ignore', 'inherit'] });
  }
}

export async function until(condition: () => boolean, what: string): Promise<void> {
  const end = performance.now() + WAIT_MS;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within ${WAIT_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
