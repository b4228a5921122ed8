/** What was asked of a store outside that holds the records, and what it answered, for people. */
import type { StoreReading, SwapOutcome } from '../../protocol/stored-record.ts';

export function readingWords(reading: StoreReading): string {
  switch (reading.type) {
    case 'found': {
      const { epoch, owner } = reading.vote.record;
      return `etcd has at revision ${reading.revision}: ${owner} at epoch ${epoch}`;
    }
    case 'none':
      return 'etcd has no record';
    case 'foreign':
      return `etcd has something else: ${reading.why}`;
    case 'unreachable':
      return `etcd cannot be read: ${reading.why}`;
  }
}

export function outcomeWords(outcome: SwapOutcome): string {
  switch (outcome.type) {
    case 'swapped':
      return `etcd has the new record, at revision ${outcome.revision}`;
    case 'moved':
      return 'etcd has another record by now';
    case 'refused':
      return `etcd did not write it: ${outcome.why}`;
    case 'unknown':
      return `whether etcd wrote it is unknown: ${outcome.why}`;
  }
}
