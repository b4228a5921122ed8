/**
 * Nodes that shall not get a group: in standby for everything, or banned from this one group. Both
 * stand in the group's own record, so they are as safe, as available and as linear as who owns it.
 *
 * A vote that would make such a node the owner is refused, unless it is the owner already: what
 * could not be moved away is not stopped for it, and may start where it was.
 */
import type { NodeId } from '../../protocol/ids.ts';
import type { OwnershipRecord } from '../../protocol/record.ts';
import { isMaintained, sameMaintenance } from './maintenance.ts';

export type BarKind = 'standby' | 'ban';

export interface BarChange {
  readonly type: 'bar';
  readonly kind: BarKind;
  readonly node: NodeId;
  /** False lifts it. */
  readonly on: boolean;
}

const FIELDS = { standby: 'standby', ban: 'banned' } as const;

/** The record with that bar, or without; sorted, so that equal records look equal. */
export function withBar(
  { kind, node, on }: BarChange,
  present: OwnershipRecord,
): { readonly type: 'write' | 'settled'; readonly record: OwnershipRecord } {
  const field = FIELDS[kind];
  const nodes = present[field] ?? [];
  if (nodes.includes(node) === on) return { type: 'settled', record: present };
  const others = nodes.filter((other) => other !== node);
  const after = on ? [...others, node].sort() : others;
  const record = { ...present, [field]: after.length === 0 ? undefined : after };
  return { type: 'write', record };
}

/** Why the group shall not run on `node`, as the end of a sentence; undefined where it may. */
export function barOf(record: OwnershipRecord, node: NodeId): string | undefined {
  if (record.standby?.includes(node) === true) return 'is in standby';
  if (record.banned?.includes(node) === true) return 'is banned from the group';
  if (isMaintained(record, node)) return 'is in maintenance';
  return undefined;
}

export function hasBar(record: OwnershipRecord, kind: BarKind, node: NodeId): boolean {
  return record[FIELDS[kind]]?.includes(node) === true;
}

/** Whether two records of a group bar the same nodes, and leave the same alone. */
export function sameBars(a: OwnershipRecord | undefined, b: OwnershipRecord | undefined): boolean {
  return textOf(a) === textOf(b) && sameMaintenance(a, b);
}

function textOf(record: OwnershipRecord | undefined): string {
  return `${record?.standby?.join(' ') ?? ''};${record?.banned?.join(' ') ?? ''}`;
}
