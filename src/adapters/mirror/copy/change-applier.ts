/**
 * Applies one change of the stream to the copy's directory. It knows nothing of modes or resync:
 * it says whether the change fitted, and what failed if not.
 *
 * - Ownership and permissions are exactly those of the change, whatever the umask is: what is made
 *   is made closed, given to its owner, then opened. (chown(2) clears set-id bits, so chmod is last.)
 * - A rename or unlink drops the open files that its paths named.
 * - Every path is checked before it is used; a path that leaves the mirror is no change at all.
 */
import { unreachable } from '../../../base/assert.ts';
import type { Change } from '../../../protocol/change.ts';
import type { OpenFile, OpenFiles } from './open-files.ts';
import { type PathKey, isPlainPath, keyOf } from './paths.ts';
import {
  type CallFailure,
  EINVAL,
  type Store,
  failureOf,
  permissionsOf,
  typeOf,
  writeFully,
} from './store.ts';

const CLOSED_FILE = 0o600;
const CLOSED_DIRECTORY = 0o700;
/** RENAME_EXCHANGE of renameat2(2). */
export const RENAME_EXCHANGE = 2;

type Of<T extends Change['type']> = Extract<Change, { type: T }>;

/** Every change but `sync`, which changes nothing. */
export type TreeChange = Exclude<Change, { type: 'sync' }>;

/** What is wrong with the paths of `change` (a hostile or broken sender), if anything. */
export function refusedPath(change: Change): PathKey | undefined {
  const rootAllowed = ['attributes', 'setxattr', 'removexattr', 'sync'].includes(change.type);
  const key = keyOf(change.path);
  if (!isPlainPath(key, rootAllowed)) return key;
  const other = otherPath(change);
  return other === undefined || isPlainPath(other, false) ? undefined : other;
}

/** The second path of a change that has two. */
export function otherPath(change: Change): PathKey | undefined {
  if (change.type === 'rename') return keyOf(change.from);
  return change.type === 'link' ? keyOf(change.existing) : undefined;
}

export class ChangeApplier {
  readonly #store: Store;
  readonly #files: OpenFiles;

  constructor(store: Store, files: OpenFiles) {
    this.#store = store;
    this.#files = files;
  }

  /** Undefined when the change is on the store. Paths must have been checked (`refusedPath`). */
  apply(change: TreeChange): CallFailure | undefined {
    switch (change.type) {
      case 'write':
      case 'truncate':
      case 'allocate':
        return this.#content(change);
      case 'create':
      case 'mkdir':
      case 'symlink':
        return this.#make(change);
      case 'link':
      case 'unlink':
      case 'rmdir':
      case 'rename':
        return this.#name(change);
      case 'attributes':
        return setAttributes(this.#store, change);
      case 'setxattr':
      case 'removexattr':
        return this.#xattr(change);
      default:
        return unreachable(change);
    }
  }

  #content(change: Of<'write' | 'truncate' | 'allocate'>): CallFailure | undefined {
    const file = this.#files.get(keyOf(change.path));
    if ('errno' in file) return file;
    const { fs } = this.#store;
    switch (change.type) {
      case 'write':
        return writeFully(fs, file.fd, change);
      case 'truncate':
        return failureOf('ftruncate', fs.truncateFd(file.fd, change.size));
      case 'allocate':
        return this.#allocate(file, change);
      default:
        return unreachable(change);
    }
  }

  #allocate(file: OpenFile, change: Of<'allocate'>): CallFailure | undefined {
    const { mode, offset, length } = change;
    return failureOf('fallocate', this.#store.fs.allocate(file.fd, mode, offset, length));
  }

  #make(change: Of<'create' | 'mkdir' | 'symlink'>): CallFailure | undefined {
    const { fs, root } = this.#store;
    const { path } = change;
    let failure: CallFailure | undefined;
    if (change.type === 'symlink') {
      failure = failureOf('symlink', fs.symlink(root, path, change.target));
    } else if (change.type === 'mkdir') {
      failure = failureOf('mkdir', fs.mkdir(root, path, CLOSED_DIRECTORY));
    } else {
      const mode = typeOf(change.mode) | CLOSED_FILE;
      failure = failureOf('mknod', fs.mknod(root, path, mode, change.device));
    }
    if (failure !== undefined) return failure;
    failure = failureOf('chown', fs.chown(root, path, change.uid, change.gid));
    if (failure !== undefined || change.type === 'symlink') return failure;
    return failureOf('chmod', fs.chmod(root, path, permissionsOf(change.mode)));
  }

  #name(change: Of<'link' | 'unlink' | 'rmdir' | 'rename'>): CallFailure | undefined {
    const { fs, root } = this.#store;
    const { path } = change;
    switch (change.type) {
      case 'link':
        return failureOf('link', fs.link(root, change.existing, path));
      case 'unlink':
        this.#files.drop(keyOf(path));
        return failureOf('unlink', fs.unlink(root, path));
      case 'rmdir':
        return failureOf('rmdir', fs.rmdir(root, path));
      case 'rename':
        this.#files.dropWithin(keyOf(change.from));
        this.#files.dropWithin(keyOf(path));
        return failureOf('renameat2', fs.rename(root, change.from, path, change.flags));
      default:
        return unreachable(change);
    }
  }

  #xattr(change: Of<'setxattr' | 'removexattr'>): CallFailure | undefined {
    const { fs, root } = this.#store;
    const { path, name } = change;
    if (name.length === 0) return { call: change.type, errno: EINVAL };
    return change.type === 'setxattr'
      ? failureOf('setxattr', fs.setXattr(root, path, name, change.value, change.flags))
      : failureOf('removexattr', fs.removeXattr(root, path, name));
  }
}

/** Sets what is given, in the order in which nothing undoes what came before. */
export function setAttributes(
  store: Store,
  change: Omit<Of<'attributes'>, 'type'>,
): CallFailure | undefined {
  const { fs, root } = store;
  const { path, mode, uid, gid, accessed, modified } = change;
  let failure: CallFailure | undefined;
  if (uid !== undefined || gid !== undefined) {
    failure = failureOf('chown', fs.chown(root, path, uid, gid));
  }
  if (failure === undefined && mode !== undefined) {
    failure = failureOf('chmod', fs.chmod(root, path, permissionsOf(mode)));
  }
  if (failure === undefined && (accessed !== undefined || modified !== undefined)) {
    failure = failureOf('utimensat', fs.setTimes(root, path, accessed, modified));
  }
  return failure;
}
