/**
 * One host of a lab: its own network, mounts, processes, host name, IPC objects and cgroups.
 *
 * | path in the host | | after a power-off |
 * |---|---|---|
 * | `/srv` | folder on the machine's disk, or a file system of limited size | as it was |
 * | `/var/lib/tako`, `/var/log`, `/tmp` | folders on the machine's disk | as they were |
 * | `/run`, `/dev/shm`, `/var/lib` otherwise | memory | empty |
 * | everything else | the machine's own | |
 *
 * The host's network interfaces have the names of its links. What a power-off does not do here: the
 * machine's kernel lives on, so data in its page cache are not lost.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { must } from '../../src/base/assert.ts';
import { killCgroup, makeCgroup, removeCgroup, setFrozen } from './cgroup.ts';
import { type RunOptions, type RunResult, ended, run } from './exec.ts';
import type { CutHow, Fabric } from './fabric.ts';
import { until } from './wait.ts';

const BOOT = fileURLToPath(new URL('./boot.sh', import.meta.url));
const BOOT_TIMEOUT_MS = 10_000;
/** A process that waits inside the kernel counts as running until it returns: so, not for ever. */
const FREEZE_TIMEOUT_MS = 500;
const DETACH_TIMEOUT_MS = 10_000;
const FILLER = '/srv/.filler';

export interface HostAddress {
  readonly link: string;
  readonly ipv4: string;
  readonly ipv6: string;
  readonly mac: string;
}

export interface HostOptions {
  readonly name: string;
  /** What survives the host's power-offs. */
  readonly folder: string;
  readonly cgroup: string;
  readonly addresses: readonly HostAddress[];
  /** Folders of the machine that must be visible in the host at their own paths. */
  readonly keep: readonly string[];
  /** Size of `/srv`; undefined: as large as the machine's disk. */
  readonly diskMiB: number | undefined;
}

export interface SpawnOptions {
  /** File on the machine that gets the program's output; undefined: pipes. */
  readonly logFile?: string | undefined;
  readonly environment?: Readonly<Record<string, string>> | undefined;
}

export interface PowerOffOptions {
  /**
   * Whether the other end of a direct link sees the carrier go: that is evidence of the death. A
   * network card that stays powered (wake on LAN, remote management) gives none. Default: it sees.
   */
  readonly carrier?: 'lost' | 'stays';
}

export class Host {
  readonly name: string;
  readonly folder: string;
  readonly #options: HostOptions;
  readonly #fabric: Fabric;
  #boot: ChildProcess | undefined;
  #pid: number | undefined;

  constructor(options: HostOptions, deps: { readonly fabric: Fabric }) {
    this.name = options.name;
    this.folder = options.folder;
    this.#options = options;
    this.#fabric = deps.fabric;
    for (const name of ['srv', 'state', 'log', 'tmp'])
      mkdirSync(join(this.folder, name), { recursive: true });
    for (const { link, mac } of options.addresses) {
      deps.fabric.addPort({ host: options.name, link, mac });
    }
  }

  get powered(): boolean {
    return this.#pid !== undefined;
  }

  /** The host's first process, as the machine numbers it. Only while it has power. */
  get pid(): number {
    return must(this.#pid, `host ${this.name} has power`);
  }

  get links(): readonly string[] {
    return this.#options.addresses.map(({ link }) => link);
  }

  address(link: string): HostAddress {
    return must(
      this.#options.addresses.find((address) => address.link === link),
      `host ${this.name} is on link ${link}`,
    );
  }

  /** The machine's path of a file in the host; only while it has power. */
  pathOf(path: string): string {
    return join(`/proc/${this.pid}/root`, path);
  }

  async powerOn(): Promise<void> {
    if (this.powered) return;
    makeCgroup(this.#options.cgroup);
    await this.#makeDisk();
    const namespaces = ['--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup', '--fork'];
    const boot = spawn(
      'sh',
      [
        ...['-c', 'echo $$ > "$0/cgroup.procs"; exec unshare "$@"', this.#options.cgroup],
        ...[...namespaces, '--', BOOT, this.name, this.folder, ...this.#options.keep],
      ],
      { detached: true, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.#boot = boot;
    this.#pid = await readyPid(boot, this.name);
    boot.unref();
    await this.#fabric.powerOn(this.name, this.#pid);
    await this.#configureNetwork();
  }

  /**
   * Everything on the host dies in the same instant, without goodbye. Returns the moment just
   * before, on the machine's CLOCK_MONOTONIC in milliseconds.
   */
  async powerOff(options: PowerOffOptions = {}): Promise<number> {
    const pid = this.pid;
    const boot = must(this.#boot, 'a host with power was booted');
    boot.ref();
    const gone = ended(boot);
    const at = monotonicMs();
    await this.#fabric.powerOff(this.name, options.carrier === 'stays');
    process.kill(pid, 'SIGKILL');
    this.#pid = undefined;
    killCgroup(this.#options.cgroup);
    await gone;
    await this.#fabric.removeInterfaces(this.name);
    await this.#diskDetached();
    // Groups that the host's programs made are gone after a real power-off as well.
    removeCgroup(this.#options.cgroup);
    return at;
  }

  /** Stops every process of the host where it is, as a hypervisor pauses a virtual machine. */
  async freeze(): Promise<void> {
    setFrozen(this.#options.cgroup, true);
    const deadline = performance.now() + FREEZE_TIMEOUT_MS;
    await until(
      `host ${this.name} frozen`,
      () => setFrozen(this.#options.cgroup, true) || performance.now() > deadline,
      { timeoutMs: 2 * FREEZE_TIMEOUT_MS, pollMs: 2 },
    );
  }

  thaw(): void {
    setFrozen(this.#options.cgroup, false);
  }

  cut(link: string, how: CutHow): Promise<void> {
    return this.#fabric.cut(this.name, link, how);
  }

  mend(link: string): Promise<void> {
    return this.#fabric.mend(this.name, link);
  }

  isCut(link: string): boolean {
    return this.#fabric.isCut(this.name, link);
  }

  /** Runs a program in the host to its end. */
  run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return run(['sh', ...this.#enter(argv)], options);
  }

  /** Starts a program in the host and leaves it running. */
  spawn(argv: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const env = { ...process.env, ...options.environment };
    const args = this.#enter(argv);
    if (options.logFile === undefined) {
      return spawn('sh', args, { detached: true, env, stdio: ['pipe', 'pipe', 'pipe'] });
    }
    const [first = '', enter = '', ...rest] = args;
    const logged = [first, `exec >> "$TAKO_LAB_LOG" 2>&1 < /dev/null; ${enter}`, ...rest];
    return spawn('sh', logged, {
      detached: true,
      env: { ...env, TAKO_LAB_LOG: options.logFile },
      stdio: 'ignore',
    });
  }

  /** To the process whose number, as the host counts, stands first in a file of the host. */
  async signalByPidFile(path: string, signal: 'KILL' | 'STOP' | 'CONT'): Promise<void> {
    const said = readFileSync(this.pathOf(path), 'utf8').trim();
    const pid = /^[1-9][0-9]*(?= |$)/.exec(said)?.[0];
    if (pid === undefined) throw new Error(`Cannot signal by "${path}": it says "${said}"`);
    await this.run(['sh', '-c', `kill -${signal} ${pid}`]);
  }

  /** Leaves no free block on `/srv`. Only for hosts with a disk of limited size. */
  async fillDisk(): Promise<void> {
    must(this.#options.diskMiB, `host ${this.name} has a disk of limited size`);
    // dd takes what is left in ever smaller steps: a block at the end must not stay free.
    const fill = (block: string): string =>
      `dd if=/dev/zero bs=${block} of=${FILLER} oflag=append conv=notrunc,fsync 2> /dev/null || true`;
    await this.run(['sh', '-c', ['1M', '4K', '512'].map(fill).join('; ')]);
  }

  async freeDisk(): Promise<void> {
    await this.run(['rm', '-f', FILLER]);
  }

  #enter(argv: readonly string[]): string[] {
    const namespaces = ['--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup'];
    return [
      ...['-c', 'echo $$ > "$0/cgroup.procs"; exec nsenter "$@"', this.#options.cgroup],
      ...[`--target=${this.pid}`, ...namespaces, '--wd=/', '--', ...argv],
    ];
  }

  async #makeDisk(): Promise<void> {
    const { diskMiB } = this.#options;
    const file = join(this.folder, 'disk');
    if (diskMiB === undefined) return;
    const made = await run(['test', '-e', file], { allowFailure: true });
    if (made.code === 0) return;
    writeFileSync(file, '');
    await run(['truncate', '-s', `${diskMiB}M`, file]);
    await run(['mkfs.ext4', '-q', '-F', '-m', '0', '-E', 'root_owner=0:0', file]);
  }

  /** The kernel unmounts in its own time; a disk must not be mounted again before it has. */
  async #diskDetached(): Promise<void> {
    if (this.#options.diskMiB === undefined) return;
    const users = ['losetup', '--noheadings', '--associated', join(this.folder, 'disk')];
    await until(`disk of ${this.name} free`, async () => (await run(users)).stdout === '', {
      timeoutMs: DETACH_TIMEOUT_MS,
    });
  }

  async #configureNetwork(): Promise<void> {
    const commands = ['link set lo up'];
    for (const { link, ipv4, ipv6 } of this.#options.addresses) {
      commands.push(`addr add ${ipv4}/24 brd + dev ${link}`);
      commands.push(`addr add ${ipv6}/64 dev ${link} nodad`);
      commands.push(`link set ${link} up`);
    }
    await this.run(['ip', '-batch', '-'], { input: `${commands.join('\n')}\n` });
  }
}

/** CLOCK_MONOTONIC in milliseconds: the same for every process of the machine and its hosts. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Waits for the line with which `boot.sh` says that the host stands, and gives the number in it. */
function readyPid(boot: ChildProcess, name: string): Promise<number> {
  return new Promise((resolve, reject) => {
    let said = '';
    const fail = (why: string): void => {
      finish();
      boot.kill('SIGKILL');
      reject(new Error(`Cannot power on host "${name}": ${why}: ${said.trim()}`));
    };
    const end = (): void => fail('its first process ended');
    const timer = setTimeout(() => fail('it took too long'), BOOT_TIMEOUT_MS);
    const listen = (chunk: Buffer): void => {
      said += chunk.toString('utf8');
      const pid = /^ready (\d+)$/m.exec(said)?.[1];
      if (pid === undefined) return;
      finish();
      resolve(Number(pid));
    };
    const finish = (): void => {
      clearTimeout(timer);
      boot.off('close', end);
      boot.stdout?.off('data', listen).resume();
      boot.stderr?.off('data', listen).resume();
    };
    boot.once('close', end);
    boot.stdout?.on('data', listen);
    boot.stderr?.on('data', listen);
  });
}
