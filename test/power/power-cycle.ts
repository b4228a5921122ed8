/**
 * Two nodes with disks that lose what was not synced, a program that writes and syncs, and power
 * losses of either or both of them at any moment. In place of control, this knows who the owner is and which
 * copies are in sync. After each loss: everything that was acknowledged is there, on whoever
 * goes on, and the copies become equal again.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { must } from '../../src/base/assert.ts';
import type { Prng } from '../../src/base/prng.ts';
import type { Epoch, NodeId } from '../../src/protocol/ids.ts';
import { compareTrees } from '../mirror/compare-trees.ts';
import { Rig, type RigNode } from '../mirror/rig.ts';
import { PowerDisk } from './power-disk.ts';

const WRITER = fileURLToPath(new URL('writer.mjs', import.meta.url));
const NODES = ['n1', 'n2'] as NodeId[];
const WAIT_MS = 30_000;
/** How long the program writes before the power goes, at most. */
const WRITING_MS_MAX = 1500;
/** How often the power goes while a copy is brought up to date, and how long after it began. */
const RESYNC_BROKEN = 0.3;
const RESYNC_MS_MAX = 400;

export type Loss = 'owner' | 'copy' | 'both';

/** How resyncs began, counted by what was compared. */
export type Resyncs = Record<'everything' | 'nothing' | 'former' | 'own', number>;

export class PowerCycle {
  readonly resyncs: Resyncs = { everything: 0, nothing: 0, former: 0, own: 0 };
  acknowledged = 0;
  /** Resyncs in the middle of which power was lost. */
  broken = 0;
  readonly #random: Prng;
  readonly #base = mkdtempSync(join(tmpdir(), 'tako-power-'));
  readonly #disks: ReadonlyMap<NodeId, PowerDisk>;
  readonly #basePort: number;
  #rig: Rig | undefined;
  #owner: NodeId = NODES[0] ?? ('n1' as NodeId);
  #inSync = new Set<NodeId>();
  #epoch = 0;
  #writer: ChildProcess | undefined;
  #number = 0;
  /** The last number of each file that was acknowledged; of those that are appended to, all of them. */
  readonly #appended = new Map<string, number[]>();
  readonly #replaced = new Map<string, number>();

  constructor(random: Prng, basePort: number) {
    this.#random = random;
    this.#basePort = basePort;
    this.#disks = new Map(NODES.map((id) => [id, new PowerDisk(join(this.#base, id))]));
  }

  /** Both run, and are in sync. */
  async begin(): Promise<void> {
    for (const disk of this.#disks.values()) await disk.start();
    const disks = (id: NodeId): string => this.#disk(id).path;
    this.#rig = new Rig({ nodes: NODES.length, basePort: this.#basePort, disks });
    for (const id of NODES) await this.#node(id).start();
    await this.#serve(this.#owner);
    await this.#follow();
  }

  /** The power goes while the program writes, and comes back. Throws when something is lost. */
  async round(loss: Loss): Promise<void> {
    this.#startWriter();
    await delay(this.#random.below(WRITING_MS_MAX));
    const [owner, copy] = [this.#owner, this.#other];
    const dead = loss === 'owner' ? [owner] : loss === 'copy' ? [copy] : [owner, copy];
    await this.#losePower(dead);
    // Meanwhile the other one goes on for a while, or not.
    if (loss === 'copy') await this.#goOnAlone();
    await this.#endWriter();
    if (loss === 'owner') this.#owner = copy;
    else if (loss === 'both') this.#owner = this.#random.pick([...this.#inSync]);
    for (const id of dead) await this.#powerOn(id);
    if (loss !== 'copy') await this.#serve(this.#owner);
    this.#checkLedger();
    if (loss !== 'copy' && this.#random.chance(0.7)) await this.#writeForAWhile();
    if (this.#random.chance(RESYNC_BROKEN)) await this.#breakResync();
    await this.#follow();
    this.#checkEqual();
  }

  async end(): Promise<void> {
    this.#writer?.kill('SIGKILL');
    await this.#rig?.close();
    for (const disk of this.#disks.values()) await disk.remove();
    rmSync(this.#base, { recursive: true, force: true });
  }

  get #other(): NodeId {
    return must(
      NODES.find((id) => id !== this.#owner),
      'there are two',
    );
  }

  #disk(id: NodeId): PowerDisk {
    return must(this.#disks.get(id), 'each node has a disk');
  }

  #node(id: NodeId): RigNode {
    return must(this.#rig, 'it has begun').node(NODES.indexOf(id));
  }

  async #losePower(dead: readonly NodeId[]): Promise<void> {
    for (const id of dead) this.#node(id).signal('SIGSTOP');
    for (const id of dead) await this.#disk(id).losePower(this.#random.below(2 ** 31));
    for (const id of dead) {
      await this.#node(id).kill();
      this.#node(id).freePath();
      this.#disk(id).takeAway();
    }
  }

  async #powerOn(id: NodeId): Promise<void> {
    await this.#disk(id).start();
    await this.#node(id).start();
  }

  /** The copy is gone: the owner notices, votes it out, and the program goes on. */
  async #goOnAlone(): Promise<void> {
    const [owner, copy] = [this.#node(this.#owner), this.#other];
    await owner.until(() => owner.heard('peerSilent').length > 0, 'the copy is missed', WAIT_MS);
    this.#inSync.delete(copy);
    await owner.ok({ type: 'expel', peer: copy });
    await delay(this.#random.below(WRITING_MS_MAX));
  }

  async #serve(id: NodeId): Promise<void> {
    const node = this.#node(id);
    if (this.#epoch > 0) await node.ok({ type: 'seal', epoch: this.#epoch as Epoch });
    this.#epoch += 1;
    node.holdLease(this.#epoch);
    this.#inSync = new Set([id]);
    await node.ok({ type: 'serve', epoch: this.#epoch as Epoch, inSync: [id] });
    this.#owner = id;
  }

  /** The other one follows the owner until it is in sync. */
  async #follow(): Promise<void> {
    const [owner, copy] = [this.#node(this.#owner), this.#node(this.#other)];
    owner.news.length = 0;
    const begun = beginnings(owner).length;
    await copy.ok({ type: 'follow', epoch: this.#epoch as Epoch, primary: owner.id });
    await owner.until(
      () => owner.heard('peerCaughtUp').length > 0,
      'the copy has caught up',
      WAIT_MS,
    );
    await owner.ok({ type: 'admit', peer: copy.id });
    this.#inSync.add(copy.id);
    owner.news.length = 0;
    for (const { type, since, beside } of beginnings(owner).slice(begun)) {
      if (type === 'resync') this.resyncs[since === undefined ? 'everything' : beside] += 1;
    }
  }

  /** The power goes again before the copy is in sync: only the owner has everything. */
  async #breakResync(): Promise<void> {
    const [owner, copy] = [this.#owner, this.#other];
    await this.#node(copy).ok({
      type: 'follow',
      epoch: this.#epoch as Epoch,
      primary: owner,
    });
    await delay(this.#random.below(RESYNC_MS_MAX));
    const dead = this.#random.pick([[owner], [copy], [owner, copy]]);
    await this.#losePower(dead);
    for (const id of dead) await this.#powerOn(id);
    this.broken += 1;
    if (dead.includes(owner)) await this.#serve(owner);
    // It may have caught up, and be waited for.
    else await this.#node(owner).ok({ type: 'expel', peer: copy });
    this.#checkLedger();
  }

  async #writeForAWhile(): Promise<void> {
    this.#startWriter();
    await delay(this.#random.below(WRITING_MS_MAX));
    await this.#endWriter();
  }

  #startWriter(): void {
    const { path } = this.#node(this.#owner);
    const words = [WRITER, path, String(this.#number)];
    const writer = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'ignore'] });
    this.#writer = writer;
    createInterface({ input: must(writer.stdout, 'stdout is a pipe') }).on('line', (line) => {
      this.#acknowledge(line);
    });
  }

  /** With everything that it said. */
  async #endWriter(): Promise<void> {
    const writer = this.#writer;
    this.#writer = undefined;
    if (writer === undefined) return;
    const closed = new Promise((resolve) => writer.once('close', resolve));
    const isOver = writer.stdout?.destroyed === true;
    writer.kill('SIGKILL');
    if (!isOver) await closed;
  }

  #acknowledge(line: string): void {
    const [kind, file = '', word] = line.split(' ');
    const number = Number(word);
    this.#number = Math.max(this.#number, number);
    this.acknowledged += 1;
    if (kind === 'r') this.#replaced.set(file, number);
    else this.#appended.set(file, [...(this.#appended.get(file) ?? []), number]);
  }

  #checkLedger(): void {
    const { path } = this.#node(this.#owner);
    for (const [file, numbers] of this.#appended) {
      const found = new Set(numbersOf(`${path}/ledger/${file}`));
      const lost = numbers.filter((number) => !found.has(number));
      if (lost.length > 0) throw new Error(`lost from ${file}: ${lost.join(', ')}`);
    }
    for (const [file, number] of this.#replaced) {
      const [found = -1] = numbersOf(`${path}/ledger/${file}`);
      if (found < number) throw new Error(`lost from ${file}: ${number}, it has ${found}`);
      this.#number = Math.max(this.#number, found);
    }
  }

  #checkEqual(): void {
    const [owner, copy] = [this.#node(this.#owner), this.#node(this.#other)];
    const differences = compareTrees(owner.path, copy.path, { times: 'none' });
    if (differences.length > 0) throw new Error(`the copies differ: ${differences.join('; ')}`);
  }
}

interface Beginning {
  readonly type: string;
  readonly since?: number;
  readonly beside: 'nothing' | 'former' | 'own';
}

/** How streams to the copy began, as the owner logged it. */
function beginnings(owner: RigNode): readonly Beginning[] {
  const lines = owner.logs.join('').split('\n');
  return lines
    .filter((line) => line.includes('stream to a copy begins'))
    .map((line) => JSON.parse(line) as Beginning);
}

function numbersOf(path: string): readonly number[] {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean).map(Number) : [];
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
