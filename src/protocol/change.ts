/**
 * One change of a mirrored tree, as it enters the stream. Paths are bytes, relative to the root of
 * the mirror, without a leading slash; the root itself is the empty path. Applied in the order of
 * the stream, on a copy in the state before it, a change gives the state after it; all values are
 * absolute, so that applying one twice in a row does no harm unless it says so.
 */
export type Path = Uint8Array;

/** A time as stat(2) gives it. Nanoseconds do not fit one number. */
export interface TimeSpec {
  readonly seconds: number;
  readonly nanoseconds: number;
}

export type Change =
  | {
      readonly type: 'write';
      readonly path: Path;
      readonly offset: number;
      readonly data: Uint8Array;
    }
  | { readonly type: 'truncate'; readonly path: Path; readonly size: number }
  | {
      readonly type: 'allocate';
      readonly path: Path;
      /** As for fallocate(2). */
      readonly mode: number;
      readonly offset: number;
      readonly length: number;
    }
  /** Regular files, devices, fifos and sockets; `mode` has the type bits, as for mknod(2). */
  | {
      readonly type: 'create';
      readonly path: Path;
      readonly mode: number;
      readonly device: number;
      readonly uid: number;
      readonly gid: number;
    }
  | {
      readonly type: 'mkdir';
      readonly path: Path;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  | {
      readonly type: 'symlink';
      readonly path: Path;
      readonly target: Uint8Array;
      readonly uid: number;
      readonly gid: number;
    }
  | { readonly type: 'link'; readonly path: Path; readonly existing: Path }
  | { readonly type: 'unlink'; readonly path: Path }
  | { readonly type: 'rmdir'; readonly path: Path }
  /** `flags` as for renameat2(2). Not repeatable. */
  | { readonly type: 'rename'; readonly from: Path; readonly path: Path; readonly flags: number }
  /** Only what is given changes. Does not follow a symbolic link. */
  | {
      readonly type: 'attributes';
      readonly path: Path;
      readonly mode: number | undefined;
      readonly uid: number | undefined;
      readonly gid: number | undefined;
      readonly accessed: TimeSpec | undefined;
      readonly modified: TimeSpec | undefined;
    }
  | {
      readonly type: 'setxattr';
      readonly path: Path;
      readonly name: Uint8Array;
      readonly value: Uint8Array;
      readonly flags: number;
    }
  | { readonly type: 'removexattr'; readonly path: Path; readonly name: Uint8Array }
  /** Make durable what came before, for a file or a directory, and acknowledge it. */
  | { readonly type: 'sync'; readonly path: Path; readonly dataOnly: boolean };
