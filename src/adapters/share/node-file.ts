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
  /** The slot of each region that holds what was written there last. */
  readonly newest: readonly number[];
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
  const newest = Array.from({ length: REGIONS }, (_, region) => {
    const good = slotsOf(region).flatMap((index) => {
      const key = keys[index];
      const bytes = file.subarray(index * SLOT_BYTES, (index + 1) * SLOT_BYTES);
      const slot = key === undefined ? undefined : decodeSlot(bytes, key);
      return slot === undefined ? [] : [{ index, region, slot }];
    });
    if (good.length > 0) return good.reduce(later);
    throw new TakoError(
      'share-unusable',
      `Cannot vote on the share: what "${node}" wrote there is damaged, or of another key`,
      { next: 'Make the share anew: tako witness prepare --replace' },
    );
  });
  const { slot: last, region } = newest.reduce(later);
  return { last, region, newest: newest.map(({ index }) => index) };
}

function later<T extends { readonly slot: Slot }>(a: T, b: T): T {
  return comparePlaces(b.slot, a.slot) > 0 ? b : a;
}

/**
 * Into which slot a life's write goes, by its sequence number: the first one not over the only good
 * slot of its region, should it end half-way.
 */
export function slotFor(sequence: number, newest: number): number {
  const slots = slotsOf(Math.floor(newest / SLOTS));
  const at = slots.indexOf(newest) + sequence;
  return slots[at % slots.length] ?? newest;
}

export function slotsOf(region: number): readonly number[] {
  return Array.from({ length: SLOTS }, (_, index) => region * SLOTS + index);
}
