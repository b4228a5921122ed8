/**
 * The capture's side of the activity log: has on stable storage what may be changed before it is changed.
 * Most changes are in a region that is known already and cost a look into a table; the first one in a
 * region waits for the disk. When a new generation begins, regions in use go with it.
 */
import { messageOf } from '../../../base/tako-error.ts';
import type { Activity } from '../../../ports/activity.ts';
import type { Log } from '../../../ports/log.ts';
import type { Path } from '../../../protocol/change.ts';
import { type DirtyPaths, SMALL_FILE_BYTES } from '../../../protocol/dirty-paths.ts';
import { ROOT_KEY, keyOf } from '../copy/paths.ts';
import { EIO } from '../copy/store.ts';
import { ActivityFile, type ActivityHead } from './activity-file.ts';
import { type Region, Regions } from './regions.ts';

/** Regions in use that go into the next generation; more are recorded anew as they are needed. */
const CARRIED_MAX = 1000;

export interface ActivityLogOptions {
  /** Of the first generation; those that follow are counted up. */
  readonly generation: number;
  readonly pathOf: (generation: number) => string;
  readonly head: ActivityHead;
  readonly log: Log;
  /** Changes are refused from now on, or no more. */
  readonly refuses: (refuses: boolean) => void;
}

export class ActivityLog implements Activity {
  readonly #options: ActivityLogOptions;
  #generation: number;
  #head: ActivityHead;
  #file: ActivityFile;
  #regions = new Regions();
  /** Up to which size content of a file may change, by the very path object that names it. */
  #known = new WeakMap<Path, number>();
  #failed = false;

  /** Throws the system's error. */
  constructor(options: ActivityLogOptions) {
    const { generation, head, pathOf } = options;
    this.#options = options;
    this.#generation = generation;
    this.#head = head;
    this.#file = new ActivityFile(pathOf(generation), head, new Map());
  }

  entry(path: Path): number {
    return this.#record(this.#regions.forEntry(keyOf(path)));
  }

  directory(path: Path): number {
    const key = keyOf(path);
    const failed = this.#record(this.#regions.forEntry(key));
    if (failed === 0) this.#regions.directoryMade(key);
    return failed;
  }

  tree(path: Path): number {
    return this.#record(this.#regions.forTree(keyOf(path)));
  }

  everything(): number {
    return this.#record(this.#regions.forTree(ROOT_KEY));
  }

  knowsContent(path: Path, end: number): boolean {
    return end < (this.#known.get(path) ?? 0);
  }

  content(path: Path, size: number): number {
    const key = keyOf(path);
    const failed = this.#record(this.#regions.forContent(key, size));
    if (failed < 0) return failed;
    this.#known.set(path, this.#regions.coversAny(key) ? Infinity : SMALL_FILE_BYTES);
    return 0;
  }

  /**
   * What is changed behind that entry goes into a file of its own, so that the former ones can go once
   * all copies have what is in them. The number of the new generation; undefined when it cannot be made:
   * then everything goes on as before.
   */
  roll(first: number): number | undefined {
    const carried = this.#regions.inUse(CARRIED_MAX);
    try {
      this.#beginFile({ ...this.#head, first, base: undefined }, carried);
    } catch (error) {
      const { log } = this.#options;
      log.warn('the activity log cannot begin a new file', { error: messageOf(error) });
      return undefined;
    }
    this.#regions = new Regions(carried);
    this.#known = new WeakMap();
    return this.#generation;
  }

  /**
   * Notes that everything before this generation is on this node's stable storage. The generation;
   * undefined when it cannot be noted.
   */
  stored(): number | undefined {
    try {
      if (this.#failed) return undefined;
      this.#file.appendStored();
      return this.#generation;
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
  }

  close(): void {
    this.#file.close();
  }

  #record(region: Region | undefined): number {
    if (region === undefined) return 0;
    try {
      // What a failed write left may be there after a restart or not: nothing goes behind it.
      if (this.#failed) this.#beginFile(this.#head, this.#regions.all);
      this.#file.append(region);
    } catch (error) {
      this.#fail(error);
      return -EIO;
    }
    if (this.#failed) this.#options.refuses(false);
    this.#failed = false;
    this.#regions.add(region);
    return 0;
  }

  #beginFile(head: ActivityHead, carried: DirtyPaths): void {
    const file = new ActivityFile(this.#options.pathOf(this.#generation + 1), head, carried);
    this.#file.close();
    this.#file = file;
    this.#head = head;
    this.#generation += 1;
  }

  #fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    const next = 'check the space and the health of the file system with the state directory';
    const cause = messageOf(error);
    const { log, refuses } = this.#options;
    log.error('changes are refused: the activity log cannot be written', { cause, next });
    refuses(true);
  }
}
