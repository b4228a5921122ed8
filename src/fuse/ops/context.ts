/**
 * What the operations on one mounted mirror share: the store, the stream, the nodes, and buffers.
 * An operation returns an `Outcome` (`wire/handler.ts`).
 */
import { must } from '../../base/assert.ts';
import type { Change, Path } from '../../protocol/change.ts';
import type { Activity } from '../../ports/activity.ts';
import type { ChangeSink } from '../../ports/change-sink.ts';
import type { Fd, FileStat, FileSystem } from '../../ports/file-system.ts';
import type { Log } from '../../ports/log.ts';
import { EINVAL, ENAMETOOLONG, ENOENT, ESTALE } from '../wire/errno.ts';
import { INIT_FLAG } from '../wire/flags.ts';
import { ANSWERED, type Outcome, type SessionWiring } from '../wire/handler.ts';
import { encodeForgetAttributes } from '../wire/notify.ts';
import type { Reply } from '../wire/reply.ts';
import type { Request } from '../wire/request.ts';
import { EMPTY, isEntryName } from './bytes.ts';
import { type FileNode, NO_FD } from './file-node.ts';
import { findName } from './lost-name.ts';
import { NodeTable } from './node-table.ts';
import { newStat } from './stat.ts';
import type { OpenDirectory } from './directory.ts';

/** In place of a path: the file has no name in the mirror any more. */
export const NAMELESS = 0;
/** Longest path, as a change and on the store. */
export const PATH_BYTES_MAX = 4095;

export interface ContextOptions extends SessionWiring {
  /** The directory of the store, opened before anything was mounted over it. Stays open. */
  readonly root: Fd;
}

export interface ContextDeps {
  readonly fileSystem: FileSystem;
  readonly sink: ChangeSink;
  /** Asked before each change of the store. */
  readonly activity: Activity;
  readonly log: Log;
}

export type Operation = (context: Context, request: Request) => Outcome;

export class Context {
  readonly fs: FileSystem;
  readonly sink: ChangeSink;
  readonly activity: Activity;
  readonly log: Log;
  readonly root: Fd;
  readonly reply: Reply;
  /** Whether the kernel sends SETXATTR with the fields of FUSE_SETXATTR_EXT. */
  readonly hasSetxattrExt: boolean;
  readonly nodes: NodeTable;
  readonly directories = new Map<number, OpenDirectory>();
  /** Overwritten by every operation. */
  readonly stat: FileStat = newStat();
  readonly otherStat: FileStat = newStat();
  readonly volume: number | undefined;
  readonly #notify: (message: Uint8Array) => void;
  #lastHandle = 0;

  constructor(options: ContextOptions, deps: ContextDeps) {
    this.fs = deps.fileSystem;
    this.sink = deps.sink;
    this.activity = deps.activity;
    this.log = deps.log;
    this.#notify = options.notify;
    this.root = options.root;
    this.reply = options.reply;
    this.hasSetxattrExt = (options.flags & INIT_FLAG.setxattrExt) !== 0;
    const failed = this.fs.statFd(this.root, this.stat);
    must(failed === 0 ? this.stat : undefined, 'the root of the mirror is open');
    this.volume = this.stat.volume;
    this.nodes = new NodeTable(this.stat, (fd) => this.fs.close(fd));
  }

  /** With {@link where}: how a node is reached, by path below the root or by its descriptor. */
  at(node: FileNode): Fd {
    if (node.names.length > 0 || node === this.nodes.root) return this.root;
    return node.fd === NO_FD ? node.anchor : node.fd;
  }

  where(node: FileNode): Path {
    return this.nodes.path(node) ?? EMPTY;
  }

  /** A number for an open directory, never used twice. */
  nextHandle(): number {
    this.#lastHandle += 1;
    return this.#lastHandle;
  }

  /** Fills `stat`, by the shortest way, and keeps the node's mode up to date. */
  statNode(node: FileNode): number {
    const failed =
      node.fd === NO_FD
        ? this.fs.stat(this.at(node), this.where(node), this.stat)
        : this.fs.statFd(node.fd, this.stat);
    if (failed === 0) node.mode = this.stat.mode;
    return failed;
  }

  /**
   * The path of a change to that node; {@link NAMELESS}, or a negated error number. To be asked
   * before the store is changed.
   */
  changePath(node: FileNode): Path | number {
    const path = this.nodes.path(node) ?? findName(this, node);
    if (path === undefined) return NAMELESS;
    return path.length > PATH_BYTES_MAX ? ENAMETOOLONG : path;
  }

  /** The path of a name in a directory, or a negated error number. */
  childPath(parentId: number, name: Uint8Array | undefined): Path | number {
    const parent = this.nodes.get(parentId);
    if (parent === undefined || name === undefined) return ESTALE;
    // No kernel asks for such a name; it would make a directory its own parent.
    if (!isEntryName(name)) return EINVAL;
    const path = this.nodes.childPath(parent, name);
    if (path === undefined) return ENOENT;
    return path.length > PATH_BYTES_MAX ? ENAMETOOLONG : path;
  }

  /** Before attributes of what that path names change, or what it names. 0, or a negated error number. */
  recordEntry(path: Path | number): number {
    return typeof path === 'number' ? 0 : this.activity.entry(path);
  }

  /** Before the content of a file changes, or its size, up to `end`. */
  recordContent(node: FileNode, path: Path | number, end: number): number {
    if (typeof path === 'number' || this.activity.knowsContent(path, end)) return 0;
    const unknown = this.statNode(node);
    if (unknown < 0) return unknown;
    return this.activity.content(path, Math.max(this.stat.size, end));
  }

  /** Into the stream, unless the file has no name any more. */
  append(path: Path | number, change: (path: Path) => Change): void {
    if (typeof path !== 'number') this.sink.append(change(path));
  }

  /**
   * Does `act` in the stream's order; it changes the store and appends what it changed. Its
   * success is answered when the sink lets it.
   */
  mutate(request: Request, act: () => Outcome): Outcome {
    this.sink.enter();
    const outcome = act();
    const seq = this.sink.last();
    this.sink.leave();
    return outcome < 0 ? outcome : this.answer(request, outcome, seq);
  }

  /** Hands the reply with that payload to the sink. */
  answer(request: Request, payloadBytes: number, seq: number): Outcome {
    const length = this.reply.finish(request, 0, payloadBytes);
    this.sink.answer(this.reply.copy(length), seq);
    return ANSWERED;
  }

  /** Something that the kernel cannot know changed the node's attributes. */
  attributesChanged(node: FileNode): void {
    this.#notify(encodeForgetAttributes(node.id));
  }

  /** Lets go of everything that is open. */
  close(): void {
    for (const directory of this.directories.values()) this.fs.close(directory.fd);
    this.directories.clear();
    this.nodes.closeAll();
  }
}
