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

export type CutHow = 'unplug' | 'mute';

interface Port {
  readonly host: string;
  readonly link: string;
  readonly mac: string;
  powered: boolean;
  /** A direct peer still sees a carrier although this host has no power. */
  silentlyOff: boolean;
  unplugged: boolean;
  muted: boolean;
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
      muted: false,
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
      if (port.muted) await this.#mute(port);
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
    if (how === 'mute') {
      if (!port.muted && port.powered) await this.#mute(port);
      port.muted = true;
      return;
    }
    port.unplugged = true;
    await this.#settle();
  }

  async mend(host: string, link: string): Promise<void> {
    const port = this.#port(host, link);
    if (port.muted) await this.#unmute(port);
    port.muted = false;
    port.unplugged = false;
    await this.#settle();
  }

  isCut(host: string, link: string): boolean {
    const port = this.#port(host, link);
    return port.muted || port.unplugged;
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

  /** Drops all that comes from the host and all that goes to it, without a trace for either. */
  async #mute(port: Port): Promise<void> {
    const device = `${port.host}-${port.link}`;
    const chain = (hook: string): string =>
      `chain ${hook} {\ntype filter hook ${hook} device "${device}" priority 0\npolicy drop\n}\n`;
    await this.#unmute(port);
    await this.#nft(`table netdev ${tableOf(port)} {\n${chain('ingress')}${chain('egress')}}\n`);
  }

  async #unmute(port: Port): Promise<void> {
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
