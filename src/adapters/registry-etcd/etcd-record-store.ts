/**
 * The ownership records in etcd: one key per group, changed only by a transaction that compares the
 * key's `mod_revision`. See docs/decisions/0026-etcd.md.
 */
import type { RecordStore } from '../../ports/record-store.ts';
import type { GroupId } from '../../protocol/ids.ts';
import type { StoreReading, StoredVote, SwapOutcome } from '../../protocol/stored-record.ts';
import { EtcdGateway, type GatewayOptions } from './etcd-gateway.ts';
import { type EtcdPlace, decodeValue, encodeValue, keyOf } from './etcd-value.ts';

export function openEtcdRecordStore(options: EtcdPlace & GatewayOptions): RecordStore {
  const gateway = new EtcdGateway(options);
  return {
    read: (group) => read(gateway, options, group),
    swap: (group, expected, vote) => swap(gateway, options, group, { expected, vote }),
    close: () => gateway.close(),
  };
}

async function read(gateway: EtcdGateway, place: EtcdPlace, group: GroupId): Promise<StoreReading> {
  const name = keyOf(place, group);
  const answer = await gateway.call('/v3/kv/range', { key: base64(name) }, true);
  if (answer.type !== 'answered') return unreachable(answer.why);
  const { header, kvs } = answer.body;
  // Whatever else answers 200 there: that there is no record may be told by etcd alone.
  if (revisionIn(header, 'revision') === undefined) return unreachable('who answers is not etcd');
  if (kvs === undefined) return { type: 'none' };
  const entry: unknown = Array.isArray(kvs) ? kvs[0] : undefined;
  const revision = revisionIn(entry, 'mod_revision');
  const foreign = (why: string): StoreReading => ({ type: 'foreign', why: `"${name}": ${why}` });
  if (revision === undefined) return foreign('its revision cannot be read');
  const value = fieldOf(entry, 'value');
  const text = typeof value === 'string' ? Buffer.from(value, 'base64').toString('utf8') : '';
  const vote = decodeValue(place, group, text);
  return typeof vote === 'string' ? foreign(vote) : { type: 'found', revision, vote };
}

async function swap(
  gateway: EtcdGateway,
  place: EtcdPlace,
  group: GroupId,
  { expected, vote }: { readonly expected: number; readonly vote: StoredVote },
): Promise<SwapOutcome> {
  const key = base64(keyOf(place, group));
  const value = base64(encodeValue(place, group, vote));
  const compare = [{ key, target: 'MOD', result: 'EQUAL', mod_revision: String(expected) }];
  const transaction = { compare, success: [{ request_put: { key, value } }] };
  const answer = await gateway.call('/v3/kv/txn', transaction, false);
  if (answer.type !== 'answered') return answer;
  const { header, succeeded } = answer.body;
  const revision = revisionIn(header, 'revision');
  if (revision === undefined) return { type: 'unknown', why: 'who answers is not etcd' };
  // The gateway leaves out what is false.
  return succeeded === true ? { type: 'swapped', revision } : { type: 'moved' };
}

function unreachable(why: string): StoreReading {
  return { type: 'unreachable', why };
}

/** The gateway writes 64-bit numbers as text. */
function revisionIn(value: unknown, field: string): number | undefined {
  const revision = Number(fieldOf(value, field));
  return Number.isSafeInteger(revision) && revision > 0 ? revision : undefined;
}

function fieldOf(value: unknown, field: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return (value as Readonly<Record<string, unknown>>)[field];
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}
