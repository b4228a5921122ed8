/** Checks that what comes from a store outside is a vote. */
import type { StoredVote } from '../../protocol/stored-record.ts';
import { decodeAcceptorEntry } from './acceptor-entry.ts';

/** Undefined for anything else; fields that are not known are left out. */
export function decodeStoredVote(value: Readonly<Record<string, unknown>>): StoredVote | undefined {
  const { base, by, group, record } = value;
  const entry = decodeAcceptorEntry({ group, promised: by, accepted: { ballot: by, record } });
  const decoded = entry?.accepted?.record;
  if (entry === undefined || decoded === undefined) return undefined;
  if (base === undefined) return { record: decoded, by: entry.promised };
  if (!Number.isSafeInteger(base) || Number(base) < 0) return undefined;
  return { record: decoded, by: entry.promised, base: Number(base) };
}
