/**
 * A real cluster whose nodes keep histories of their votes: two nodes and a witness, three nodes, or
 * two nodes whose records are in an etcd of three members.
 * One group has a mirror; the others are programs that do nothing, so that there are many votes.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createApiClient } from '../../src/adapters/api-client/api-client.ts';
import { VOTE_HISTORY } from '../../src/adapters/vote-history.ts';
import { must } from '../../src/base/assert.ts';
import type { ApiClient } from '../../src/ports/api-client.ts';
import type { GroupId } from '../../src/protocol/ids.ts';
import { type Host, monotonicMs } from '../hosts/host.ts';
import { type Lab, createLab } from '../hosts/lab.ts';
import { until } from '../hosts/wait.ts';
import { ETCD_HOSTS, LabEtcd, registryLines } from '../registry/lab-etcd.ts';
import { type Vote, readVotes } from './vote-lines.ts';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
const RUN_DIR = '/run/tako';
/** In the lab's folder: what the witness serves. */
const WITNESS_FOLDER = 'witness';
/** In the host; it outlives power-offs, and is `HOST-FOLDER/log/votes.ndjson` on the machine. */
const HISTORY = '/var/log/votes.ndjson';
const START_MS = 60_000;
/** How long a request is given to bring about a vote, and how many are made. */
const ASK_AGAIN_MS = 3000;
const ASK_MAX = 20;

export type Shape = 'witness' | 'three' | 'etcd';
export const SHAPES: readonly Shape[] = ['witness', 'three', 'etcd'];

const NODES: Readonly<Record<Shape, readonly string[]>> = {
  witness: ['n1', 'n2'],
  three: ['n1', 'n2', 'n3'],
  etcd: ['n1', 'n2'],
};

export interface VoteClusterOptions {
  readonly shape: Shape;
  readonly groups: number;
  /** Where the sources are; this project unless told. */
  readonly root?: string | undefined;
}

export class VoteCluster {
  readonly lab: Lab;
  readonly groups: readonly string[];
  readonly #tako: string;
  readonly #configFile: string;
  readonly #nodeNames: readonly string[];
  /** Where the records are; undefined when the members hold them. */
  readonly etcd: LabEtcd | undefined;

  private constructor(
    lab: Lab,
    {
      shape,
      groups,
      root,
    }: { readonly shape: Shape; readonly groups: readonly string[]; readonly root: string },
  ) {
    this.lab = lab;
    this.groups = groups;
    this.#nodeNames = NODES[shape];
    this.etcd = shape === 'etcd' ? new LabEtcd(lab, 'mirror') : undefined;
    this.#tako = join(root, 'bin', 'tako');
    this.#configFile = join(lab.folder, 'tako.yaml');
  }

  /** Resolves when every group is online. */
  static async start({ shape, groups, root = PROJECT }: VoteClusterOptions): Promise<VoteCluster> {
    const lab = await createLab({
      nodes: [...NODES[shape], ...(shape === 'etcd' ? ETCD_HOSTS : [])],
      witness: shape === 'witness' ? 'w1' : false,
      client: false,
      mirrorLink: shape === 'witness' ? 'direct' : 'switched',
      keep: [root],
    });
    try {
      const names = Array.from({ length: groups }, (_, at) => `g${at}`);
      const cluster = new VoteCluster(lab, { shape, groups: names, root });
      await cluster.#prepare();
      for (const name of cluster.members) cluster.startTako(name);
      await until('every group is online', () => cluster.#allOnline(), { timeoutMs: START_MS });
      return cluster;
    } catch (error) {
      lab.destroy();
      throw error;
    }
  }

  /** Of the cluster: the nodes, and the witness where there is one. */
  get members(): readonly string[] {
    return this.lab.hosts.map(({ name }) => name).filter((name) => !isEtcdHost(name));
  }

  get nodes(): readonly Host[] {
    return this.#nodeNames.map((name) => this.lab.host(name));
  }

  startTako(name: string): void {
    const host = this.lab.host(name);
    const words = this.nodes.includes(host)
      ? ['run', '--config', this.#configFile, '--node', name]
      : ['witness', 'run', '--clusters', join(this.lab.folder, WITNESS_FOLDER)];
    const places = ['--run-dir', RUN_DIR, '--state-dir', '/var/lib/tako'];
    const launcher = host.spawn([this.#tako, ...words, ...places], {
      logFile: join(host.folder, 'tako.log'),
      environment: { [VOTE_HISTORY]: HISTORY },
    });
    launcher.unref();
  }

  /**
   * `heart`, `control`, or `witness`, which is started again as its service manager would; false
   * when there is none at this moment.
   */
  async kill(name: string, daemon: string): Promise<boolean> {
    const host = this.lab.host(name);
    if (!host.powered || !existsSync(host.pathOf(`${RUN_DIR}/${daemon}.pid`))) return false;
    try {
      await host.signalByPidFile(`${RUN_DIR}/${daemon}.pid`, 'KILL');
      if (daemon === 'witness') this.startTako(name);
      return true;
    } catch (error) {
      if (String(error).includes('No such process')) return false;
      throw error;
    }
  }

  /** Only while the node has power. */
  api(name: string): ApiClient {
    return createApiClient(this.lab.host(name).pathOf(`${RUN_DIR}/api.sock`));
  }

  /** All votes that were started so far, of all nodes and all lives of their controls. */
  votes(): readonly Vote[] {
    return this.nodes.flatMap((host) => {
      const file = join(host.folder, 'log', 'votes.ndjson');
      return existsSync(file) ? readVotes(readFileSync(file, 'utf8')) : [];
    });
  }

  /**
   * Has every group voted on once more, so that what was forgotten shows; it stops them. For a
   * cluster without troubles; throws when no vote comes about.
   */
  async voteOnAll(): Promise<void> {
    const from = monotonicMs();
    let lacking: readonly string[] = this.groups;
    for (let asked = 0; asked < ASK_MAX; asked += 1) {
      const { name } = must(this.nodes[asked % this.nodes.length], 'a cluster has nodes');
      // A node that is still starting refuses; the next one is asked then.
      for (const group of lacking)
        this.api(name)
          .stopGroup(group as GroupId)
          .catch(() => undefined);
      const voted = (): boolean => {
        const later = this.votes().filter(({ began }) => began > from);
        const chosen = later.filter(({ end }) => end?.outcome.type === 'chosen');
        lacking = this.groups.filter((id) => !chosen.some(({ group }) => group === id));
        return lacking.length === 0;
      };
      const waited = until('a vote on every group', voted, { timeoutMs: ASK_AGAIN_MS });
      if (await waited.catch(() => false)) return;
    }
    throw new Error(`Waited in vain for a vote on ${lacking.join(', ')}, with all troubles over`);
  }

  /** Copies histories, logs and votes to a folder that outlives the lab; names that. */
  keepLogs(): string {
    const folder = mkdtempSync(join(dirname(this.lab.folder), 'tako-votes-'));
    for (const host of this.lab.hosts) {
      // A member of etcd keeps much on its disk that tells nothing.
      const names = isEtcdHost(host.name) ? ['log'] : ['log', 'tako.log', 'state'];
      for (const name of names) {
        const from = join(host.folder, name);
        if (existsSync(from)) cpSync(from, join(folder, host.name, name), { recursive: true });
      }
    }
    return folder;
  }

  destroy(): void {
    this.lab.destroy();
  }

  async #prepare(): Promise<void> {
    const keyFile = join(this.lab.folder, 'cluster.key');
    const [first] = this.lab.hosts;
    await first?.run([this.#tako, 'key', 'new', keyFile]);
    writeFileSync(this.#configFile, this.#configText(keyFile));
    mkdirSync(join(this.lab.folder, WITNESS_FOLDER));
    symlinkSync(this.#configFile, join(this.lab.folder, WITNESS_FOLDER, 'votes.yaml'));
    for (const host of this.nodes) await host.run(['mkdir', '-p', `/srv/${this.groups[0]}`]);
  }

  async #allOnline(): Promise<boolean> {
    const status = await this.api('n1').status();
    const online = status.groups.filter(({ state }) => state === 'online');
    return online.length === this.groups.length;
  }

  #configText(keyFile: string): string {
    const direct = this.lab.mirrorLink === 'direct' ? ', direct: true' : '';
    const names = this.nodes.map(({ name }) => name);
    const witness = this.lab.hosts.find(({ name }) => name === 'w1');
    const nodes = this.nodes.map(
      (host) =>
        `  ${host.name}: { mirror: ${host.address('mirror').ipv4}, lan: ${host.address('lan').ipv4} }`,
    );
    return [
      'cluster: votes',
      `key-file: ${keyFile}`,
      'timing: { suspend-grace: 2s }',
      'links:',
      `  mirror: { kind: udp${direct} }`,
      '  lan: { kind: udp }',
      'nodes:',
      ...nodes,
      ...(witness === undefined
        ? []
        : ['witness:', `  ${witness.name}: { lan: ${witness.address('lan').ipv4} }`]),
      ...(this.etcd === undefined
        ? []
        : ['registry:', ...registryLines(this.lab).map((line) => `  ${line}`)]),
      'groups:',
      ...this.groups.flatMap((group, at) => groupText(group, at === 0, rotated(names, at))),
      '',
    ].join('\n');
  }
}

export function isEtcdHost(name: string): boolean {
  return ETCD_HOSTS.some((host) => host === name);
}

/** A mirror has two copies; everything else may run on all nodes. */
function groupText(group: string, mirrored: boolean, nodes: readonly string[]): readonly string[] {
  return [
    `  ${group}:`,
    `    nodes: [${(mirrored ? nodes.slice(0, 2) : nodes).join(', ')}]`,
    '    resources:',
    ...(mirrored ? [`      data: { agent: mirror, path: /srv/${group} }`] : []),
    '      program: { agent: process, command: [/bin/sleep, infinity] }',
  ];
}

function rotated(names: readonly string[], by: number): readonly string[] {
  return names.map((_, at) => names[(at + by) % names.length] ?? '');
}
