/**
 * Real mirror processes on loopback addresses, steered by the test in place of control, with lease
 * marks written by the test in place of the heart. `close` leaves nothing behind.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleptMs } from '../../src/adapters/supervise/sleep-watch.ts';
import { systemClock } from '../../src/adapters/clock.ts';
import { connectLines, type LineClient } from '../../src/adapters/line-socket.ts';
import { mountAt } from '../../src/adapters/system/mount-info.ts';
import { unmount } from '../../src/adapters/system/mount.ts';
import { must } from '../../src/base/assert.ts';
import { plus } from '../../src/base/time.ts';
import type { Log } from '../../src/ports/log.ts';
import type { MirrorCommand } from '../../src/ports/mirror-control.ts';
import type { Config, NodeSetup } from '../../src/protocol/config.ts';
import type { Epoch, GroupId, LinkId, NodeId, ResourceId } from '../../src/protocol/ids.ts';
import { encodeLeaseMark } from '../../src/protocol/lease-mark.ts';
import type { FromMirror, MirrorStatus, ToMirror } from '../../src/protocol/mirror-ipc.ts';

const MIRROR = 'g.data';
const WAIT_MS = 20_000;
const LEASE_MS = 300;
const RENEW_MS = 50;
const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export interface RigOptions {
  readonly nodes: number;
  readonly mode?: 'durable' | 'every-write';
  readonly basePort: number;
  readonly secondaryLostMs?: number;
  /**
   * The first node reaches the others at 127.0.2.N on the first link and at 127.0.3.N on the second,
   * where the test puts a proxy when the link is to carry something.
   */
  readonly proxied?: boolean;
  /** A directory for what a node has on its disk, which is there already. */
  readonly disks?: (node: NodeId) => string;
}

export class Rig {
  readonly base = mkdtempSync(join(tmpdir(), 'tako-mirror-'));
  readonly nodes: readonly RigNode[];

  constructor(options: RigOptions) {
    const config = makeConfig(options, this.base);
    writeFileSync(config.keyFile, `${'5a'.repeat(32)}\n`, { mode: 0o600 });
    this.nodes = config.nodes.map(({ id }, at) => {
      const seen = options.proxied === true && at === 0 ? throughProxy(config) : config;
      const own = join(this.base, id);
      return new RigNode({ own, disk: options.disks?.(id) ?? own }, seen, id);
    });
  }

  node(at: number): RigNode {
    return must(this.nodes[at], 'the rig has that many nodes');
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
    for (const node of this.nodes) node.freePath();
    rmSync(this.base, { recursive: true, force: true });
  }
}

export class RigNode {
  readonly id: NodeId;
  readonly path: string;
  readonly runDir: string;
  readonly #setupFile: string;
  readonly #stateDir: string;
  readonly news: FromMirror[] = [];
  readonly logs: string[] = [];
  #child: ChildProcess | undefined;
  #client: LineClient<ToMirror> | undefined;
  #status: MirrorStatus | undefined;
  #lastId = 0;
  #lease: NodeJS.Timeout | undefined;

  constructor({ own, disk }: { own: string; disk: string }, config: Config, id: NodeId) {
    this.id = id;
    this.path = join(disk, 'data');
    this.#stateDir = join(disk, 'state');
    this.runDir = join(own, 'run');
    mkdirSync(this.path, { recursive: true });
    mkdirSync(join(this.runDir, 'lease'), { recursive: true });
    this.#setupFile = join(own, 'setup.json');
    const setup: NodeSetup = {
      node: id,
      runDir: this.runDir,
      stateDir: this.#stateDir,
      configFile: join(own, 'tako.yaml'),
      config: withPath(config, this.path),
    };
    writeFileSync(this.#setupFile, JSON.stringify(setup));
  }

  get pid(): number {
    return must(this.#child?.pid, 'the mirror process runs');
  }

  get status(): MirrorStatus {
    return must(this.#status, 'a status has come');
  }

  async start(): Promise<void> {
    const entry = new URL('../../src/daemon/mirror.ts', import.meta.url).pathname;
    const child = spawn(process.execPath, [entry, this.#setupFile, MIRROR], {
      stdio: ['ignore', 'inherit', 'pipe'],
    });
    this.#child = child;
    child.stderr.on('data', (chunk: Buffer) => this.logs.push(chunk.toString()));
    this.#client = connectLines<FromMirror, ToMirror>({
      path: join(this.runDir, `mirror-${MIRROR}.sock`),
      log: silent,
      onMessage: (message) => this.#received(message),
    });
    await this.until(() => this.logs.join('').includes('mirror is ready'), 'the process is ready');
    await this.until(() => this.#client?.connected === true, 'its socket answers');
    await this.ok({ type: 'status' });
  }

  /** Ends the process without goodbye. */
  async kill(): Promise<void> {
    this.expireLease();
    this.#client?.close();
    this.#client = undefined;
    await this.#end('SIGKILL');
  }

  async terminate(): Promise<number | null> {
    this.#client?.close();
    this.#client = undefined;
    return this.#end('SIGTERM');
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name);
  }

  async command(command: MirrorCommand): Promise<FromMirror & { type: 'done' }> {
    this.#lastId += 1;
    const id = this.#lastId;
    const client = must(this.#client, 'the mirror process runs');
    client.send({ ...command, id } as ToMirror);
    const isAnswer = (message: FromMirror): message is FromMirror & { type: 'done' } =>
      message.type === 'done' && message.id === id;
    await this.until(() => this.news.some(isAnswer), `${command.type} is done`);
    return must(this.news.find(isAnswer), 'the answer is there');
  }

  async ok(command: MirrorCommand): Promise<void> {
    const done = await this.command(command);
    if (!done.ok) throw new Error(`${command.type}: ${done.code}: ${done.message}`);
  }

  /** Keeps the lease mark of this node fresh, as the heart does. */
  holdLease(epoch: number): void {
    this.expireLease();
    const renew = (): void => this.writeLease(epoch, LEASE_MS);
    renew();
    this.#lease = setInterval(renew, RENEW_MS);
  }

  /** A lease that outlasts the test, for tests that block this process. */
  grantLease(epoch: number): void {
    this.expireLease();
    this.writeLease(epoch, 3_600_000);
  }

  writeLease(epoch: number, ms: number): void {
    const validUntil = plus(systemClock.now(), ms);
    const mark = encodeLeaseMark({ epoch: epoch as Epoch, validUntil, sleptMs: sleptMs() });
    writeFileSync(join(this.runDir, 'lease', 'g'), mark, { flag: 'r+', flush: false });
  }

  expireLease(): void {
    clearInterval(this.#lease);
    this.#lease = undefined;
    writeFileSync(join(this.runDir, 'lease', 'g'), new Uint8Array(32), { flag: 'w' });
  }

  heard(type: FromMirror['type']): readonly FromMirror[] {
    return this.news.filter((message) => message.type === type);
  }

  async until(condition: () => boolean, what: string, ms = WAIT_MS): Promise<void> {
    const end = performance.now() + ms;
    while (!condition()) {
      if (performance.now() > end) {
        const last = this.logs.join('').slice(-3000);
        const status = JSON.stringify(this.#status);
        throw new Error(`${this.id}: waited in vain until ${what}\n${status}\n${last}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Takes away whatever a killed process left over the path. */
  freePath(): void {
    for (let i = 0; i < 8 && mountAt(this.path) !== undefined; i += 1) {
      unmount(this.path, { lazy: true });
    }
  }

  /** Once the note on disk says `clean`, what it says of the copy; each is in a directory of its own. */
  async cleanNote(): Promise<unknown> {
    await this.until(() => JSON.parse(this.note()).state === 'clean', 'the note is clean');
    // By whose resync it was overwritten once is different for each copy, too.
    const own = ['directory', 'base'];
    const shared = (key: string, value: unknown): unknown =>
      own.includes(key) ? undefined : value;
    return JSON.parse(this.note(), shared);
  }

  note(): string {
    return readFileSync(join(this.#mirrors, `${MIRROR}.json`), 'utf8');
  }

  /** Whether it knows of changes that it made as the primary. */
  hasActivity(): boolean {
    const logs = [`${MIRROR}.activity`, `${MIRROR}.activity.former`];
    return logs.some((name) => existsSync(join(this.#mirrors, name)));
  }

  get #mirrors(): string {
    return join(this.#stateDir, 'mirrors');
  }

  #received(message: FromMirror): void {
    this.news.push(message);
    if (message.type === 'status') this.#status = message.status;
    if (message.type === 'done' && message.ok) this.#status = message.status;
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return null;
    const gone = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill(signal);
    return gone;
  }
}

function makeConfig(options: RigOptions, base: string): Config {
  const ids = Array.from({ length: options.nodes }, (_, at) => `n${at + 1}` as NodeId);
  const links = ['mirror', 'lan'] as LinkId[];
  return {
    cluster: 'test',
    keyFile: join(base, 'key'),
    basePort: options.basePort,
    timing: {
      heartbeatMs: 50,
      leaseMs: LEASE_MS,
      nodeLostMs: 1000,
      secondaryLostMs: options.secondaryLostMs ?? 400,
      clockDrift: 0.01,
      addressLifeSeconds: 3,
      suspendGraceMs: 10_000,
    },
    links: links.map((id) => ({ id, kind: 'udp', direct: false })),
    nodes: ids.map((id, at) => ({
      id,
      addresses: { mirror: `127.0.1.${at + 1}`, lan: `127.0.0.${at + 1}` } as Record<
        LinkId,
        string
      >,
    })),
    witness: undefined,
    groups: [
      {
        id: 'g' as GroupId,
        nodes: ids,
        failback: { policy: 'never' },
        resources: [
          {
            id: 'data' as ResourceId,
            agent: 'mirror',
            path: '',
            mode: options.mode ?? 'durable',
            index: 0,
            after: [],
            monitorMs: 1000,
            monitorTimeoutMs: 1000,
            deepMonitor: undefined,
            unknownLimit: 3,
            onFailure: 'failover',
            startTimeoutMs: 10_000,
            stopTimeoutMs: 10_000,
            restarts: { limit: 1, windowMs: 60_000 },
          },
        ],
      },
    ],
  };
}

/** The same directory has another place on each node of the rig, for they share one machine. */
function withPath(config: Config, path: string): Config {
  const groups = config.groups.map((group) => ({
    ...group,
    resources: group.resources.map((resource) =>
      resource.agent === 'mirror' ? { ...resource, path } : resource,
    ),
  }));
  return { ...config, groups };
}

function throughProxy(config: Config): Config {
  const nodes = config.nodes.map((node, at) => {
    if (at === 0) return node;
    const addresses = {
      ['mirror' as LinkId]: `127.0.2.${at + 1}`,
      ['lan' as LinkId]: `127.0.3.${at + 1}`,
    };
    return { ...node, addresses };
  });
  return { ...config, nodes };
}
