/**
 * A node's file on a share: three regions of two slots. A life of the node writes into one region,
 * never into one of the life before it nor of one that still hangs, one slot after the other. What
 * was written last counts; a region without a single good slot makes the whole file unreadable,
 * because nobody can tell what was in it.
 */
import { TakoError } from '../../base/tako-error.ts';
import {
  REGIONS,
  SLOTS,
  SLOT_BYTES,
  type Slot,
  type SlotName,
  comparePlaces,
  decodeSlot,
  encodeSlot,
  shareKey,
} from './slot-codec.ts';
import { EMPTY_SHEET } from '../../protocol/share-sheet.ts';

export interface FileState {
  readonly last: Slot;
  /** In which it is. */
  readonly region: number;
}

/** The keys of all slots of one file. */
export function slotKeys(name: SlotName): readonly Buffer[] {
  return Array.from({ length: REGIONS * SLOTS }, (_, slot) => shareKey(name, `slot ${slot}`));
}

export function emptyFile(keys: readonly Buffer[]): Buffer {
  const slots = keys.map((key) => encodeSlot(EMPTY_SHEET, { life: 0, sequence: 0 }, key));
  return Buffer.concat(slots.flatMap((slot) => slot ?? []));
}

/** Throws when any region has no good slot. */
export function readFileState(node: string, file: Buffer, keys: readonly Buffer[]): FileState {
  let state: FileState | undefined;
  for (let region = 0; region < REGIONS; region += 1) {
    const good = slotsOf(region).flatMap((slot) => {
      const key = keys[slot];
      const bytes = file.subarray(slot * SLOT_BYTES, (slot + 1) * SLOT_BYTES);
      return (key === undefined ? undefined : decodeSlot(bytes, key)) ?? [];
    });
    if (good.length === 0) {
      throw new TakoError(
        'share-unusable',
        `Cannot vote on the share: what "${node}" wrote there is damaged, or of another key`,
        { next: 'Make the share anew: tako witness prepare --replace' },
      );
    }
    for (const last of good) {
      if (state === undefined || comparePlaces(last, state.last) > 0) state = { last, region };
    }
  }
  if (state === undefined) throw new TakoError('internal', 'A file has at least one region');
  return state;
}

export function slotsOf(region: number): readonly number[] {
  return Array.from({ length: SLOTS }, (_, index) => region * SLOTS + index);
}
