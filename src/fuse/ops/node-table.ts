/**
 * All inodes that are referred to, by the kernel's number and by the store's.
 *
 * A node stays while the kernel holds a reference, a file of it is open, or a node below it stays;
 * the root stays for ever. Paths are put together from names when they are needed and kept until a
 * directory is renamed anywhere (`era`), so that the path of a file that is written costs nothing.
 */
import { must } from '../../base/assert.ts';
import type { Path } from '../../protocol/change.ts';
import type { Fd, FileStat } from '../../ports/file-system.ts';
import { S_IFMT } from '../wire/flags.ts';
import { EMPTY, joinPath, sameBytes } from './bytes.ts';
import { FileNode, type NodeName, NO_FD } from './file-node.ts';

const ROOT_ID = 1;

export class NodeTable {
  readonly root: FileNode;
  readonly #byId = new Map<number, FileNode>();
  readonly #byIno = new Map<number, FileNode>();
  readonly #close: (fd: Fd) => void;
  #nextId = ROOT_ID + 1;
  #era = 0;

  constructor(root: FileStat, close: (fd: Fd) => void) {
    this.#close = close;
    this.root = new FileNode(ROOT_ID, root.ino, root.mode);
    this.#byId.set(ROOT_ID, this.root);
    this.#byIno.set(root.ino, this.root);
  }

  get size(): number {
    return this.#byId.size;
  }

  get(id: number): FileNode | undefined {
    return this.#byId.get(id);
  }

  byIno(ino: number): FileNode | undefined {
    return this.#byIno.get(ino);
  }

  /** The node of what `stat` describes, which is called `name` in `parent`. */
  enter(parent: FileNode, name: Uint8Array, stat: FileStat): FileNode {
    let node = this.#byIno.get(stat.ino);
    if (node !== undefined && ((node.mode ^ stat.mode) & S_IFMT) !== 0) {
      // Somebody else replaced it in the store. What the kernel knows by that number is gone.
      this.abandon(node);
      node = undefined;
    }
    if (node === undefined) {
      node = new FileNode(this.#nextId, stat.ino, stat.mode);
      this.#nextId += 1;
      this.#byId.set(node.id, node);
      this.#byIno.set(node.ino, node);
    }
    node.mode = stat.mode;
    this.addName(node, parent, name);
    return node;
  }

  /** Relative to the root; undefined without a known name. */
  path(node: FileNode): Path | undefined {
    if (node === this.root) return EMPTY;
    if (node.path !== undefined && node.pathEra === this.#era) return node.path;
    return this.#assemblePath(node);
  }

  /** Where an entry of that directory is; undefined when the directory is no more. */
  childPath(parent: FileNode, name: Uint8Array): Path | undefined {
    const path = this.path(parent);
    return path === undefined ? undefined : joinPath(path, name);
  }

  addName(node: FileNode, parent: FileNode, name: Uint8Array): void {
    if (indexOfName(node, parent, name) >= 0) return;
    // A directory has one name: an older one can only be what somebody else renamed in the store.
    if (node.isDirectory) this.#dropNames(node);
    node.names.push({ parent, name: name.slice() });
    node.isOrphan = false;
    node.isOutside = false;
    parent.children += 1;
  }

  removeName(node: FileNode, parent: FileNode, name: Uint8Array): void {
    const index = indexOfName(node, parent, name);
    if (index < 0) return;
    node.names.splice(index, 1);
    this.#nameChanged(node);
    parent.children -= 1;
    this.dropIfUnused(parent);
  }

  /** Its last name in the store is gone: the inode number may come to mean another file. */
  abandon(node: FileNode): void {
    node.isOrphan = true;
    if (this.#byIno.get(node.ino) === node) this.#byIno.delete(node.ino);
    this.#dropNames(node);
    this.dropIfUnused(node);
  }

  /** The kernel gives back some of its references. */
  forget(id: number, lookups: number): void {
    const node = this.#byId.get(id);
    if (node === undefined) return;
    node.lookups = Math.max(0, node.lookups - lookups);
    this.dropIfUnused(node);
  }

  /** Removes the node, and then its parents, when nothing needs them any more. */
  dropIfUnused(start: FileNode): void {
    const candidates = [start];
    for (let node = candidates.pop(); node !== undefined; node = candidates.pop()) {
      if (node === this.root || this.#byId.get(node.id) !== node) continue;
      if (node.lookups > 0 || node.children > 0 || node.opens > 0) continue;
      this.#byId.delete(node.id);
      if (this.#byIno.get(node.ino) === node) this.#byIno.delete(node.ino);
      this.#closeFiles(node);
      for (const { parent } of node.names) {
        parent.children -= 1;
        candidates.push(parent);
      }
      node.names = [];
    }
  }

  /** Closes every descriptor that a node holds. */
  closeAll(): void {
    for (const node of this.#byId.values()) this.#closeFiles(node);
  }

  /** Closes what was open for data. What has no name needs a descriptor until it is forgotten. */
  closeData(node: FileNode): void {
    for (const fd of node.retired) this.#close(fd);
    node.retired.length = 0;
    if (node.fd === NO_FD || (node.names.length === 0 && node !== this.root)) return;
    this.#close(node.fd);
    node.fd = NO_FD;
    node.isWritable = false;
  }

  #closeFiles(node: FileNode): void {
    for (const fd of [...node.retired, node.fd, node.anchor]) if (fd !== NO_FD) this.#close(fd);
    node.retired.length = 0;
    node.fd = NO_FD;
    node.anchor = NO_FD;
    node.isWritable = false;
  }

  #dropNames(node: FileNode): void {
    const { names } = node;
    node.names = [];
    this.#nameChanged(node);
    for (const { parent } of names) {
      parent.children -= 1;
      this.dropIfUnused(parent);
    }
  }

  #nameChanged(node: FileNode): void {
    node.path = undefined;
    // Only what is below a directory has a path that leads through its name.
    if (node.isDirectory && node.children > 0) this.#era += 1;
  }

  /** Upwards to the root or to a directory whose path is known; no recursion, trees can be deep. */
  #assemblePath(node: FileNode): Path | undefined {
    const below: NodeName[] = [];
    let at = node;
    while (at !== this.root && (at.path === undefined || at.pathEra !== this.#era)) {
      const [name] = at.names;
      if (name === undefined) return undefined;
      below.push(name);
      at = name.parent;
    }
    let path = at === this.root ? EMPTY : must(at.path, 'the climb ended at a known path');
    for (const name of below.toReversed()) path = joinPath(path, name.name);
    node.path = path;
    node.pathEra = this.#era;
    return path;
  }
}

function indexOfName(node: FileNode, parent: FileNode, name: Uint8Array): number {
  return node.names.findIndex((known) => known.parent === parent && sameBytes(known.name, name));
}
