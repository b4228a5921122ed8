/** Three real members of etcd, each on a test host of its own that can lose its power. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '../../src/base/assert.ts';
import type { Lab } from '../hosts/lab.ts';
import { until } from '../hosts/wait.ts';

export const ETCD_HOSTS = ['e1', 'e2', 'e3'] as const;
const CLIENT_PORT = 2379;
const PEER_PORT = 2380;
/** On the disk of the host, which outlives its power. */
const DATA = '/var/lib/tako/etcd';
const PID_FILE = '/run/etcd.pid';
const END_MS = 20_000;
/** As a member's log tells of itself and of its leader. */
const OWN_ID = /"local-member-id":"([0-9a-f]+)"/u;
const LEADER = /elected leader ([0-9a-f]+) at term ([0-9]+)/gu;

type MemberName = (typeof ETCD_HOSTS)[number];
type LinkName = 'lan' | 'mirror';

/** Lines below `registry:` of the configuration. */
export function registryLines(lab: Lab): readonly string[] {
  const endpoints = ETCD_HOSTS.map((name) => urlOf(lab, name, CLIENT_PORT));
  return ['etcd:', `  endpoints: [${endpoints.join(', ')}]`];
}

export class LabEtcd {
  readonly #lab: Lab;
  readonly #peerLink: LinkName;

  /** Clients always come by the LAN; `peerLink`: by which link the members find one another. */
  constructor(lab: Lab, peerLink: LinkName = 'lan') {
    this.#lab = lab;
    this.#peerLink = peerLink;
    for (const name of ETCD_HOSTS) this.#run(name);
  }

  async powerOff(...names: readonly string[]): Promise<void> {
    await Promise.all(names.map((name) => this.#lab.host(name).powerOff()));
  }

  async bringBack(...names: readonly string[]): Promise<void> {
    for (const name of names) {
      await this.#lab.host(name).powerOn();
      this.#run(memberOf(name));
    }
  }

  /** Resolves when nothing is left of the process; false when there was none. */
  async kill(name: string): Promise<boolean> {
    const host = this.#lab.host(name);
    if (!host.powered || !existsSync(host.pathOf(PID_FILE))) return false;
    const lives = async (): Promise<boolean> => {
      const probe = ['sh', '-c', `kill -0 "$(cat ${PID_FILE})" 2> /dev/null`];
      return (await host.run(probe, { allowFailure: true })).code === 0;
    };
    if (!(await lives())) return false;
    await host.signalByPidFile(PID_FILE, 'KILL');
    await until(`etcd on ${name} is gone`, async () => !(await lives()), { timeoutMs: END_MS });
    return true;
  }

  startAgain(name: string): void {
    this.#run(memberOf(name));
  }

  /** Who was elected last, as the logs tell; undefined before anybody was. */
  leader(): string | undefined {
    const names = new Map<string, string>();
    let latest: { readonly id: string; readonly term: number } | undefined;
    for (const name of ETCD_HOSTS) {
      const file = this.#logOf(name);
      const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
      const own = OWN_ID.exec(text)?.[1];
      if (own !== undefined) names.set(own, name);
      for (const [, id = '', said] of text.matchAll(LEADER)) {
        const term = Number(said);
        if (latest === undefined || term > latest.term) latest = { id, term };
      }
    }
    return latest === undefined ? undefined : names.get(latest.id);
  }

  #logOf(name: string): string {
    return join(this.#lab.host(name).folder, 'log', 'etcd.log');
  }

  #run(name: MemberName): void {
    const client = urlOf(this.#lab, name, CLIENT_PORT);
    const peerUrl = (other: string): string => urlOf(this.#lab, other, PEER_PORT, this.#peerLink);
    const peer = peerUrl(name);
    const all = ETCD_HOSTS.map((other) => `${other}=${peerUrl(other)}`);
    const options = {
      name,
      'data-dir': DATA,
      'listen-client-urls': client,
      'advertise-client-urls': client,
      'listen-peer-urls': peer,
      'initial-advertise-peer-urls': peer,
      'initial-cluster': all.join(','),
      'heartbeat-interval': '50',
      'election-timeout': '500',
      logger: 'zap',
    };
    const words = Object.entries(options).map(([word, value]) => `--${word}=${value}`);
    const host = this.#lab.host(name);
    const command = ['sh', '-c', `echo $$ > ${PID_FILE}; exec etcd "$@"`, 'etcd', ...words];
    host.spawn(command, { logFile: this.#logOf(name) }).unref();
  }
}

function memberOf(name: string): MemberName {
  return must(
    ETCD_HOSTS.find((other) => other === name),
    `${name} is a host of etcd`,
  );
}

function urlOf(lab: Lab, name: string, port: number, link: LinkName = 'lan'): string {
  return `http://${lab.host(name).address(link).ipv4}:${port}`;
}
