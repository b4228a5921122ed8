/**
 * The files of a share, as one node reads and writes them: past every cache (O_DIRECT), and back only
 * when it is on the server's stable storage (O_DSYNC). Any error ends this life: the next one reads
 * what is there before it writes. Calls may hang for as long as the share does, in threads of their
 * own.
 *
 * Invariants: a file's state never goes back while this life looks at it, and nobody else writes this
 * node's file; otherwise the share was put back to an old state, and nothing on it counts.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { must } from '../../base/assert.ts';
import { messageOf, TakoError } from '../../base/tako-error.ts';
import type { NodeId, SeatId } from '../../protocol/ids.ts';
import type { LifeChoice, NextLife } from '../../protocol/share-life.ts';
import type { Sheet } from '../../protocol/share-sheet.ts';
import { tryLockFile } from '../flock.ts';
import { checkFileSystem } from './file-system.ts';
import { readLifeNote, writeLifeNote } from './life-note.ts';
import { readFileState, slotFor, slotKeys, type FileState } from './node-file.ts';
import { type ShareName, nodeFile, readSeat } from './share-seat.ts';
import { FILE_BYTES, REGIONS, SLOT_BYTES, comparePlaces, encodeSlot } from './slot-codec.ts';

const PAGE = 64 * 1024;
/** So often it is looked whether the directory is still the same. */
const READINGS_PER_SEAT = 40;
/** Of the engine; its types come with those of browsers only. */
declare const WebAssembly: {
  readonly Memory: new (size: { readonly initial: number }) => { readonly buffer: ArrayBuffer };
};

export interface ShareFilesOptions extends ShareName {
  readonly me: NodeId;
  /** Any file system will do: the administrator knows that it is shared. */
  readonly anyFileSystem: boolean;
  /** `PREFIX-REGION.lock`: held while a process of this machine writes into that region. */
  readonly lockPrefix: string;
  /** Where this node notes its lives, on its own disk. */
  readonly notePath: string;
  readonly nextLife: (choice: LifeChoice) => NextLife | undefined;
  /** What earlier lives wrote may still come, and is waited for. */
  readonly waits: (why: string, ms: number) => void;
  readonly decode: (sheet: unknown) => Sheet | undefined;
}

interface OpenFile {
  readonly node: NodeId;
  readonly handle: FileHandle;
  readonly keys: readonly Buffer[];
  readonly buffer: Buffer;
  state: FileState;
}

export class ShareFiles {
  readonly #options: ShareFilesOptions;
  readonly #files: readonly OpenFile[];
  readonly #own: OpenFile;
  readonly #life: number;
  /** The slot of this life's region that was the newest there when it began. */
  readonly #before: number;
  #sequence = 0;
  #readings = 0;
  readonly seat: SeatId;

  private constructor(
    options: ShareFilesOptions,
    parts: {
      readonly seat: SeatId;
      readonly files: readonly OpenFile[];
      readonly own: OpenFile;
      readonly next: NextLife;
    },
  ) {
    const { seat, files, own, next } = parts;
    this.#options = options;
    this.seat = seat;
    this.#files = files;
    this.#own = own;
    this.#life = next.note.life;
    this.#before = must(own.state.newest[next.region], 'a region has a good slot');
  }

  static async open(options: ShareFilesOptions): Promise<ShareFiles> {
    const { me, path } = options;
    const { seat, nodes } = await readSeat(options);
    if (!nodes.includes(me)) {
      throw new TakoError(
        'share-unusable',
        `Cannot vote on the share at "${path}": it was made for ${nodes.join(', ')}, not for ${me}`,
        { next: 'Make it anew for all nodes: tako witness prepare --replace' },
      );
    }
    await checkFileSystem(options);
    const files: OpenFile[] = [];
    for (const node of nodes) files.push(await openFile(options, seat, node));
    const own = must(
      files.find(({ node }) => node === me),
      'the own file was opened',
    );
    const next = await beginLife(options, seat, own);
    return new ShareFiles(options, { seat, files, own, next });
  }

  get nodes(): readonly NodeId[] {
    return this.#files.map(({ node }) => node);
  }

  /** What an earlier life of this node wrote last. */
  former(): Sheet {
    return this.#sheetOf(this.#own);
  }

  /** Comes back when it is on stable storage. */
  async write(sheet: Sheet): Promise<void> {
    const place = { life: this.#life, sequence: this.#sequence + 1 };
    const slot = slotFor(place.sequence, this.#before);
    const key = must(this.#own.keys[slot], 'a file has keys');
    const bytes = encodeSlot(sheet, place, key);
    if (bytes === undefined) {
      throw new TakoError(
        'share-unusable',
        'Cannot vote on the share: the records of all groups do not fit into its files',
        { next: 'Use a witness on a machine of its own ("tako witness run")' },
      );
    }
    const buffer = pages(SLOT_BYTES);
    bytes.copy(buffer);
    const { bytesWritten } = await this.#own.handle.write(buffer, 0, SLOT_BYTES, slot * SLOT_BYTES);
    if (bytesWritten !== SLOT_BYTES) throw short('written', this.#own.node, bytesWritten);
    this.#sequence = place.sequence;
  }

  /** Reads all files; each of them after this call began. */
  async readAll(): Promise<ReadonlyMap<NodeId, Sheet>> {
    this.#readings += 1;
    if (this.#readings % READINGS_PER_SEAT === 0) await this.#checkSeat();
    await Promise.all(this.#files.map((file) => this.#read(file)));
    return new Map(this.#files.map((file) => [file.node, this.#sheetOf(file)]));
  }

  /** Open files stay what they are when the share is made anew, or another one mounted. */
  async #checkSeat(): Promise<void> {
    const { seat } = await readSeat(this.#options);
    if (seat === this.seat) return;
    throw new TakoError('share-unusable', 'The share was prepared anew', {
      next: 'Nothing: it is opened again, and its new seat is voted in',
    });
  }

  async #read(file: OpenFile): Promise<void> {
    const state = await readState(file);
    const own = { life: this.#life, sequence: this.#sequence };
    const expected = file === this.#own && this.#sequence > 0 ? own : file.state.last;
    const order = comparePlaces(state.last, expected);
    if (order < 0 || (file === this.#own && order > 0)) {
      throw new TakoError(
        'share-unusable',
        `Cannot vote on the share: what "${file.node}" wrote is gone, or someone else writes there`,
        {
          next:
            'If the share was put back from a backup or a snapshot, make it anew: ' +
            'tako witness prepare --replace',
        },
      );
    }
    file.state = state;
  }

  #sheetOf({ node, state }: OpenFile): Sheet {
    const sheet = this.#options.decode(state.last.sheet);
    if (sheet !== undefined) return sheet;
    throw new TakoError('share-unusable', `Cannot vote on the share: no sheet of "${node}"`);
  }
}

/** A living process may still write into the region that it has locked, however late. */
async function beginLife(
  { lockPrefix, nextLife, notePath, waits }: ShareFilesOptions,
  seat: SeatId,
  own: OpenFile,
): Promise<NextLife> {
  const { last, region } = own.state;
  const next = nextLife({
    seat,
    noted: await readLifeNote(notePath),
    last: { life: last.life, region },
    regions: REGIONS,
    // Held until this process ends.
    take: (taken) => tryLockFile(`${lockPrefix}-${taken}.lock`) !== undefined,
  });
  if (next === undefined) {
    throw new TakoError('share-unusable', 'Cannot vote on the share: earlier writes still hang', {
      next: 'Wait until the share answers again',
    });
  }
  await writeLifeNote(notePath, next.note);
  if (next.waitMs > 0) {
    waits('writes from before restarts, one soon after the other, may still come', next.waitMs);
    await delay(next.waitMs);
    // What came meanwhile is what this life begins with.
    own.state = await readState(own);
    // A life that was not noted: its number may be the same.
    if (own.state.last.life >= next.note.life) {
      throw new TakoError(
        'share-unusable',
        'Cannot vote on the share: an earlier write came late',
        {
          next: 'Nothing: it is opened again, and goes on from there',
        },
      );
    }
  }
  setTimeout(() => {
    // Where that fails, a later life waits without need, and nothing else.
    writeLifeNote(notePath, next.then.note).catch(() => undefined);
  }, next.then.afterMs).unref();
  return next;
}

async function openFile(share: ShareFilesOptions, seat: SeatId, node: NodeId): Promise<OpenFile> {
  const path = nodeFile(share, node);
  const { O_DIRECT, O_DSYNC, O_RDONLY, O_RDWR } = constants;
  const how = node === share.me ? O_RDWR | O_DSYNC : O_RDONLY;
  let handle: FileHandle;
  try {
    handle = await open(path, how | O_DIRECT);
  } catch (cause) {
    throw new TakoError('share-unusable', `Cannot open "${path}": ${messageOf(cause)}`, {
      cause,
      next: 'The share must be writable for root, and take files opened with O_DIRECT',
    });
  }
  const keys = slotKeys({ ...share, seat, node });
  const file = { node, handle, keys, buffer: pages(FILE_BYTES) };
  return { ...file, state: await readState(file) };
}

async function readState(file: Omit<OpenFile, 'state'>): Promise<FileState> {
  const { handle, buffer, node, keys } = file;
  const { bytesRead } = await handle.read(buffer, 0, FILE_BYTES, 0);
  if (bytesRead !== FILE_BYTES) throw short('read', node, bytesRead);
  return readFileState(node, buffer, keys);
}

/** Memory that begins at a page, as O_DIRECT may ask for. */
function pages(bytes: number): Buffer {
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE) });
  return Buffer.from(memory.buffer, 0, bytes);
}

function short(done: 'read' | 'written', node: NodeId, bytes: number): TakoError {
  return new TakoError(
    'share-unusable',
    `Cannot vote on the share: only ${bytes} bytes of the file of "${node}" were ${done}`,
    { next: 'Check that the share is not full; if not, run "tako witness prepare --replace"' },
  );
}
