/** The store of the records outside the cluster, where the configuration names one. */
import { openEtcdRecordStore } from '../../adapters/registry-etcd/etcd-record-store.ts';
import { decodeStoredVote } from '../../core/registry/stored-vote.ts';
import type { RecordStore } from '../../ports/record-store.ts';
import type { Config } from '../../protocol/config.ts';

export function openRecords({ cluster, registry }: Config): RecordStore | undefined {
  if (registry === undefined) return undefined;
  return openEtcdRecordStore({ ...registry.etcd, cluster, decode: decodeStoredVote });
}
