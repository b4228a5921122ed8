/**
 * The text under a group's key in etcd. It names its format, cluster and group, so that a key that a
 * stranger wrote, or that was copied from elsewhere, is never taken for a record.
 */
import type { GroupId } from '../../protocol/ids.ts';
import type { StoredVote } from '../../protocol/stored-record.ts';

const FORMAT = 'tako-record-1';

export interface EtcdPlace {
  /** Of all keys; without a slash at the end. */
  readonly prefix: string;
  readonly cluster: string;
  /** Undefined for what is no whole vote. */
  readonly decode: (value: Readonly<Record<string, unknown>>) => StoredVote | undefined;
}

export function keyOf(place: EtcdPlace, group: GroupId): string {
  return `${place.prefix}/${place.cluster}/groups/${group}`;
}

export function encodeValue(place: EtcdPlace, group: GroupId, vote: StoredVote): string {
  return JSON.stringify({ format: FORMAT, cluster: place.cluster, group, ...vote });
}

/** A text instead of a vote says what is wrong with the value. */
export function decodeValue(place: EtcdPlace, group: GroupId, text: string): StoredVote | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'its value is not JSON';
  }
  if (typeof value !== 'object' || value === null) return 'its value is not a record';
  const fields = value as Readonly<Record<string, unknown>>;
  if (fields['format'] !== FORMAT) return `its value does not have the format "${FORMAT}"`;
  if (fields['cluster'] !== place.cluster) return 'its value belongs to another cluster';
  if (fields['group'] !== group) return 'its value belongs to another group';
  return place.decode(fields) ?? 'its value is not a whole record';
}
