/**
 * Set-user-id and set-group-id bits end when somebody without the privilege to keep them changes
 * the file (FUSE_HANDLE_KILLPRIV_V2: the kernel tells when, we do it). The store would not do it by
 * itself, for it sees root acting.
 *
 * File capabilities (`security.capability`) need nothing here: the store's own kernel drops them at
 * every write, truncation and change of owner, whoever acts, on each copy alike.
 */
import type { Path } from '../../protocol/change.ts';
import { PERMISSION_BITS, S_IFDIR, S_IFMT, S_ISGID, S_ISUID, S_IXGRP } from '../wire/flags.ts';
import type { Context } from './context.ts';
import type { FileNode } from './file-node.ts';

/** Whether a change by somebody without privileges takes bits away. */
export function losesBits(mode: number): boolean {
  return (mode & S_IFMT) !== S_IFDIR && withoutBits(mode) !== mode;
}

function withoutBits(mode: number): number {
  // Without group execution, the set-group-id bit has another meaning and stays.
  const lost = (mode & S_IXGRP) === 0 ? S_ISUID : S_ISUID | S_ISGID;
  return mode & ~lost;
}

/** Takes the bits away, on the store and in the stream. Called in the stream's order. */
export function dropBits(context: Context, node: FileNode, path: Path | number): number {
  if (!losesBits(node.mode)) return 0;
  return setMode(context, { node, path, mode: withoutBits(node.mode) & PERMISSION_BITS });
}

interface NewMode {
  readonly node: FileNode;
  readonly path: Path | number;
  readonly mode: number;
}

/** A mode that follows from another operation, so that the kernel does not know it yet. */
export function setMode(context: Context, change: NewMode): number {
  const { node, path, mode } = change;
  const refused = context.recordEntry(path);
  if (refused < 0) return refused;
  const failed = context.fs.chmod(context.at(node), context.where(node), mode);
  if (failed < 0) return failed;
  appendMode(context, change);
  return 0;
}

/** Notes a mode that the store has already. */
export function appendMode(context: Context, { node, path, mode }: NewMode): void {
  node.mode = (node.mode & S_IFMT) | mode;
  context.append(path, (name) => ({
    type: 'attributes',
    path: name,
    mode,
    uid: undefined,
    gid: undefined,
    accessed: undefined,
    modified: undefined,
  }));
  context.attributesChanged(node);
}
