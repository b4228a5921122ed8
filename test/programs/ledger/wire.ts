/** What the ledger's client says and is told: one JSON object per line of its output and input. */
export interface LedgerClientOptions {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** Time from one question to the next. */
  readonly everyMs: number;
}

/** Times are CLOCK_MONOTONIC milliseconds, the same in all hosts of a lab. */
export interface Outage {
  /** Last acknowledgement before it. */
  readonly from: number;
  /** First acknowledgement after it. */
  readonly to: number;
  readonly ms: number;
  /** Servers before and after. */
  readonly instances: readonly [string, string];
}

export interface LedgerStats {
  readonly type: 'stats';
  readonly at: number;
  readonly acknowledged: number;
  /** Acknowledged records that a server did not know any more, or showed altered. */
  readonly lost: number;
  readonly violations: readonly string[];
  readonly lastAckAt: number | undefined;
  readonly instance: string | undefined;
  readonly opening: number | undefined;
  readonly lastOutage: Outage | undefined;
}

export interface LedgerReport extends Omit<LedgerStats, 'type'> {
  readonly type: 'report';
  readonly id: number;
  /** Since the last `mark`. */
  readonly acknowledgedSinceMark: number;
  readonly longestGapMs: number;
  readonly outages: readonly Outage[];
}

export interface LedgerAudit {
  readonly type: 'audit';
  readonly id: number;
  readonly acknowledged: number;
  readonly stored: number;
  readonly lost: number;
  readonly duplicates: number;
  readonly violations: readonly string[];
}

export type LedgerCommand = { readonly id: number } & (
  | { readonly type: 'mark' }
  | { readonly type: 'report' }
  /** Through another address than the one that the records are posted to, if given. */
  | { readonly type: 'audit'; readonly address?: string | undefined }
);

export type LedgerLine =
  | LedgerStats
  | LedgerReport
  | LedgerAudit
  | { readonly type: 'marked'; readonly id: number }
  | { readonly type: 'failed'; readonly id: number; readonly problem: string };
