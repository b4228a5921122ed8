/** The ledger's own server, over HTTP. */
import { connect } from 'node:net';
import { Exchange } from './exchange.ts';
import { type LedgerRecord, RECORD_BYTES, decodeRecord } from './record.mjs';
import type { Answer, Service, Target } from './service.ts';

const AUDIT_TIMEOUT_MS = 30_000;

export class HttpService implements Service {
  readonly #target: Target;
  readonly #exchange: Exchange;

  constructor(target: Target) {
    this.#target = target;
    this.#exchange = new Exchange(target);
  }

  post(record: Omit<LedgerRecord, 'kind'>): Promise<Answer | undefined> {
    return this.#exchange.post('/records', record);
  }

  readAll(
    address: string,
    client: string,
    take: (number: number, text: string) => void,
  ): Promise<void> {
    const { port } = this.#target;
    return readRecords({ address, port, path: `/records?client=${client}` }, take);
  }
}

/** Asks for a list of records and calls back for each, in the order of the file. */
function readRecords(
  from: { readonly address: string; readonly port: number; readonly path: string },
  take: (number: number, text: string) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: from.address, port: from.port });
    let [rest, inBody] = [Buffer.alloc(0), false];
    let problem: Error | undefined;
    socket.setTimeout(AUDIT_TIMEOUT_MS, () => socket.destroy(new Error('no answer to the audit')));
    socket.on('connect', () => socket.write(`GET ${from.path} HTTP/1.1\r\n\r\n`));
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      if (!inBody) {
        const end = rest.indexOf('\r\n\r\n');
        if (end < 0) return;
        inBody = true;
        rest = rest.subarray(end + 4);
      }
      let at = 0;
      for (; at + RECORD_BYTES <= rest.length; at += RECORD_BYTES) {
        const record = decodeRecord(rest, at);
        if (record === undefined) problem = new Error('a stored record is damaged');
        else take(record.number, record.text);
      }
      rest = rest.subarray(at);
    });
    socket.on('error', reject);
    socket.on('end', () => {
      socket.destroy();
      if (!inBody || rest.length > 0) problem ??= new Error('the answer to the audit ended early');
      if (problem === undefined) resolve();
      else reject(problem);
    });
  });
}
