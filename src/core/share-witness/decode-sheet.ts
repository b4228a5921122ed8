/** Checks that what was read from a share is a sheet. */
import type { Sheet } from '../../protocol/share-sheet.ts';
import { decodeAcceptorEntry } from '../registry/acceptor-entry.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Undefined for anything else. */
export function decodeSheet(value: unknown): Sheet | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { renewals, votes, bars, claims } = value as Fields;
  if (!isCount(renewals) || !Array.isArray(votes)) return undefined;
  if (!votes.every((vote) => decodeAcceptorEntry(vote) !== undefined)) return undefined;
  return areAll(bars, isBar) && areAll(claims, isClaim) ? (value as Sheet) : undefined;
}

function areAll(value: unknown, is: (fields: Fields) => boolean): boolean {
  if (!Array.isArray(value)) return false;
  return value.every(
    (each: unknown) => typeof each === 'object' && each !== null && is(each as Fields),
  );
}

function isBar({ group, owner, below }: Fields): boolean {
  return typeof group === 'string' && typeof owner === 'string' && isCount(below);
}

function isClaim({ group, epoch, renewed, held, termMs }: Fields): boolean {
  const counts = isCount(epoch) && isCount(renewed) && typeof termMs === 'number';
  return typeof group === 'string' && typeof held === 'boolean' && counts;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
