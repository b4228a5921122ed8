/** A real witness process with clusters on loopback, each with members inside the test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { askWitness } from '../../src/adapters/witness-client.ts';
import { checkConfig } from '../../src/adapters/config/load-config.ts';
import { must } from '../../src/base/assert.ts';
import type { NodeId } from '../../src/protocol/ids.ts';
import type { FromWitness, WitnessClusterStatus } from '../../src/protocol/witness.ts';
import { until } from '../hosts/wait.ts';
import { Member } from './member.ts';

const TAKO = fileURLToPath(new URL('../../bin/tako', import.meta.url));
const START_MS = 20_000;
export const [A, B, W] = ['a', 'b', 'w'] as NodeId[] as [NodeId, NodeId, NodeId];

export interface ClusterText {
  /** Makes addresses and port: no two clusters of a test have the same. */
  readonly number: number;
  /** Byte of which the key is made. */
  readonly key?: number | undefined;
  /** Lines below `timing:`. */
  readonly timing?: string | undefined;
  readonly port?: number | undefined;
}

export function clusterText({ number, timing, port }: ClusterText): string {
  const at = (last: number): string => `{ lan: 127.0.${100 + number}.${last} }`;
  return [
    // The same name and the same members everywhere: keys and sockets alone keep them apart.
    'cluster: same',
    'key-file: /nowhere/cluster.key',
    `base-port: ${port ?? 21_000 + number * 20}`,
    ...(timing === undefined ? [] : [`timing: ${timing}`]),
    'links: { lan: { kind: udp } }',
    `nodes: { a: ${at(1)}, b: ${at(2)} }`,
    `witness: { w: ${at(3)} }`,
    'groups: {}',
    '',
  ].join('\n');
}

/** What the rules about times make of a lease. */
export function timingWith(leaseMs: number): string {
  const times = {
    lease: `${leaseMs}ms`,
    'node-lost': `${Math.max(1000, leaseMs + 100)}ms`,
    'address-life': `${Math.max(3, Math.ceil((2 * leaseMs) / 1000))}s`,
    'suspend-grace': `${Math.max(10_000, leaseMs)}ms`,
  };
  return JSON.stringify(times);
}

export class WitnessProcess {
  readonly folder = mkdtempSync(join(tmpdir(), 'tako-witness-'));
  readonly runDir = join(this.folder, 'run');
  readonly stateDir = join(this.folder, 'state');
  readonly clustersDir = join(this.folder, 'clusters');
  readonly #members: Member[] = [];
  #child: ChildProcess | undefined;
  #said = '';

  constructor() {
    mkdirSync(this.clustersDir);
  }

  get pid(): number {
    return must(this.#child?.pid, 'the witness was started');
  }

  /** What it and its reader said to people. */
  get said(): string {
    return this.#said;
  }

  /** Writes the file and the key of a cluster. */
  write(name: string, cluster: ClusterText): void {
    writeFileSync(join(this.clustersDir, `${name}.yaml`), clusterText(cluster));
    this.writeKey(name, cluster.key ?? cluster.number);
  }

  writeText(name: string, text: string): void {
    writeFileSync(join(this.clustersDir, `${name}.yaml`), text);
  }

  writeKey(name: string, byte: number): void {
    const file = join(this.clustersDir, `${name}.key`);
    writeFileSync(file, keyOf(byte).toString('base64'), { mode: 0o600 });
  }

  remove(name: string): void {
    for (const ending of ['yaml', 'key']) rmSync(join(this.clustersDir, `${name}.${ending}`));
  }

  /** Starts the process; resolves when the named clusters are served. */
  async start(...names: readonly string[]): Promise<void> {
    const { runDir, stateDir, clustersDir } = this;
    const places = ['--run-dir', runDir, '--state-dir', stateDir, '--clusters', clustersDir];
    const child = spawn(TAKO, ['witness', 'run', ...places], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#said += text));
    this.#child = child;
    for (const name of names) await this.serves(name);
  }

  async serves(name: string): Promise<WitnessClusterStatus> {
    return this.shows(name, ({ state }) => state === 'serving');
  }

  async shows(
    name: string,
    which: (status: WitnessClusterStatus) => boolean,
  ): Promise<WitnessClusterStatus> {
    let last: WitnessClusterStatus | undefined;
    return until(
      `cluster ${name} is as wanted`,
      async () => {
        last = (await this.status()).find((status) => status.name === name);
        return last !== undefined && which(last) ? last : undefined;
      },
      { timeoutMs: START_MS },
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${JSON.stringify(last)} ${this.#said}`, { cause: error });
    });
  }

  async status(): Promise<readonly WitnessClusterStatus[]> {
    const lines = await askWitness(this.runDir, { type: 'status' }, 'process');
    return lines.flatMap((line) => (line.type === 'cluster' ? [line.status] : []));
  }

  async reload(): Promise<Extract<FromWitness, { type: 'reloaded' }>> {
    const lines = await askWitness(this.runDir, { type: 'reload' }, 'reloaded');
    return must(
      lines.find((line) => line.type === 'reloaded'),
      'the answer ends with it',
    );
  }

  /** A node of a cluster; `key` other than the cluster's makes it a stranger. */
  member(node: NodeId, cluster: ClusterText, options = { claims: true }): Member {
    const { config } = checkConfig('test', clusterText(cluster));
    const runDir = join(this.folder, `${node}${cluster.number}-${this.#members.length}`);
    const setup = {
      node,
      runDir,
      stateDir: runDir,
      configFile: 'test',
      config: must(config, 'the text is good'),
    };
    const member = new Member(setup, keyOf(cluster.key ?? cluster.number), options);
    this.#members.push(member);
    return member;
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name);
  }

  /** Sends the signal and waits for the end; the exit code. */
  async end(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return null;
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill(signal);
    return ended;
  }

  /** Storage of one cluster, gone. Only while the process is down. */
  loseState(name: string): void {
    rmSync(join(this.stateDir, name), { recursive: true });
  }

  async destroy(): Promise<void> {
    for (const member of this.#members) member.close();
    await this.end();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function keyOf(byte: number): Buffer {
  return Buffer.alloc(32, byte);
}
