/** The mirror process of one mirror, as control and the mirror agent steer it. */
import type { FromMirror, MirrorStatus, ToMirror } from '../protocol/mirror-ipc.ts';

/** A command without its id. */
export type MirrorCommand = ToMirror extends infer M
  ? M extends ToMirror
    ? Omit<M, 'id'>
    : never
  : never;

export type MirrorAnswer =
  | { readonly ok: true; readonly status: MirrorStatus }
  | { readonly ok: false; readonly code: string; readonly message: string };

export interface MirrorControl {
  /** What it said last; undefined while it is not connected. */
  readonly status: MirrorStatus | undefined;
  readonly connected: boolean;
  /** Never rejects; a mirror that is not connected, or dies meanwhile, is `ok: false`. */
  command(command: MirrorCommand): Promise<MirrorAnswer>;
  /** Resolves with true as soon as it is connected, with false after `ms`. */
  whenConnected(ms: number): Promise<boolean>;
  onNews(listener: (news: FromMirror) => void): void;
  onConnection(listener: (connected: boolean) => void): void;
}
