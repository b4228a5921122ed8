/**
 * Makes random changes of a directory tree, driven by a seed, and says what it did as `Change`s: an
 * application and the capture in one. Works by plain calls of the file system port, not by the
 * code that applies changes. Few names, so that everything collides: files become directories,
 * directories move into one another, hard links come and go.
 */
import { LinuxFileSystem } from '../../src/adapters/system/file-system.ts';
import type { Prng } from '../../src/base/prng.ts';
import type { FileStat, FileSystem } from '../../src/ports/file-system.ts';
import type { Change } from '../../src/protocol/change.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e\xff', 'f g'];
const DEPTH_MAX = 4;
const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const S_IFIFO = 0o010000;
const S_IFCHR = 0o020000;
const NULL_DEVICE = 0x103;
const NOREPLACE = 1;
const EXCHANGE = 2;
/** FALLOC_FL_KEEP_SIZE, PUNCH_HOLE with it, ZERO_RANGE. */
const ALLOCATE_MODES = [0, 1, 3, 0x10];
const O_WRONLY = 1;

export interface RandomWriterOptions {
  readonly random: Prng;
  readonly root: number;
  /** Called before and after each change: the lock, and the stream. */
  readonly enter?: ((change: Change) => void) | undefined;
  readonly changed?: ((change: Change) => void) | undefined;
  readonly fileBytesMax?: number | undefined;
  /** How likely a hard link is made when one could be. */
  readonly links?: number | undefined;
}

type Make = (writer: RandomWriter) => Change | undefined;

export class RandomWriter {
  readonly #options: RandomWriterOptions;
  readonly #fs: FileSystem = new LinuxFileSystem();
  readonly #random: Prng;
  /** What there is, by path; the value is the type of the inode. */
  #paths = new Map<string, number>();

  constructor(options: RandomWriterOptions) {
    this.#options = options;
    this.#random = options.random;
    this.refresh();
  }

  /** Looks at the tree anew, after somebody else changed it. */
  refresh(): void {
    this.#paths = new Map();
    const visit = (directory: string): void => {
      const fd = this.#fs.open(this.#options.root, bytes(directory), 0, 0);
      const entries = this.#fs.list(fd);
      this.#fs.close(fd);
      if (typeof entries === 'number') throw new Error(`list ${directory}: ${entries}`);
      for (const entry of entries) {
        const name = Buffer.from(entry.name).toString('latin1');
        const path = directory === '' ? name : `${directory}/${name}`;
        const stat = emptyStat();
        this.#fs.stat(this.#options.root, bytes(path), stat);
        this.#paths.set(path, stat.mode & S_IFMT);
        if ((stat.mode & S_IFMT) === S_IFDIR) visit(path);
      }
    };
    visit('');
  }

  /** One change, tried until one succeeds. */
  step(): Change {
    for (;;) {
      const change = this.attempt(() => true);
      if (change !== undefined) return change;
    }
  }

  /** One change, if it is allowed and succeeds. */
  attempt(allowed: (change: Change) => boolean): Change | undefined {
    const change = this.#random.pick(MAKERS)(this);
    if (change === undefined || !allowed(change)) return undefined;
    return this.perform(change) ? change : undefined;
  }

  run(count: number): void {
    for (let i = 0; i < count; i += 1) this.step();
  }

  /** As a careful program replaces a file: all of it under another name, then renamed. */
  replaceFile(path: string, size: number): void {
    const temporary = `${path}.tmp`;
    this.perform(create(temporary, S_IFREG | 0o644));
    this.perform({ type: 'write', path: bytes(temporary), offset: 0, data: this.#data(size) });
    this.perform({ type: 'rename', from: bytes(temporary), path: bytes(path), flags: 0 });
  }

  /** As a log is rotated. */
  rotate(path: string): void {
    this.perform({ type: 'rename', from: bytes(path), path: bytes(`${path}.1`), flags: 0 });
  }

  /** Writes into a file, which is made if it is not there. */
  overwrite(path: string, offset: number): void {
    const change: Change = { type: 'write', path: bytes(path), offset, data: this.data() };
    if (this.perform(change)) return;
    this.perform(create(path, S_IFREG | 0o644));
    this.perform(change);
  }

  /** Does it under the lock; false when the file system refuses. */
  perform(change: Change): boolean {
    this.#options.enter?.(change);
    const done = this.#call(change) >= 0;
    if (done) {
      this.#note(change);
      this.#options.changed?.(change);
    }
    return done;
  }

  #call(change: Change): number {
    const { root } = this.#options;
    const fs = this.#fs;
    const { path } = change;
    switch (change.type) {
      case 'write':
        return this.#onFile(path, (fd) => fs.write(fd, change.data, change.offset));
      case 'truncate':
        return this.#onFile(path, (fd) => fs.truncateFd(fd, change.size));
      case 'allocate':
        return this.#onFile(path, (fd) =>
          fs.allocate(fd, change.mode, change.offset, change.length),
        );
      case 'create':
        return this.#own(fs.mknod(root, path, change.mode, change.device), change);
      case 'mkdir':
        return this.#own(fs.mkdir(root, path, change.mode), change);
      case 'symlink':
        return this.#own(fs.symlink(root, path, change.target), change);
      case 'link':
        return fs.link(root, change.existing, path);
      case 'unlink':
        return fs.unlink(root, path);
      case 'rmdir':
        return fs.rmdir(root, path);
      case 'rename':
        return fs.rename(root, change.from, path, change.flags);
      case 'attributes':
        return this.#attributes(change);
      case 'setxattr':
        return fs.setXattr(root, path, change.name, change.value, change.flags);
      case 'removexattr':
        return fs.removeXattr(root, path, change.name);
      default:
        return 0;
    }
  }

  #onFile(path: Uint8Array, act: (fd: number) => number): number {
    const fd = this.#fs.open(this.#options.root, path, O_WRONLY, 0);
    if (fd < 0) return fd;
    const result = act(fd);
    this.#fs.close(fd);
    return result;
  }

  #own(made: number, change: Extract<Change, { type: 'create' | 'mkdir' | 'symlink' }>): number {
    if (made < 0) return made;
    const { root } = this.#options;
    this.#fs.chown(root, change.path, change.uid, change.gid);
    return change.type === 'symlink' ? 0 : this.#fs.chmod(root, change.path, change.mode & 0o7777);
  }

  #attributes(change: Extract<Change, { type: 'attributes' }>): number {
    const { root } = this.#options;
    const { path, mode, uid, gid, accessed, modified } = change;
    if (mode !== undefined) return this.#fs.chmod(root, path, mode);
    if (uid !== undefined || gid !== undefined) return this.#fs.chown(root, path, uid, gid);
    return this.#fs.setTimes(root, path, accessed, modified);
  }

  #note(change: Change): void {
    const path = text(change.path);
    switch (change.type) {
      case 'create':
        this.#paths.set(path, change.mode & S_IFMT);
        return;
      case 'mkdir':
        this.#paths.set(path, S_IFDIR);
        return;
      case 'unlink':
      case 'rmdir':
        this.#paths.delete(path);
        return;
      case 'symlink':
      case 'link':
      case 'rename':
        this.refresh();
        return;
      default:
    }
  }

  /** The following are for the makers of changes below. */
  get links(): number {
    return this.#options.links ?? 1;
  }

  get random(): Prng {
    return this.#random;
  }

  existing(type?: number): string | undefined {
    const paths = [...this.#paths].filter(([, of]) => type === undefined || of === type);
    return paths.length === 0 ? undefined : this.#random.pick(paths)[0];
  }

  fresh(): string {
    const directories = [...this.#paths]
      .filter(([, type]) => type === S_IFDIR)
      .map(([path]) => path);
    const parent = this.#random.pick(['', '', ...directories]);
    const name = this.#random.pick(NAMES);
    const path = parent === '' ? name : `${parent}/${name}`;
    return path.split('/').length > DEPTH_MAX ? name : path;
  }

  size(): number {
    return this.#random.below(this.#options.fileBytesMax ?? 700);
  }

  data(): Uint8Array {
    return this.#data(1 + this.#random.below(200));
  }

  #data(size: number): Uint8Array {
    const data = new Uint8Array(size);
    // Half of it repeats, so that blocks are equal by chance, and zero ones occur.
    const value = this.#random.below(4);
    for (let i = 0; i < size; i += 1) data[i] = this.#random.chance(0.5) ? value : 0;
    return data;
  }
}

const MODES = [0o644, 0o600, 0o755, 0o4755, 0o1777, 0o400];
const IDS = [0, 1000, 1001];

function create(path: string, mode: number, device = 0): Change {
  return { type: 'create', path: bytes(path), mode, device, uid: 1000, gid: 1001 };
}

const unchanged = { mode: undefined, uid: undefined, gid: undefined } as const;
const noTimes = { accessed: undefined, modified: undefined } as const;

const make = {
  write: (w) => {
    const path = w.existing(S_IFREG);
    if (path === undefined) return undefined;
    return { type: 'write', path: bytes(path), offset: w.size(), data: w.data() };
  },
  truncate: (w) => {
    const path = w.existing(S_IFREG);
    return path === undefined ? undefined : { type: 'truncate', path: bytes(path), size: w.size() };
  },
  allocate: (w) => {
    const path = w.existing(S_IFREG);
    if (path === undefined) return undefined;
    const mode = w.random.pick(ALLOCATE_MODES);
    return { type: 'allocate', path: bytes(path), mode, offset: w.size(), length: 1 + w.size() };
  },
  create: (w) => create(w.fresh(), S_IFREG | w.random.pick(MODES)),
  special: (w) =>
    w.random.chance(0.5)
      ? create(w.fresh(), S_IFIFO | 0o640)
      : create(w.fresh(), S_IFCHR | 0o666, NULL_DEVICE),
  mkdir: (w) => {
    const owner = { uid: w.random.pick(IDS), gid: w.random.pick(IDS) };
    return { type: 'mkdir', path: bytes(w.fresh()), mode: w.random.pick([0o755, 0o700]), ...owner };
  },
  symlink: (w) => {
    const target = bytes(w.random.pick(['a', '/etc', '../..', 'b/c']));
    return { type: 'symlink', path: bytes(w.fresh()), target, uid: 1000, gid: 0 };
  },
  link: (w) => {
    const existing = w.existing();
    if (existing === undefined || !w.random.chance(w.links)) return undefined;
    return { type: 'link', path: bytes(w.fresh()), existing: bytes(existing) };
  },
  unlink: (w) => {
    const path = w.existing();
    return path === undefined ? undefined : { type: 'unlink', path: bytes(path) };
  },
  rmdir: (w) => {
    const path = w.existing(S_IFDIR);
    return path === undefined ? undefined : { type: 'rmdir', path: bytes(path) };
  },
  rename: (w) => {
    const from = w.existing();
    if (from === undefined) return undefined;
    const path = w.random.chance(0.5) ? w.fresh() : (w.existing() ?? w.fresh());
    const flags = w.random.pick([0, 0, 0, NOREPLACE, EXCHANGE]);
    return { type: 'rename', from: bytes(from), path: bytes(path), flags };
  },
  moveDirectory: (w) => {
    const from = w.existing(S_IFDIR);
    if (from === undefined) return undefined;
    return { type: 'rename', from: bytes(from), path: bytes(w.fresh()), flags: 0 };
  },
  mode: (w) => {
    const path = w.existing();
    if (path === undefined) return undefined;
    const mode = w.random.pick(MODES);
    return { type: 'attributes', path: bytes(path), ...unchanged, ...noTimes, mode };
  },
  owner: (w) => {
    const path = w.existing() ?? '';
    const owner = { uid: w.random.pick(IDS), gid: w.random.pick(IDS) };
    return { type: 'attributes', path: bytes(path), ...unchanged, ...noTimes, ...owner };
  },
  times: (w) => {
    const path = w.existing() ?? '';
    const modified = { seconds: w.random.below(2e9) - 1e6, nanoseconds: w.random.below(1e9) };
    return { type: 'attributes', path: bytes(path), ...unchanged, accessed: modified, modified };
  },
  setxattr: (w) => {
    const path = w.existing() ?? '';
    const name = bytes(w.random.pick(['user.a', 'user.b', 'trusted.c']));
    return { type: 'setxattr', path: bytes(path), name, value: w.data(), flags: 0 };
  },
  removexattr: (w) => {
    const name = bytes(w.random.pick(['user.a', 'user.b', 'trusted.c']));
    return { type: 'removexattr', path: bytes(w.existing() ?? ''), name };
  },
} satisfies Record<string, Make>;

/** Names change often, content more often. */
const MAKERS: readonly Make[] = [
  ...Object.values(make),
  make.write,
  make.write,
  make.write,
  make.truncate,
  make.create,
  make.create,
  make.mkdir,
  make.rename,
  make.moveDirectory,
  make.link,
];

function bytes(path: string): Uint8Array {
  return Buffer.from(path, 'latin1');
}

function text(path: Uint8Array): string {
  return Buffer.from(path).toString('latin1');
}

export function emptyStat(): FileStat {
  const time = () => ({ seconds: 0, nanoseconds: 0 });
  return {
    ino: 0,
    mode: 0,
    nlink: 0,
    uid: 0,
    gid: 0,
    device: 0,
    size: 0,
    blocks: 0,
    blockSize: 0,
    accessed: time(),
    modified: time(),
    changed: time(),
  };
}
