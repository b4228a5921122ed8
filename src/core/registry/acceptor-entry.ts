/** Checks that what comes from storage is an acceptor's entry. */
import type { AcceptorEntry } from './acceptor.ts';

/** Undefined for anything else. */
export function decodeAcceptorEntry(value: unknown): AcceptorEntry | undefined {
  if (!isObject(value)) return undefined;
  const { group, promised, accepted } = value;
  if (typeof group !== 'string' || !isBallot(promised)) return undefined;
  if (accepted !== undefined && !isVote(accepted)) return undefined;
  return value as unknown as AcceptorEntry;
}

function isVote(value: unknown): boolean {
  if (!isObject(value) || !isBallot(value['ballot'])) return false;
  const record = value['record'];
  return record === undefined || isRecord(record);
}

function isRecord(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { byHand, epoch, owner, inSync, want, voters, formerVoters, forced, keptAside } = value;
  if (!Number.isSafeInteger(epoch) || typeof owner !== 'string' || !isObject(inSync)) return false;
  if (forced !== undefined && !isForced(forced)) return false;
  if (keptAside !== undefined && !areCopies(keptAside)) return false;
  if (byHand !== undefined && byHand !== true) return false;
  if (!areNames(value['standby'] ?? []) || !areNames(value['banned'] ?? [])) return false;
  const { maintenance } = value;
  if (maintenance !== undefined && !isMaintenance(maintenance)) return false;
  if (!isElectorate(voters)) return false;
  if (formerVoters !== undefined && !isElectorate(formerVoters)) return false;
  return areCopies(inSync) && (want === 'online' || want === 'offline');
}

function areCopies(value: unknown): boolean {
  return isObject(value) && Object.values(value).every(areNames);
}

function areNames(value: unknown): boolean {
  return Array.isArray(value) && value.every((node) => typeof node === 'string');
}

function isMaintenance(value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  const entries: readonly unknown[] = value;
  return entries.every((entry) => {
    if (!isObject(entry) || typeof entry['scope'] !== 'string') return false;
    const { node, sinceMs, untilMs, by } = entry;
    if (!Number.isFinite(sinceMs) || typeof by !== 'string') return false;
    if (untilMs !== undefined && !Number.isFinite(untilMs)) return false;
    return node === undefined || typeof node === 'string';
  });
}

function isForced(value: unknown): boolean {
  if (!isObject(value) || !Number.isSafeInteger(value['at'])) return false;
  const { epoch, off, owner } = value;
  return Number.isSafeInteger(epoch) && typeof owner === 'string' && areNames(off);
}

function isElectorate(value: unknown): boolean {
  if (!Array.isArray(value) || value.length === 0) return false;
  const voters: readonly unknown[] = value;
  return voters.every(
    (voter) =>
      isObject(voter) && typeof voter['node'] === 'string' && typeof voter['seat'] === 'string',
  );
}

function isBallot(value: unknown): boolean {
  if (!isObject(value) || !Number.isSafeInteger(value['counter'])) return false;
  return typeof value['node'] === 'string' && typeof value['seat'] === 'string';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
