/**
 * The ownership records in etcd: one key per group, changed only by a transaction that compares the
 * key's `mod_revision`. See docs/decisions/0026-etcd.md.
 *
 * Invariant: an etcd that is another one than before, or that holds less than it told before, is
 * not believed.
 */
import type { RecordStore } from '../../ports/record-store.ts';
import type { GroupId } from '../../protocol/ids.ts';
import type { StoreReading, StoredVote, SwapOutcome } from '../../protocol/stored-record.ts';
import { EtcdGateway, type GatewayAnswer, type GatewayOptions } from './etcd-gateway.ts';
import { type EtcdPlace, decodeValue, encodeValue, keyOf } from './etcd-value.ts';

type Answered = Extract<GatewayAnswer, { type: 'answered' }>;

export function openEtcdRecordStore(options: EtcdPlace & GatewayOptions): RecordStore {
  return new EtcdRecordStore(options);
}

class EtcdRecordStore implements RecordStore {
  readonly #place: EtcdPlace;
  readonly #gateway: EtcdGateway;
  /** Of the whole etcd, the highest that an answer told. */
  #revision = 0;
  /** Which etcd it is, as its members tell. */
  #cluster: string | undefined;

  constructor(options: EtcdPlace & GatewayOptions) {
    this.#place = options;
    this.#gateway = new EtcdGateway(options);
  }

  async read(group: GroupId): Promise<StoreReading> {
    const name = keyOf(this.#place, group);
    const answer = await this.#range(name);
    if (typeof answer === 'string') return { type: 'unreachable', why: answer };
    const { kvs } = answer.body;
    if (kvs === undefined) return { type: 'none' };
    const entry: unknown = Array.isArray(kvs) ? kvs[0] : undefined;
    const revision = numberIn(entry, 'mod_revision');
    const foreign = (why: string): StoreReading => ({ type: 'foreign', why: `"${name}": ${why}` });
    if (revision === undefined) return foreign('its revision cannot be read');
    const value = fieldOf(entry, 'value');
    const text = typeof value === 'string' ? Buffer.from(value, 'base64').toString('utf8') : '';
    const vote = decodeValue(this.#place, group, text);
    return typeof vote === 'string' ? foreign(vote) : { type: 'found', revision, vote };
  }

  async swap(group: GroupId, expected: number, vote: StoredVote): Promise<SwapOutcome> {
    const key = base64(keyOf(this.#place, group));
    const value = base64(encodeValue(this.#place, group, vote));
    const compare = [{ key, target: 'MOD', result: 'EQUAL', mod_revision: String(expected) }];
    const transaction = { compare, success: [{ request_put: { key, value } }] };
    const answer = await this.#gateway.change('/v3/kv/txn', transaction);
    if (answer.type !== 'answered') return answer;
    const { header, succeeded } = answer.body;
    const revision = numberIn(header, 'revision');
    if (revision === undefined) return { type: 'unknown', why: NOT_ETCD };
    this.#revision = Math.max(this.#revision, revision);
    // The gateway leaves out what is false.
    return succeeded === true ? { type: 'swapped', revision } : { type: 'moved' };
  }

  async check(): Promise<string | undefined> {
    const answer = await this.#range(`${this.#place.prefix}/${this.#place.cluster}/health`);
    return typeof answer === 'string' ? answer : undefined;
  }

  close(): void {
    this.#gateway.close();
  }

  /** In words why the answer is none to rely on. */
  async #range(name: string): Promise<Answered | string> {
    // Questions overtake each other: only what was told before this one was asked can be held up to it.
    const before = this.#revision;
    const answer = await this.#gateway.ask('/v3/kv/range', { key: base64(name) });
    if (answer.type !== 'answered') return answer.why;
    const { header } = answer.body;
    const revision = numberIn(header, 'revision');
    // Whatever else answers 200 there: that there is no record may be told by etcd alone.
    if (revision === undefined) return NOT_ETCD;
    const cluster = String(fieldOf(header, 'cluster_id'));
    if (this.#cluster !== undefined && cluster !== this.#cluster) {
      return `it is another etcd than before; ${RESTORED}`;
    }
    if (revision < before) {
      return `it is at revision ${revision}, and has told of ${before} before; ${RESTORED}`;
    }
    this.#cluster = cluster;
    this.#revision = Math.max(this.#revision, revision);
    return answer;
  }
}

const NOT_ETCD = 'who answers is not etcd';
const RESTORED = 'was it put back from a backup? See docs/operating/etcd.md';

/** The gateway writes 64-bit numbers as text. */
function numberIn(value: unknown, field: string): number | undefined {
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
