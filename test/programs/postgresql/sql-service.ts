/**
 * PostgreSQL as a keeper of numbered records: each is one transaction, which also changes a row of
 * pgbench's accounts. A commit that the client saw must be there later.
 */
import type { LedgerRecord } from '../ledger/record.mjs';
import type { Answer, Service, Target } from '../ledger/service.ts';
import { SqlConnection } from './connection.ts';

const CONNECT_TIMEOUT_MS = 150;
const ANSWER_TIMEOUT_MS = 400;
const AUDIT_TIMEOUT_MS = 60_000;
const DATABASE = { user: 'postgres', database: 'postgres' };
/** Rows that `LEDGER_SQL` makes. */
const ACCOUNTS = 1000;

/** To be run once, on an empty database. */
export const LEDGER_SQL = [
  'CREATE TABLE ledger (client text, number int, text text NOT NULL, PRIMARY KEY (client, number));',
  'CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL);',
  `INSERT INTO account SELECT id, 0 FROM generate_series(1, ${ACCOUNTS}) AS id;`,
].join('\n');

export class SqlService implements Service {
  readonly #target: Target;
  #connection: SqlConnection | undefined;

  constructor(target: Target) {
    this.#target = target;
  }

  async post({ client, number, text }: Omit<LedgerRecord, 'kind'>): Promise<Answer | undefined> {
    const connection = await this.#connected();
    const account = 1 + (number % ACCOUNTS);
    // Asked again after an unknown outcome, it finds its record and changes nothing.
    const sql = `
      BEGIN;
      WITH fresh AS (INSERT INTO ledger VALUES ('${client}', ${number}, '${text}')
        ON CONFLICT DO NOTHING RETURNING 1)
      UPDATE account SET balance = balance + 1 WHERE id = ${account} AND EXISTS (TABLE fresh);
      COMMIT;
      SELECT text, floor(extract(epoch FROM pg_postmaster_start_time()) * 1000) FROM ledger
        WHERE client = '${client}' AND number = ${number}`;
    const answer = await connection?.query(sql, ANSWER_TIMEOUT_MS);
    const row = answer?.rows[0];
    if (answer === undefined || answer.error !== undefined || row === undefined) {
      connection?.close();
      return undefined;
    }
    const body = { number, instance: row[1], opening: Number(row[1]) };
    return row[0] === text
      ? { status: 200, body }
      : { status: 409, body: { ...body, last: number } };
  }

  async readAll(
    address: string,
    client: string,
    take: (number: number, text: string) => void,
  ): Promise<void> {
    const connection = await SqlConnection.open({
      ...DATABASE,
      address,
      port: this.#target.port,
      connectTimeoutMs: AUDIT_TIMEOUT_MS,
    });
    const sql = `SELECT number, text FROM ledger WHERE client = '${client}' ORDER BY number`;
    const answer = await connection?.query(sql, AUDIT_TIMEOUT_MS);
    connection?.close();
    if (answer === undefined || answer.error !== undefined) {
      throw new Error(`Cannot read the records back: ${answer?.error ?? 'no answer'}`);
    }
    for (const [number, text] of answer.rows) take(Number(number), text ?? '');
  }

  async #connected(): Promise<SqlConnection | undefined> {
    if (this.#connection === undefined || this.#connection.closed) {
      this.#connection = await SqlConnection.open({
        ...DATABASE,
        ...this.#target,
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
      });
    }
    return this.#connection;
  }
}
