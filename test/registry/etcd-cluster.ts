/** Three real members of etcd on the loopback address, each of which can be killed or frozen. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must } from '../../src/base/assert.ts';
import { until } from '../hosts/wait.ts';

const MEMBERS = ['e1', 'e2', 'e3'] as const;
export type Member = (typeof MEMBERS)[number];

interface Ports {
  readonly client: number;
  readonly peer: number;
}

export class EtcdCluster {
  readonly #folder = mkdtempSync(join(tmpdir(), 'tako-etcd-'));
  readonly #ports: ReadonlyMap<Member, Ports>;
  readonly #processes = new Map<Member, ChildProcess>();

  private constructor(ports: ReadonlyMap<Member, Ports>) {
    this.#ports = ports;
  }

  static async start(): Promise<EtcdCluster> {
    const free = await freePorts(2 * MEMBERS.length);
    const ports = MEMBERS.map((member, at) => {
      const [client, peer] = [free[2 * at], free[2 * at + 1]];
      return [member, { client: must(client, 'a port'), peer: must(peer, 'a port') }] as const;
    });
    const cluster = new EtcdCluster(new Map(ports));
    for (const member of MEMBERS) cluster.run(member);
    await cluster.works();
    return cluster;
  }

  get endpoints(): readonly string[] {
    return MEMBERS.map((member) => this.#client(member));
  }

  /** Starts it, for the first time or again with what it has on disk. */
  run(member: Member): void {
    const peer = (name: Member): string => `http://127.0.0.1:${this.#portsOf(name).peer}`;
    const options = {
      name: member,
      'data-dir': join(this.#folder, member),
      'listen-client-urls': this.#client(member),
      'advertise-client-urls': this.#client(member),
      'listen-peer-urls': peer(member),
      'initial-advertise-peer-urls': peer(member),
      'initial-cluster': MEMBERS.map((name) => `${name}=${peer(name)}`).join(','),
      'initial-cluster-token': this.#folder,
      'heartbeat-interval': '50',
      'election-timeout': '500',
    };
    const words = Object.entries(options).map(([word, value]) => `--${word}=${value}`);
    this.#processes.set(member, spawn('etcd', words, { stdio: 'ignore' }));
  }

  async kill(member: Member): Promise<void> {
    const child = must(this.#processes.get(member), 'it was started');
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  freeze(member: Member): void {
    must(this.#processes.get(member), 'it was started').kill('SIGSTOP');
  }

  thaw(member: Member): void {
    must(this.#processes.get(member), 'it was started').kill('SIGCONT');
  }

  /** Until some member carries a linearizable reading out. */
  async works(): Promise<void> {
    const asked = async (): Promise<boolean> => {
      const answers = this.endpoints.map(async (endpoint) => {
        const body = JSON.stringify({ key: Buffer.from('x').toString('base64') });
        const signal = AbortSignal.timeout(1000);
        const answer = await fetch(`${endpoint}/v3/kv/range`, { method: 'POST', body, signal });
        if (!answer.ok) throw new Error(`status ${answer.status}`);
      });
      return Promise.any(answers).then(
        () => true,
        () => false,
      );
    };
    await until('etcd answers', asked, { timeoutMs: 20_000 });
  }

  async destroy(): Promise<void> {
    for (const member of this.#processes.keys()) await this.kill(member);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #client(member: Member): string {
    return `http://127.0.0.1:${this.#portsOf(member).client}`;
  }

  #portsOf(member: Member): Ports {
    return must(this.#ports.get(member), 'every member has ports');
  }
}

/** All held at once, so that no two are the same. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ports.push((server.address() as AddressInfo).port);
  }
  for (const server of servers) server.close();
  return ports;
}
