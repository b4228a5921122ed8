/**
 * `STATEDIR/mirrors/MIRROR.activity/`: where this node changed the mirror as the primary, and no other
 * copy may have it. One file per generation, the newest with the highest number; each says of which run
 * of the primary it is and behind which entry it begins, and all together tell everything that was changed
 * since the oldest of them.
 *
 * What a node had received, but not on stable storage, when it began to serve is not in any region: so as
 * long as no file notes that everything before it is stored, anything may be missing after a crash.
 *
 * The log goes on from run to run as long as no other node was the primary in between. Once this node
 * follows one, it is set aside (`MIRROR.activity.former`): then it only tells that primary what to
 * compare, and is removed when the copies are equal, at the latest before this node serves again.
 */
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TakoError, messageOf } from '../../../base/tako-error.ts';
import type { Log } from '../../../ports/log.ts';
import { type DirtyPaths, unitedPaths } from '../../../protocol/dirty-paths.ts';
import {
  ACTIVITY_SEGMENTS_MAX,
  type ActivitySegment,
  type Checkpoint,
} from '../../../protocol/mirror-frames.ts';
import { errnoCode } from '../../errno-code.ts';
import { syncDirectory, syncDirectorySync } from '../../replace-file.ts';
import { ROOT_KEY } from '../copy/paths.ts';
import { type ReadActivity, readActivityFile } from './activity-file.ts';

/** What a node knows of its own changes. */
export interface KnownActivity {
  /** The runs in which they were made, the oldest first. */
  readonly segments: readonly ActivitySegment[];
  /** Where this node's copy was for certain in the stream that it followed before the first of them. */
  readonly base: Checkpoint | undefined;
  /** Everything that was changed in them lies there. */
  readonly regions: DirtyPaths;
}

const EVERYTHING: DirtyPaths = new Map([[ROOT_KEY, 'tree']]);

export interface ActivityBeginning {
  /** Of the new run's first file. */
  readonly generation: number;
  /** What is known of the runs before, which the new one goes on with. */
  readonly known: KnownActivity | undefined;
  /** This node has changed nothing as the primary since it followed another. */
  readonly isFirst: boolean;
}

export interface ActivityStoreOptions {
  readonly directory: string;
  /** Which directory the mirror is in (`directory-identity.ts`): what is of another one is worth nothing. */
  readonly identity: string;
  readonly log: Log;
}

export class ActivityStore {
  readonly #options: ActivityStoreOptions;

  constructor(options: ActivityStoreOptions) {
    this.#options = options;
  }

  get directory(): string {
    return this.#options.directory;
  }

  get identity(): string {
    return this.#options.identity;
  }

  /** The log that goes on with the next run; undefined when there is none that can be relied on. */
  current(): KnownActivity | undefined {
    return this.#read(this.#options.directory);
  }

  /** Also the one that was set aside: what may differ from a primary that has none of it. */
  own(): KnownActivity | undefined {
    return this.#read(this.#options.directory) ?? this.#read(this.#former);
  }

  /** Whether this node has served since it followed another. */
  get exists(): boolean {
    return numbersIn(this.#options.directory).length > 0 || numbersIn(this.#former).length > 0;
  }

  /** Before a run. What was set aside is gone when this returns, and what cannot be relied on. */
  begin(): ActivityBeginning {
    const { directory } = this.#options;
    const isFirst = !this.exists;
    this.#remove(this.#former);
    const known = this.current();
    if (known === undefined) this.#remove(directory);
    this.#try('make', () => mkdirSync(directory, { recursive: true, mode: 0o700 }));
    this.#try('make', () => syncDirectorySync(dirname(directory)));
    return { generation: (numbersIn(directory).at(-1) ?? 0) + 1, known, isFirst };
  }

  /** This node follows another from now on. Throws a `TakoError` when it cannot be kept. */
  setAside(): void {
    const { directory } = this.#options;
    if (numbersIn(directory).length === 0) return;
    this.#remove(this.#former);
    this.#try('rename', () => {
      renameSync(directory, this.#former);
      syncDirectorySync(dirname(directory));
    });
  }

  /** This node's copy equals the primary's. */
  remove(): void {
    this.#remove(this.#options.directory);
    this.#remove(this.#former);
  }

  /** All copies have on stable storage what was changed in the generations before that one. */
  async forgetBefore(generation: number): Promise<void> {
    const { directory, log } = this.#options;
    try {
      for (const number of numbersIn(directory)) {
        // The oldest first, one by one: a crash in between leaves no gap.
        if (number >= generation) break;
        await rm(activityPath(directory, number));
        await syncDirectory(directory);
      }
    } catch (error) {
      const next = 'look at the disk with the state directory; more is compared than need be';
      log.warn('a part of the activity log stays', { error: messageOf(error), next });
    }
  }

  get #former(): string {
    return `${this.#options.directory}.former`;
  }

  #remove(directory: string): void {
    if (numbersIn(directory).length === 0) return;
    this.#try('remove', () => {
      rmSync(directory, { recursive: true, force: true });
      syncDirectorySync(dirname(directory));
    });
  }

  #try(what: string, act: () => void): void {
    try {
      act();
    } catch (cause) {
      const text = `Cannot ${what} the activity log "${this.#options.directory}"`;
      throw new TakoError('store-failed', `${text}: ${messageOf(cause)}`, {
        next: 'Check the space and the health of the file system with the state directory',
        cause,
      });
    }
  }

  /** The generations at the end without a gap; each is complete behind its own beginning. */
  #read(directory: string): KnownActivity | undefined {
    const { identity, log } = this.#options;
    const files: ReadActivity[] = [];
    let next: number | undefined;
    for (const number of numbersIn(directory).toReversed()) {
      if (next !== undefined && number !== next - 1) break;
      next = number;
      const file = readOne(activityPath(directory, number), log);
      if (file === undefined || file.head.directory !== identity) break;
      files.unshift(file);
    }
    const [oldest] = files;
    // Without the newest one nothing is known of what was changed last.
    if (oldest === undefined) return undefined;
    const segments = files.map(({ head: { epoch, session, first } }) => ({
      epoch,
      session,
      first,
    }));
    const runs = segments.filter((run, at) => run.session !== segments[at - 1]?.session);
    return {
      segments: runs.slice(-ACTIVITY_SEGMENTS_MAX),
      base: oldest.head.base,
      regions: files.some(({ stored }) => stored)
        ? files.map(({ regions }) => regions).reduce(unitedPaths)
        : EVERYTHING,
    };
  }
}

function readOne(path: string, log: Log): ReadActivity | undefined {
  let why = 'it is damaged';
  try {
    const file = readActivityFile(path);
    if (file !== undefined) return file;
  } catch (error) {
    why = messageOf(error);
  }
  log.warn('the activity log cannot be relied on: more is compared than need be', { path, why });
  return undefined;
}

/** None where there is no directory. */
function numbersIn(directory: string): readonly number[] {
  let names: readonly string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return [];
    throw new TakoError('store-failed', `Cannot list "${directory}": ${messageOf(error)}`);
  }
  return names
    .map((name) => /^(\d+)\.log$/u.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number)
    .toSorted((a, b) => a - b);
}

/** Of one generation, which is a number from 1 on. */
export function activityPath(directory: string, generation: number): string {
  return join(directory, `${generation}.log`);
}
