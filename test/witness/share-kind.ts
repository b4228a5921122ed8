/** A share as a kind of the conformance suite: a directory that both nodes reach. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  writeFileSync,
  readdirSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkConfig } from '../../src/adapters/config/load-config.ts';
import { lifeNotePath, readLifeNote, writeLifeNote } from '../../src/adapters/share/life-note.ts';
import { makeSeat } from '../../src/adapters/share/share-seat.ts';
import { must } from '../../src/base/assert.ts';
import type { NodeSetup } from '../../src/protocol/config.ts';
import type { ClusterName, WitnessKind, WitnessRig } from './kind.ts';
import { Member } from './member.ts';
import { until } from '../hosts/wait.ts';
import { A, B, W, type ClusterText, clusterText, timingWith } from './process.ts';
import { userOf } from './user.ts';

const NUMBERS = { one: 1, two: 2 } as const;
const STRANGER_KEY = 99;
const CLUSTER = 'same';
const START_MS = 50_000;

export const shareKind: WitnessKind = {
  name: 'a share',
  create: async (leaseMs) => {
    const shares = new Shares(timingWith(leaseMs));
    const nodes = (['a', 'b'] as const).map((node) => shares.member('one', node));
    try {
      await until('both nodes reach the share', () => nodes.every((node) => node.hears(W)), {
        timeoutMs: START_MS,
      });
    } catch (error) {
      shares.destroy();
      throw error;
    }
    return rigOf(shares);
  },
};

class Shares {
  readonly folder = mkdtempSync(join(tmpdir(), 'tako-share-'));
  readonly members = new Map<string, Member>();
  readonly #timing: string;

  constructor(timing: string) {
    this.#timing = timing;
    for (const cluster of ['one', 'two'] as const) this.make(cluster);
  }

  path(cluster: ClusterName): string {
    return join(this.folder, cluster);
  }

  directory(cluster: ClusterName): string {
    return join(this.path(cluster), `tako-${CLUSTER}`);
  }

  make(cluster: ClusterName): void {
    mkdirSync(this.path(cluster), { recursive: true });
    const key = keyOf(NUMBERS[cluster]);
    makeSeat({ path: this.path(cluster), cluster: CLUSTER, key }, [A, B], { replace: false });
  }

  member(cluster: ClusterName, node: 'a' | 'b', keyNumber: number = NUMBERS[cluster]): Member {
    const name = `${cluster}-${node}-${keyNumber}`;
    const known = this.members.get(name);
    if (known !== undefined) return known;
    const member = this.#newMember(cluster, node, { name, keyNumber });
    this.members.set(name, member);
    return member;
  }

  #newMember(
    cluster: ClusterName,
    node: 'a' | 'b',
    { name, keyNumber }: { readonly name: string; readonly keyNumber: number },
  ): Member {
    const runDir = join(this.folder, name);
    mkdirSync(runDir);
    const keyFile = join(runDir, 'key');
    writeFileSync(keyFile, keyOf(keyNumber).toString('base64'), { mode: 0o600 });
    const text: ClusterText = { number: NUMBERS[cluster], timing: this.#timing };
    const witness = `witness: { w: { share: ${this.path(cluster)}, any-file-system: true } }`;
    const { config } = checkConfig('test', clusterText(text).replace(/^witness:.*$/mu, witness));
    const setup: NodeSetup = {
      ...{ node: node === 'a' ? A : B, runDir, stateDir: runDir, configFile: 'test' },
      config: { ...must(config, 'the text is good'), keyFile },
    };
    const setupFile = join(runDir, 'setup.json');
    writeFileSync(setupFile, JSON.stringify(setup));
    return new Member(setup, keyOf(keyNumber), { claims: true, setupFile });
  }

  /** The processes that vote for the nodes are killed; new ones find nothing. */
  crash(): void {
    for (const cluster of ['one', 'two'] as const) {
      const directory = this.directory(cluster);
      if (existsSync(directory)) renameSync(directory, `${directory}-gone`);
    }
    for (const pid of this.#voting()) process.kill(pid, 'SIGKILL');
  }

  async start(cluster: ClusterName): Promise<void> {
    for (const name of this.members.keys()) await nothingComesLate(join(this.folder, name));
    renameSync(`${this.directory(cluster)}-gone`, this.directory(cluster));
  }

  loseStorage(cluster: ClusterName): void {
    rmSync(`${this.directory(cluster)}-gone`, { recursive: true });
    this.make(cluster);
    renameSync(this.directory(cluster), `${this.directory(cluster)}-gone`);
  }

  spoilStorage(cluster: ClusterName): void {
    const directory = `${this.directory(cluster)}-gone`;
    for (const file of readdirSync(directory).filter((name) => name.startsWith('node-'))) {
      const path = join(directory, file);
      execFileSync('dd', ['if=/dev/urandom', `of=${path}`, 'bs=16k', 'count=6', 'status=none']);
    }
  }

  destroy(): void {
    for (const member of this.members.values()) member.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #voting(): readonly number[] {
    const said = execFileSync('ps', ['--ppid', String(process.pid), '-o', 'pid=,args='], {
      encoding: 'utf8',
    });
    const lines = said.split('\n').filter((line) => line.includes(`${this.folder}/`));
    return lines.map((line) => Number.parseInt(line, 10));
  }
}

function rigOf(shares: Shares): WitnessRig {
  return {
    user: (cluster, node) => userOf(shares.member(cluster, node), node),
    stranger: (cluster) => userOf(shares.member(cluster, 'a', STRANGER_KEY), 'a'),
    crash: async () => shares.crash(),
    loseStorage: (cluster) => shares.loseStorage(cluster),
    spoilStorage: (cluster) => shares.spoilStorage(cluster),
    start: async (...clusters) => {
      for (const cluster of clusters) await shares.start(cluster);
    },
    destroy: async () => shares.destroy(),
  };
}

/** The directory is on a disk of this machine: who is dead has no write under way there. */
async function nothingComesLate(stateDir: string): Promise<void> {
  const path = lifeNotePath(stateDir);
  const note = await readLifeNote(path);
  if (note !== undefined) await writeLifeNote(path, { ...note, open: [] });
}

function keyOf(byte: number): Buffer {
  return Buffer.alloc(32, byte);
}
