/** Tells whether a line on the heart's socket is one of its messages: shape only, not sense. */
import type { ToHeart } from '../../protocol/heart-ipc.ts';

type Fields = Readonly<Record<string, unknown>>;
type Check = (fields: Fields) => boolean;

const CHECKS: Readonly<Record<ToHeart['type'], Check>> = {
  hello: (f) =>
    (f['role'] === 'control' || f['role'] === 'mirror') && text(f['name']) && count(f['pid']),
  records: (f) =>
    text(f['seat']) &&
    list(f['records'], (r) => text(r['group']) && text(r['owner']) && count(r['epoch'])) &&
    (f['after'] === undefined || count(f['after'])),
  claim: (f) => text(f['group']) && count(f['epoch']) && isElectorates(f['electorates']),
  release: (f) => text(f['group']),
  revoke: (f) => count(f['id']) && text(f['group']) && text(f['owner']),
  send: (f) => text(f['to']) && 'body' in f,
  addresses: (f) =>
    text(f['group']) && count(f['epoch']) && list(f['addresses'], (a) => isWantedAddress(a)),
};

export function isToHeart(value: unknown): value is ToHeart {
  if (!object(value)) return false;
  const type = value['type'];
  if (typeof type !== 'string' || !Object.hasOwn(CHECKS, type)) return false;
  return CHECKS[type as ToHeart['type']](value);
}

function isWantedAddress(a: Fields): boolean {
  const named = text(a['resource']) && text(a['address']) && text(a['link']);
  return named && count(a['prefixLength']) && (a['family'] === 4 || a['family'] === 6);
}

function isElectorates(value: unknown): boolean {
  if (!Array.isArray(value) || value.length === 0) return false;
  const electorates: readonly unknown[] = value;
  return electorates.every((electorate) =>
    list(electorate, (voter) => text(voter['node']) && text(voter['seat'])),
  );
}

function object(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}

function text(value: unknown): boolean {
  return typeof value === 'string' && value !== '' && value.length <= 256;
}

function count(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function list(value: unknown, check: Check): boolean {
  return Array.isArray(value) && value.every((item) => object(item) && check(item));
}
