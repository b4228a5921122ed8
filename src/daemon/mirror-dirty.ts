/**
 * What changed in the mirror that this node serves, and behind which entry of the stream, for copies
 * that come back after the stream has forgotten where they were. Fed with each entry as it is seen.
 */
import { keyOf } from '../adapters/mirror/copy/paths.ts';
import { lastLinkLost } from '../adapters/mirror/stream/capture-sink.ts';
import { assert } from '../base/assert.ts';
import type { Instant } from '../base/time.ts';
import { DirtyMap } from '../core/mirror/dirty-map.ts';
import { changePath, changeStart, changeType, decodeChange } from '../protocol/change-codec.ts';
import { type DirtyPaths, dirtiedBy } from '../protocol/dirty-paths.ts';

const GENERATION_MS = 10_000;

export class MirrorDirty {
  readonly #gate: Int32Array;
  readonly #map: DirtyMap;
  #beganAt: Instant;
  /** The path that was written to last, and how such a change begins. */
  #written: { readonly start: Uint8Array; readonly key: string } | undefined;

  /** Knows what changes behind the entry `first`. */
  constructor(first: number, gate: Int32Array, now: Instant) {
    this.#map = new DirtyMap(first);
    this.#gate = gate;
    this.#beganAt = now;
  }

  /** An entry of the stream with a change. */
  changed(seq: number, payload: Uint8Array): void {
    const type = changeType(payload);
    if (type === 'sync') return;
    if (type === 'write') return this.#map.add(seq, this.#writtenKey(payload), 'tree');
    const change = decodeChange(payload);
    assert(change.ok, 'changes in the ring are well-formed');
    dirtiedBy(change.value, (path, extent) => this.#map.add(seq, keyOf(path), extent));
  }

  /** Mostly that of the write before. */
  #writtenKey(payload: Uint8Array): string {
    if (this.#written !== undefined && startsWith(payload, this.#written.start)) {
      return this.#written.key;
    }
    const start = changeStart(payload).slice();
    this.#written = { start, key: keyOf(changePath(start)) };
    return this.#written.key;
  }

  timePassed(now: Instant): void {
    if (now - this.#beganAt < GENERATION_MS) return;
    this.#beganAt = now;
    this.#map.beginGeneration();
  }

  /** A file that lost a name may have been changed through it, and has others that nobody told. */
  linkLostSince(seq: number): boolean {
    return lastLinkLost(this.#gate) > seq;
  }

  /** Undefined when anything may have changed behind that entry. */
  since(seq: number): DirtyPaths | undefined {
    return this.linkLostSince(seq) ? undefined : this.#map.since(seq);
  }
}

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  if (bytes.length < start.length) return false;
  for (let i = start.length - 1; i >= 0; i -= 1) if (bytes[i] !== start[i]) return false;
  return true;
}
