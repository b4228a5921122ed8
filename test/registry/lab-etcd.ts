/** Three real members of etcd, each on a test host of its own that can lose its power. */
import { must } from '../../src/base/assert.ts';
import type { Lab } from '../hosts/lab.ts';

export const ETCD_HOSTS = ['e1', 'e2', 'e3'] as const;
const CLIENT_PORT = 2379;
const PEER_PORT = 2380;
/** On the disk of the host, which outlives its power. */
const DATA = '/var/lib/tako/etcd';

/** Lines below `registry:` of the configuration. */
export function registryLines(lab: Lab): readonly string[] {
  const endpoints = ETCD_HOSTS.map((name) => urlOf(lab, name, CLIENT_PORT));
  return ['etcd:', `  endpoints: [${endpoints.join(', ')}]`];
}

export class LabEtcd {
  readonly #lab: Lab;

  constructor(lab: Lab) {
    this.#lab = lab;
    for (const name of ETCD_HOSTS) this.#run(name);
  }

  async powerOff(...names: readonly string[]): Promise<void> {
    await Promise.all(names.map((name) => this.#lab.host(name).powerOff()));
  }

  async bringBack(...names: readonly string[]): Promise<void> {
    for (const name of names) {
      await this.#lab.host(name).powerOn();
      this.#run(
        must(
          ETCD_HOSTS.find((other) => other === name),
          'a host of etcd',
        ),
      );
    }
  }

  #run(name: (typeof ETCD_HOSTS)[number]): void {
    const client = urlOf(this.#lab, name, CLIENT_PORT);
    const peer = urlOf(this.#lab, name, PEER_PORT);
    const all = ETCD_HOSTS.map((other) => `${other}=${urlOf(this.#lab, other, PEER_PORT)}`);
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
    };
    const words = Object.entries(options).map(([word, value]) => `--${word}=${value}`);
    const host = this.#lab.host(name);
    host.spawn(['etcd', ...words], { logFile: `${host.folder}/log/etcd.log` }).unref();
  }
}

function urlOf(lab: Lab, name: string, port: number): string {
  return `http://${lab.host(name).address('lan').ipv4}:${port}`;
}
