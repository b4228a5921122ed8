/**
 * The cables and switches of a lab, in a network namespace of their own, so that the machine's
 * network is never touched. One bridge per link; each host's interface is one end of a veth pair
 * whose other end, `HOST-LINK`, is a port of the bridge:
 *
 *       n1            fabric             n2
 *      [lan]────n1-lan [lan] n2-lan────[lan]
 *      [mirror]─n1-mirror [mirror] n2-mirror─[mirror]
 *
 * A port that is down takes the carrier away from its host, as a pulled plug does. On a direct
 * link, a cable without a switch, a host without power or plug takes the carrier from both.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { must } from '../../src/base/assert.ts';
import { makeCgroup } from './cgroup.ts';
import { ended, run } from './exec.ts';

/**
 * `unplug`: the carrier goes. The others leave it and drop packets without a trace: `mute` all of
 * them, `deafen` those that come to the host, `gag` those that it sends.
 */
export type CutHow = 'unplug' | 'mute' | 'deafen' | 'gag';
type Silence = Exclude<CutHow, 'unplug'>;

/** As the fabric's end of the cable sees it: what the host sends comes in there. */
const HOOKS: Readonly<Record<Silence, readonly string[]>> = {
  mute: ['ingress', 'egress'],
  deafen: ['egress'],
  gag: ['ingress'],
};

interface Port {
  readonly host: string;
  readonly link: string;
  readonly mac: string;
  powered: boolean;
  /** A direct peer still sees a carrier although this host has no power. */
  silentlyOff: boolean;
  unplugged: boolean;
  silence: Silence | undefined;
  /** As the kernel was told last. */
  up: boolean;
}

export class Fabric {
  readonly #cgroup: string;
  readonly #direct: ReadonlySet<string>;
  readonly #ports: Port[] = [];
  #holder: ChildProcess | undefined;

  constructor(options: { readonly cgroup: string; readonly direct: readonly string[] }) {
    this.#cgroup = join(options.cgroup, 'fabric');
    this.#direct = new Set(options.direct);
  }

  async start(links: readonly string[]): Promise<void> {
    makeCgroup(this.#cgroup);
    const enter =
      'echo $$ > "$0/cgroup.procs"; exec unshare --net -- sh -c "echo ready; exec sleep infinity"';
    const holder = spawn('sh', ['-c', enter, this.#cgroup], {
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#holder = holder;
    await new Promise<void>((resolve, reject) => {
      holder.stdout.once('data', () => resolve());
      void ended(holder).then(() => reject(new Error('Cannot make the network of a lab')), reject);
    });
    holder.stdout.destroy();
    holder.unref();
    await this.#ip(
      links.flatMap((link) => [
        `link add ${link} type bridge forward_delay 0 stp_state 0 mcast_snooping 0`,
        `link set ${link} up`,
      ]),
    );
  }

  addPort(port: { readonly host: string; readonly link: string; readonly mac: string }): void {
    this.#ports.push({
      ...port,
      powered: false,
      silentlyOff: false,
      unplugged: false,
      silence: undefined,
      up: false,
    });
  }

  /** Gives the host, whose first process is `pid`, its interfaces. */
  async powerOn(host: string, pid: number): Promise<void> {
    const ports = this.#of(host);
    await this.#ip(
      ports.flatMap(({ link, mac }) => [
        `link add ${host}-${link} type veth peer name ${link} address ${mac} netns ${pid}`,
        `link set ${host}-${link} master ${link}`,
      ]),
    );
    for (const port of ports) {
      port.powered = true;
      port.silentlyOff = false;
      port.up = false;
      if (port.silence !== undefined) await this.#silence(port, port.silence);
    }
    await this.#settle();
  }

  /** The host's interfaces go dark. With `carrierStays` a direct peer does not see it. */
  async powerOff(host: string, carrierStays: boolean): Promise<void> {
    for (const port of this.#of(host)) {
      port.powered = false;
      port.silentlyOff = carrierStays;
    }
    await this.#settle();
  }

  /** Forgets the interfaces of a host that is dead, whose namespace may linger for a moment. */
  async removeInterfaces(host: string): Promise<void> {
    const ports = this.#of(host);
    await this.#ip(
      ports.map(({ link }) => `link del ${host}-${link}`),
      true,
    );
    for (const port of ports) port.up = false;
  }

  async cut(host: string, link: string, how: CutHow): Promise<void> {
    const port = this.#port(host, link);
    if (how !== 'unplug') {
      if (port.silence !== how && port.powered) await this.#silence(port, how);
      port.silence = how;
      return;
    }
    port.unplugged = true;
    await this.#settle();
  }

  async mend(host: string, link: string): Promise<void> {
    const port = this.#port(host, link);
    if (port.silence !== undefined) await this.#unsilence(port);
    port.silence = undefined;
    port.unplugged = false;
    await this.#settle();
  }

  isCut(host: string, link: string): boolean {
    const port = this.#port(host, link);
    return port.silence !== undefined || port.unplugged;
  }

  /** Sets every port up or down as power and plugs want it, all in one go. */
  async #settle(): Promise<void> {
    const commands: string[] = [];
    for (const port of this.#ports) {
      const wanted = this.#wantedUp(port);
      if (port.up === wanted) continue;
      port.up = wanted;
      commands.push(`link set ${port.host}-${port.link} ${wanted ? 'up' : 'down'}`);
    }
    if (commands.length > 0) await this.#ip(commands);
  }

  #wantedUp(port: Port): boolean {
    if (!port.powered || port.unplugged) return false;
    if (!this.#direct.has(port.link)) return true;
    return this.#ports
      .filter((other) => other.link === port.link && other !== port)
      .every((other) => (other.powered || other.silentlyOff) && !other.unplugged);
  }

  /** Drops what comes from the host, what goes to it, or both, without a trace for either. */
  async #silence(port: Port, how: Silence): Promise<void> {
    const device = `${port.host}-${port.link}`;
    const chain = (hook: string): string =>
      `chain ${hook} {\ntype filter hook ${hook} device "${device}" priority 0\npolicy drop\n}\n`;
    await this.#unsilence(port);
    await this.#nft(`table netdev ${tableOf(port)} {\n${HOOKS[how].map(chain).join('')}}\n`);
  }

  async #unsilence(port: Port): Promise<void> {
    // Adding first makes the deletion succeed whether or not the table was there.
    await this.#nft(`table netdev ${tableOf(port)}\ndelete table netdev ${tableOf(port)}`);
  }

  #port(host: string, link: string): Port {
    return must(
      this.#ports.find((port) => port.host === host && port.link === link),
      `host ${host} is on link ${link}`,
    );
  }

  #of(host: string): Port[] {
    return this.#ports.filter((port) => port.host === host);
  }

  async #ip(commands: readonly string[], force = false): Promise<void> {
    const flags = force ? ['-force'] : [];
    await this.#inside(['ip', ...flags, '-batch', '-'], {
      input: `${commands.join('\n')}\n`,
      allowFailure: force,
    });
  }

  async #nft(rules: string): Promise<void> {
    await this.#inside(['nft', '-f', '-'], { input: rules, allowFailure: false });
  }

  async #inside(
    argv: readonly string[],
    options: { readonly input: string; readonly allowFailure: boolean },
  ): Promise<void> {
    const pid = must(this.#holder?.pid, 'the fabric was started');
    await run(['nsenter', `--net=/proc/${pid}/ns/net`, '--', ...argv], options);
  }
}

function tableOf(port: Port): string {
  return `cut_${port.host}_${port.link}`;
}
