/**
 * Keeps others from writing into the directory of a mirror: a read-only bind mount of the directory
 * over itself. The copy is written through a descriptor of the directory below, so it is not held
 * up. Mounting is a dependency: adapters do not import one another.
 *
 * A guard that a former process left (it was killed) is known by what it is, a read-only mount on
 * exactly this path of a directory of the same file system, not by memory. It stays while the next
 * process opens the directory: a program that got a file there in a moment without a guard would
 * write below the mirror for good, and no copy would ever have it.
 */
import { constants, mkdirSync, openSync, rmdirSync } from 'node:fs';
import { messageOf } from '../../../base/tako-error.ts';
import type { PathGuard } from '../../../ports/replica.ts';

/** Guards of former processes to take away at most: one is normal, two come from crashes. */
const GUARDS_MAX = 16;

export interface GuardMounts {
  /** The mount on top at exactly `path`, if it shows a directory of the file system below it. */
  readonly selfBindAt: (path: string) => { readonly options: readonly string[] } | undefined;
  /** Mounts the directory over itself, read-only. */
  readonly bindReadOnly: (path: string) => void;
  /** Opens what is mounted at `path`, writable, by way of the empty directory `place`. */
  readonly openWritable: (path: string, place: string) => number;
  readonly unmount: (path: string, options: { readonly lazy: boolean }) => void;
}

export interface GuardOptions {
  readonly path: string;
  /** A name that is free, below a directory that only root can enter. */
  readonly place: string;
}

export class BindGuard implements PathGuard {
  readonly #path: string;
  readonly #place: string;
  readonly #mounts: GuardMounts;

  constructor(options: GuardOptions, mounts: GuardMounts) {
    this.#path = options.path;
    this.#place = options.place;
    this.#mounts = mounts;
  }

  open(): number {
    if (!this.#isGuarded()) {
      return openSync(this.#path, constants.O_RDONLY | constants.O_DIRECTORY);
    }
    mkdirSync(this.#place, { recursive: true, mode: 0o700 });
    try {
      return this.#mounts.openWritable(this.#path, this.#place);
    } finally {
      rmdirSync(this.#place);
    }
  }

  raise(): string | undefined {
    return this.#attempt('guard', () => {
      if (!this.#isGuarded()) this.#mounts.bindReadOnly(this.#path);
    });
  }

  lower(): string | undefined {
    return this.#attempt('free', () => {
      for (let i = 0; i < GUARDS_MAX && this.#isGuarded(); i += 1) {
        // A shell that stands in the directory must not keep the guard up.
        this.#mounts.unmount(this.#path, { lazy: true });
      }
    });
  }

  #isGuarded(): boolean {
    return this.#mounts.selfBindAt(this.#path)?.options.includes('ro') ?? false;
  }

  #attempt(what: string, act: () => void): string | undefined {
    try {
      act();
      return undefined;
    } catch (error) {
      return `Cannot ${what} "${this.#path}": ${messageOf(error)}`;
    }
  }
}
