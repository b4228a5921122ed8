/** Types of `record.mjs`. */
export interface LedgerRecord {
  readonly kind: string;
  readonly client: string;
  readonly number: number;
  readonly text: string;
}

export declare const RECORD_BYTES: number;
export declare function encodeRecord(record: LedgerRecord): Buffer;
export declare function decodeRecord(bytes: Buffer, offset: number): LedgerRecord | undefined;
export declare function isRecord(bytes: Buffer, offset: number): boolean;
