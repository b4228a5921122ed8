/**
 * A real Tako cluster on test hosts: n1 and n2, the witness w1, and a client that uses the service;
 * or more nodes, and no witness.
 * Everything that scenarios, the live screen, the benchmark and the soak do with Tako goes through
 * here.
 */
import type { ChildProcess } from 'node:child_process';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createApiClient } from '../../src/adapters/api-client/api-client.ts';
import { must } from '../../src/base/assert.ts';
import type { ClusterStatus, GroupStatus } from '../../src/protocol/api.ts';
import type { TakoEvent } from '../../src/protocol/event.ts';
import type { RunResult } from '../hosts/exec.ts';
import { type Lab, type LabOptions, createLab } from '../hosts/lab.ts';
import { type Host, monotonicMs } from '../hosts/host.ts';
import { until } from '../hosts/wait.ts';
import type { App, AppClient } from './app.ts';
import { type ConfigChoices, configText, copiesOn } from './config-text.ts';

const TAKO = fileURLToPath(new URL('../../bin/tako', import.meta.url));
const RUN_DIR = '/run/tako';
const STATE_DIR = '/var/lib/tako';
const WITNESS = 'w1';
/** In the lab's folder: what the witness serves. */
const WITNESS_FOLDER = 'witness';
/** A status that takes longer is of no use for watching what happens. */
const STATUS_TIMEOUT_MS = 1500;
const SETTLE_TIMEOUT_MS = 60_000;
/** The service counts as working when its last acknowledgement is no older. */
const FRESH_MS = 600;

export interface ClusterOptions extends LabOptions {
  readonly app: App;
  /** How many of the hosts on both links are nodes of the cluster: the first two unless told. */
  readonly clusterNodes?: number | undefined;
  readonly timing?: ConfigChoices['timing'];
  readonly restarts?: ConfigChoices['restarts'];
  readonly hooks?: ConfigChoices['hooks'];
  readonly top?: ConfigChoices['top'];
  readonly registry?: ConfigChoices['registry'];
  readonly moreGroups?: ConfigChoices['moreGroups'];
  /** For `App.connect`. */
  readonly answerMs?: number | undefined;
  /** By host, the `bin/tako` of another release to run there; called when the lab's folder is there. */
  readonly releases?: ((lab: Lab) => ReadonlyMap<string, string>) | undefined;
}

export class Cluster {
  readonly lab: Lab;
  readonly app: App;
  readonly address: string;
  readonly configFile: string;
  readonly client: AppClient;
  readonly nodes: readonly Host[];
  readonly #releases: ReadonlyMap<string, string>;
  readonly #launchers = new Map<string, ChildProcess>();

  private constructor(lab: Lab, configFile: string, options: ClusterOptions) {
    const { app, answerMs, releases } = options;
    this.lab = lab;
    this.app = app;
    this.address = lab.virtualAddress(0);
    this.configFile = configFile;
    this.nodes = nodesOf(lab, options);
    this.#releases = releases?.(lab) ?? new Map();
    this.client = app.connect(lab, this.address, answerMs);
  }

  /** Makes the hosts, starts Tako on them; resolves when the service runs and all copies are equal. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const lab = await createLab(options);
    try {
      const keyFile = join(lab.folder, 'cluster.key');
      const configFile = join(lab.folder, 'tako.yaml');
      const nodes = nodesOf(lab, options);
      const witness = lab.hosts.find(({ name }) => name === WITNESS);
      await must(nodes[0], 'it has a node').run([TAKO, 'key', 'new', keyFile]);
      const choices = { ...options, nodes, witness, keyFile };
      writeFileSync(configFile, configText(lab, options.app, choices));
      mkdirSync(join(lab.folder, WITNESS_FOLDER));
      symlinkSync(configFile, join(lab.folder, WITNESS_FOLDER, 'demo.yaml'));
      await options.app.prepare(lab);
      const cluster = new Cluster(lab, configFile, options);
      for (const host of cluster.members) cluster.startTako(host.name);
      await cluster.settled();
      return cluster;
    } catch (error) {
      const kept = keepLogs(lab);
      lab.destroy();
      throw new Error(`${error instanceof Error ? error.message : String(error)} (logs: ${kept})`, {
        cause: error,
      });
    }
  }

  /** The hosts of the configuration. */
  get members(): readonly Host[] {
    return [...this.nodes, ...this.lab.hosts.filter(({ name }) => name === WITNESS)];
  }

  get configText(): string {
    return readFileSync(this.configFile, 'utf8');
  }

  other(node: string): Host {
    return must(
      this.nodes.find(({ name }) => name !== node),
      'a lab has two nodes',
    );
  }

  startTako(name: string): void {
    const host = this.lab.host(name);
    const words = this.nodes.includes(host)
      ? ['run', '--config', this.configFile, '--node', name]
      : ['witness', 'run', '--clusters', join(this.lab.folder, WITNESS_FOLDER)];
    const places = ['--run-dir', RUN_DIR, '--state-dir', STATE_DIR];
    const tako = this.#releases.get(name) ?? TAKO;
    const launcher = host.spawn([tako, ...words, ...places], {
      logFile: join(host.folder, 'tako.log'),
    });
    launcher.unref();
    this.#launchers.set(name, launcher);
  }

  /** Power back and Tako started, as a machine does by itself. */
  async bringBack(name: string): Promise<void> {
    await this.lab.host(name).powerOn();
    this.startTako(name);
  }

  /** SIGKILL to one of a node's daemons: `heart`, `control` or `mirror-GROUP.RESOURCE`. */
  async killDaemon(name: string, daemon: string): Promise<void> {
    await this.lab.host(name).signalByPidFile(`${RUN_DIR}/${daemon}.pid`, 'KILL');
  }

  /** That process alone stops where it is; what was sent to it waits. */
  async hangDaemon(name: string, daemon: string): Promise<void> {
    await this.lab.host(name).signalByPidFile(`${RUN_DIR}/${daemon}.pid`, 'STOP');
  }

  async wakeDaemon(name: string, daemon: string): Promise<void> {
    await this.lab.host(name).signalByPidFile(`${RUN_DIR}/${daemon}.pid`, 'CONT');
  }

  /** What the node answers, or undefined when it has no power, is frozen, or Tako does not run. */
  async status(name: string): Promise<ClusterStatus | undefined> {
    const host = this.lab.host(name);
    if (!host.powered) return undefined;
    const client = createApiClient(host.pathOf(`${RUN_DIR}/api.sock`));
    return within(client.status().catch(() => undefined));
  }

  async events(name: string, limit: number): Promise<readonly TakoEvent[]> {
    const host = this.lab.host(name);
    if (!host.powered) return [];
    const client = createApiClient(host.pathOf(`${RUN_DIR}/api.sock`));
    return (await within(client.events(limit).catch(() => undefined))) ?? [];
  }

  /** The group as the node sees it that knows the latest epoch. */
  async group(): Promise<GroupStatus | undefined> {
    const seen = await Promise.all(this.nodes.map(({ name }) => this.groupSeenBy(name)));
    return seen
      .filter((group) => group !== undefined)
      .toSorted((a, b) => (b.epoch ?? 0) - (a.epoch ?? 0))[0];
  }

  async groupSeenBy(name: string): Promise<GroupStatus | undefined> {
    const status = await this.status(name);
    return status?.groups.find(({ id }) => id === this.app.name);
  }

  async owner(): Promise<string> {
    return until('the group has an owner', async () => (await this.group())?.owner, {
      timeoutMs: SETTLE_TIMEOUT_MS,
    });
  }

  /** Waits until the group is online and served, every member is up, and all copies are equal. */
  async settled(timeoutMs = SETTLE_TIMEOUT_MS): Promise<GroupStatus> {
    const calledAt = monotonicMs();
    let lacks = 'nobody answers';
    const group = await until(
      'the cluster is whole again',
      async () => {
        const found = await this.#lacks(calledAt);
        if (typeof found !== 'string') return found;
        lacks = found;
        return undefined;
      },
      { timeoutMs, pollMs: 100 },
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${lacks}`, { cause: error });
    });
    return group;
  }

  /** The group when all is well, otherwise what is not. */
  async #lacks(calledAt: number): Promise<GroupStatus | string> {
    const owner = (await this.group())?.owner;
    if (owner === undefined) return 'the group has no owner';
    const status = await this.status(owner);
    const group = status?.groups.find(({ id }) => id === this.app.name);
    if (status === undefined || group === undefined) return `owner ${owner} does not answer`;
    if (group.owner !== owner) return `${owner} says that ${group.owner} is the owner`;
    if (group.state !== 'online') return `the group is ${group.state}: ${group.reason}`;
    const ill = group.resources.find(({ state }) => state !== 'online');
    if (ill !== undefined) return `resource ${ill.id} is ${ill.state}: ${ill.detail}`;
    const away = status.nodes.find(({ state }) => state !== 'up');
    if (away !== undefined) return `${away.id} is ${away.state}: ${away.reason}`;
    for (const [mirror, inSync] of Object.entries(group.inSync)) {
      if (inSync.length < copiesOn(this.nodes).length)
        return `${mirror} is in sync on ${inSync.join()} only`;
    }
    const { stats } = this.client;
    const ackAt = stats?.lastAckAt ?? Number.NEGATIVE_INFINITY;
    const age = monotonicMs() - ackAt;
    if (ackAt < calledAt || age > FRESH_MS) {
      return `the service does not acknowledge (for ${Math.round(age)} ms)`;
    }
    return group;
  }

  /** Waits until the service acknowledges through another server than `instance`. */
  async servedByOther(instance: string | undefined, timeoutMs: number): Promise<void> {
    await until(
      'another server acknowledges',
      () => this.client.stats?.instance !== instance && this.client.stats !== undefined,
      { timeoutMs },
    );
  }

  /** The command line tool on a node, as an administrator uses it. */
  tako(name: string, ...words: readonly string[]): Promise<RunResult> {
    return this.lab.host(name).run([TAKO, ...words], { allowFailure: true, timeoutMs: 90_000 });
  }

  /** Copies what explains the lab's recent past to a folder that outlives it; names that. */
  keepLogs(): string {
    return keepLogs(this.lab);
  }

  destroy(): void {
    this.client.stop();
    this.lab.destroy();
  }
}

function nodesOf(lab: Lab, { clusterNodes = 2 }: ClusterOptions): readonly Host[] {
  return lab.hosts.filter(({ links }) => links.includes('mirror')).slice(0, clusterNodes);
}

function keepLogs(lab: Lab): string {
  const folder = join(dirname(lab.folder), `tako-logs-${lab.id}-${Date.now().toString(36)}`);
  mkdirSync(folder, { recursive: true });
  for (const host of lab.hosts) {
    if (host.powered) copyRunDir(host, join(folder, host.name));
    for (const name of ['tako.log', 'log', 'state']) {
      const from = join(host.folder, name);
      if (existsSync(from)) cpSync(from, join(folder, host.name, name), { recursive: true });
    }
  }
  const config = join(lab.folder, 'tako.yaml');
  if (existsSync(config)) cpSync(config, join(folder, 'tako.yaml'));
  return folder;
}

/** Logs, lease marks and the like are in memory, and gone with the host. */
function copyRunDir(host: Host, to: string): void {
  mkdirSync(to, { recursive: true });
  const from = host.pathOf(RUN_DIR);
  if (!existsSync(from)) return;
  const filter = (path: string): boolean => {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    return stat?.isFile() === true || stat?.isDirectory() === true;
  };
  cpSync(from, join(to, 'run'), { recursive: true, filter });
}

function within<T>(promise: Promise<T>): Promise<T | undefined> {
  return Promise.race([
    promise,
    new Promise<undefined>((resolve) => {
      setTimeout(() => resolve(undefined), STATUS_TIMEOUT_MS).unref();
    }),
  ]);
}
