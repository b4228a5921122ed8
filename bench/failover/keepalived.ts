/**
 * keepalived with VRRPv3 and adverts every 0.1 s, on the same kind of hosts, with the same client.
 * It has neither votes nor data, and both hosts run the service all the time. It moves the address
 * back to nobody by itself (`nopreempt`).
 */
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Lab, createLab } from '../../test/hosts/lab.ts';
import type { Host } from '../../test/hosts/host.ts';
import { until } from '../../test/hosts/wait.ts';
import { LedgerDriver } from '../../test/programs/ledger/driver.ts';
import { answered } from './answered.ts';
import { ANSWER_MS, type Situation } from './figures.ts';

const ANSWERER = fileURLToPath(new URL('./answerer.mjs', import.meta.url));
const PORT = 7000;
const EFFECT_MS = 30_000;

export class KeepalivedBench {
  readonly #lab: Lab;
  readonly #client: LedgerDriver;

  private constructor(lab: Lab) {
    this.#lab = lab;
    const address = lab.virtualAddress(0);
    const options = {
      host: lab.host('client'),
      name: 'client',
      address,
      port: PORT,
      answerMs: ANSWER_MS,
    };
    this.#client = new LedgerDriver(options);
  }

  static async start(): Promise<KeepalivedBench> {
    const lab = await createLab({ witness: false });
    const bench = new KeepalivedBench(lab);
    for (const host of bench.#hosts) startKeepalived(lab, host);
    await bench.#settled();
    return bench;
  }

  /** Undefined for what keepalived does not do: it never starts a program again. */
  async measure(situation: Situation): Promise<number | undefined> {
    if (situation === 'program-kill') return undefined;
    await this.#settled();
    const owner = await this.#holder();
    const instance = this.#client.stats?.instance;
    await this.#client.mark();
    if (situation === 'move') {
      // Asked to end, the master says so, and the other takes over at once.
      await owner.run(['pkill', '-TERM', '-o', '-x', 'keepalived']);
    } else {
      const carrier = situation === 'power-off' ? 'lost' : 'stays';
      await owner.powerOff({ carrier });
    }
    await until(
      'the other host answers',
      () => this.#client.stats !== undefined && this.#client.stats.instance !== instance,
      { timeoutMs: EFFECT_MS },
    );
    const { longestGapMs } = await this.#client.report();
    if (owner.powered)
      await until('keepalived ended', () => hasEnded(owner), { timeoutMs: 10_000 });
    await owner.powerOn();
    startKeepalived(this.#lab, owner);
    return longestGapMs / 1000;
  }

  rest(): Promise<void> {
    return this.#lab.host('client').freeze();
  }

  async wake(): Promise<void> {
    this.#lab.host('client').thaw();
    await answered(this.#client);
  }

  destroy(): void {
    this.#client.stop();
    this.#lab.destroy();
  }

  get #hosts(): readonly Host[] {
    return this.#lab.hosts.filter(({ name }) => name !== 'client');
  }

  async #holder(): Promise<Host> {
    return until('a host has the address', () => this.#findHolder(), { timeoutMs: EFFECT_MS });
  }

  async #findHolder(): Promise<Host | undefined> {
    for (const host of this.#hosts) {
      const { stdout } = await host.run(['ip', '-4', '-br', 'address', 'show', 'dev', 'lan']);
      if (stdout.includes(`${this.#lab.virtualAddress(0)}/`)) return host;
    }
    return undefined;
  }

  /** Both run keepalived, and the client gets answers. */
  async #settled(): Promise<void> {
    await until(
      'keepalived runs on both hosts and the client gets answers',
      async () => {
        for (const host of this.#hosts) if (await hasEnded(host)) return false;
        const { stats } = this.#client;
        return stats?.lastAckAt !== undefined && stats.at - stats.lastAckAt < 200;
      },
      { timeoutMs: EFFECT_MS },
    );
    // A backup that has just started waits for three adverts before it counts.
    await until('adverts were heard', () => this.#heardAdverts(), { timeoutMs: EFFECT_MS });
  }

  async #heardAdverts(): Promise<boolean> {
    const holder = await this.#holder();
    const backup = this.#hosts.find((host) => host !== holder);
    const log = await backup?.run(['tail', '-n', '20', '/var/log/keepalived'], {
      allowFailure: true,
    });
    return log?.stdout.includes('Entering BACKUP STATE') === true;
  }
}

async function hasEnded(host: Host): Promise<boolean> {
  return (await host.run(['pgrep', '-x', 'keepalived'], { allowFailure: true })).code !== 0;
}

function startKeepalived(lab: Lab, host: Host): ChildProcess {
  const file = join(lab.folder, `keepalived-${host.name}.conf`);
  writeFileSync(file, configOf(lab, host));
  host.spawn([process.execPath, ANSWERER, String(PORT)], {
    logFile: join(host.folder, 'log', 'answerer'),
  });
  return host.spawn(['keepalived', '--dont-fork', '--log-console', '--use-file', file], {
    logFile: join(host.folder, 'log', 'keepalived'),
  });
}

function configOf(lab: Lab, host: Host): string {
  return `global_defs {
  vrrp_version 3
  vrrp_garp_master_refresh 60
}
vrrp_instance service {
  state BACKUP
  nopreempt
  interface lan
  virtual_router_id 51
  priority ${host.name === 'n1' ? 150 : 100}
  advert_int 0.1
  virtual_ipaddress {
    ${lab.virtualAddress(0)}/24 dev lan
  }
}
`;
}
