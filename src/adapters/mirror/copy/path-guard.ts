/**
 * Keeps others from writing into the directory of a secondary: a read-only bind mount of the
 * directory over itself. The copy is written through a descriptor that was opened before, so it is
 * not held up. Mounting is a dependency: adapters do not import one another.
 *
 * A guard that a former process left (it was killed) is known by what it is, a read-only mount on
 * exactly this path of a directory of the same file system, not by memory.
 */
import { messageOf } from '../../../base/tako-error.ts';
import type { PathGuard } from '../../../ports/replica.ts';

/** Guards of former processes to take away at most: one is normal, two come from crashes. */
const GUARDS_MAX = 16;

export interface GuardMounts {
  /** The mount on top at exactly `path`. */
  readonly mountAt: (
    path: string,
  ) => { readonly type: string; readonly options: readonly string[] } | undefined;
  /** Mounts the directory over itself, read-only. */
  readonly bindReadOnly: (path: string) => void;
  readonly unmount: (path: string, options: { readonly lazy: boolean }) => void;
}

export class BindGuard implements PathGuard {
  readonly #path: string;
  readonly #mounts: GuardMounts;

  constructor(path: string, mounts: GuardMounts) {
    this.#path = path;
    this.#mounts = mounts;
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

  /** True for a read-only mount on the path that is not a mirror's own file system. */
  #isGuarded(): boolean {
    const mount = this.#mounts.mountAt(this.#path);
    return mount !== undefined && !mount.type.startsWith('fuse') && mount.options.includes('ro');
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
