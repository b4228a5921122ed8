/**
 * Which names of the copy are rightly one inode, during a resync.
 *
 * The copy may have two names on one inode that are two files on the source, left from before. So
 * only sharing that came about during the resync counts: by a live link, or by the resync itself.
 * Each such inode has its complete list of names here, kept exact through every rename and removal
 * on the copy; any other inode with several names is suspect. `counterpart` says which inode of
 * the copy stands for one of the source that has several names; it holds as long as a name is left.
 *
 * Takes memory for the names of files with several links, for no others.
 */
import { type PathKey, isWithin } from './paths.ts';

export class LinkNames {
  /** Names by inode of the copy; never an empty set. */
  readonly #names = new Map<number, Set<PathKey>>();
  readonly #inodes = new Map<PathKey, number>();
  /** Inode of the copy by inode of the source. */
  readonly #counterparts = new Map<number, number>();

  has(ino: number): boolean {
    return this.#names.has(ino);
  }

  namesOf(ino: number): readonly PathKey[] {
    return [...(this.#names.get(ino) ?? [])];
  }

  /** One name of every inode that is known. */
  oneOfEach(): readonly PathKey[] {
    return [...this.#names.values()].flatMap((names) => [...names].slice(0, 1));
  }

  add(key: PathKey, ino: number): void {
    this.remove(key);
    const names = this.#names.get(ino);
    if (names === undefined) this.#names.set(ino, new Set([key]));
    else names.add(key);
    this.#inodes.set(key, ino);
  }

  remove(key: PathKey): void {
    const ino = this.#inodes.get(key);
    if (ino === undefined) return;
    this.#inodes.delete(key);
    const names = this.#names.get(ino);
    names?.delete(key);
    if (names?.size === 0) this.#names.delete(ino);
  }

  /** On the copy `from` and all below it got the name `to`; what `to` named before is gone. */
  move(from: PathKey, to: PathKey, isDirectory: boolean): void {
    const moved = isDirectory ? this.#within(from) : [from];
    const inodes = moved.map((key) => this.#inodes.get(key));
    for (const key of moved) this.remove(key);
    if (!isDirectory) this.remove(to);
    for (const [index, key] of moved.entries()) {
      const ino = inodes[index];
      if (ino !== undefined) this.add(to + key.slice(from.length), ino);
    }
  }

  /** On the copy `a` and `b`, and all below them, changed places. */
  exchange(a: PathKey, b: PathKey): void {
    const all = [...this.#within(a), ...this.#within(b)];
    const inodes = all.map((key) => this.#inodes.get(key));
    for (const key of all) this.remove(key);
    for (const [index, key] of all.entries()) {
      const ino = inodes[index];
      const moved = isWithin(key, a) ? b + key.slice(a.length) : a + key.slice(b.length);
      if (ino !== undefined) this.add(moved, ino);
    }
  }

  /** The copy's inode for this one of the source, if it is known and has a name. */
  counterpart(source: number): number | undefined {
    const ino = this.#counterparts.get(source);
    if (ino !== undefined && !this.#names.has(ino)) this.#counterparts.delete(source);
    return this.#counterparts.get(source);
  }

  setCounterpart(source: number, ino: number): void {
    this.#counterparts.set(source, ino);
  }

  #within(key: PathKey): PathKey[] {
    return [...this.#inodes.keys()].filter((name) => isWithin(name, key));
  }
}
