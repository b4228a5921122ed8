/**
 * Maintenance: what an administrator asked Tako to leave alone. It stands in the record of each
 * group that it concerns, like standby (decision 19), so nobody acts on a group by itself that
 * did not hear of it: the vote that would make another node the owner is refused.
 *
 *   of a group, of the cluster   the group is left alone
 *   of a node                    so is what it owns; and it gets nothing new (`bars.ts`)
 *
 * Invariant: an entry counts until a vote takes it out, whatever any clock shows.
 */
import type { NodeId } from '../../protocol/ids.ts';
import type { Maintenance, OwnershipRecord } from '../../protocol/record.ts';

type Place = Pick<Maintenance, 'scope' | 'node'>;

export type MaintenanceChange = Place & {
  readonly type: 'maintain';
  /** Undefined ends it. */
  readonly entry: Maintenance | undefined;
  /** Ends only what was to end then: it may have been prolonged meanwhile. */
  readonly dueMs?: number | undefined;
};

/** The record with that entry in place of the former one of the same place, or without. */
export function withMaintenance(
  change: MaintenanceChange,
  present: OwnershipRecord,
): { readonly type: 'write' | 'settled'; readonly record: OwnershipRecord } {
  const entries = present.maintenance ?? [];
  const before = entries.find((entry) => isSamePlace(entry, change));
  const { dueMs, entry } = change;
  const prolonged = dueMs !== undefined && before?.untilMs !== dueMs;
  if (entry === undefined && (before === undefined || prolonged)) {
    return { type: 'settled', record: present };
  }
  // Asked for again, it goes on: for longer, or for another reason.
  const after =
    entry === undefined ? [] : [{ ...entry, sinceMs: before?.sinceMs ?? entry.sinceMs }];
  const others = entries.filter((other) => other !== before);
  const all = [...others, ...after].sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
  const record = { ...present, maintenance: all.length === 0 ? undefined : all };
  const same = sameMaintenance(present, record);
  return same ? { type: 'settled', record: present } : { type: 'write', record };
}

/** Why the group is left alone where it is; undefined where it is not. */
export function leftAlone(record: OwnershipRecord | undefined): Maintenance | undefined {
  return record?.maintenance?.find(({ scope, node }) => scope !== 'node' || node === record.owner);
}

/** Whether that node itself is in maintenance. */
export function isMaintained(record: OwnershipRecord, node: NodeId): boolean {
  return record.maintenance?.some((entry) => entry.node === node) === true;
}

export function hasMaintenance(record: OwnershipRecord, place: Place): boolean {
  return record.maintenance?.some((entry) => isSamePlace(entry, place)) === true;
}

export function sameMaintenance(
  a: OwnershipRecord | undefined,
  b: OwnershipRecord | undefined,
): boolean {
  return textOf(a) === textOf(b);
}

export function isSamePlace(a: Place, b: Place): boolean {
  return placeOf(a) === placeOf(b);
}

function textOf(record: OwnershipRecord | undefined): string {
  const entries = record?.maintenance ?? [];
  return JSON.stringify(
    entries.map((entry) => [placeOf(entry), entry.sinceMs, entry.untilMs, entry.by, entry.reason]),
  );
}

function placeOf({ scope, node }: Place): string {
  return `${scope} ${node ?? ''}`;
}
