/** A service that keeps numbered records, as its client sees it. */
import type { LedgerRecord } from './record.mjs';

export interface Answer {
  /** 200: stored, durably. 409: refused because of its number; `last` is in the body. */
  readonly status: number;
  /** Always with `instance` and `opening` of the server. */
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Target {
  readonly address: string;
  readonly port: number;
  /** How long an answer is waited for before the same is asked again on a new connection. */
  readonly answerMs?: number | undefined;
}

export interface Service {
  /** Undefined when no whole answer came in time. Asking again with the same record is harmless. */
  post(record: Omit<LedgerRecord, 'kind'>): Promise<Answer | undefined>;
  /** Reads all records of a client back as they are stored, at that address. */
  readAll(
    address: string,
    client: string,
    take: (number: number, text: string) => void,
  ): Promise<void>;
}
