/**
 * As much of PostgreSQL's protocol (version 3) as a test needs: connect without a password, send
 * text, get rows. One question at a time. Any trouble ends the connection.
 */
import { type Socket, connect } from 'node:net';

export interface SqlAnswer {
  /** Of all statements of the question, one behind the other. */
  readonly rows: readonly (readonly (string | undefined)[])[];
  /** The server's complaint, with its SQLSTATE in front; undefined when all went well. */
  readonly error: string | undefined;
}

export interface ConnectOptions {
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly connectTimeoutMs: number;
}

const PROTOCOL_VERSION = 196_608;
const HEADER_BYTES = 5;

export class SqlConnection {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  #rows: (string | undefined)[][] = [];
  #error: string | undefined;
  #settle: ((answer: SqlAnswer | undefined) => void) | undefined;
  #closed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', () => this.close());
    socket.on('close', () => this.close());
  }

  /** Undefined when the server does not let us in, in time. */
  static async open(options: ConnectOptions): Promise<SqlConnection | undefined> {
    const { address, port, user, database, connectTimeoutMs } = options;
    const socket = connect({ host: address, port, noDelay: true });
    const connection = new SqlConnection(socket);
    const body = Buffer.from(`user\0${user}\0database\0${database}\0\0`);
    const head = Buffer.alloc(8);
    head.writeInt32BE(head.length + body.length, 0);
    head.writeInt32BE(PROTOCOL_VERSION, 4);
    const answer = await connection.#exchange(Buffer.concat([head, body]), connectTimeoutMs);
    if (answer !== undefined && answer.error === undefined) return connection;
    connection.close();
    return undefined;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Undefined when no answer came in time: the outcome is then unknown. */
  async query(sql: string, timeoutMs: number): Promise<SqlAnswer | undefined> {
    const text = Buffer.from(`${sql}\0`);
    const message = Buffer.alloc(HEADER_BYTES + text.length);
    message.write('Q', 0, 'latin1');
    message.writeInt32BE(text.length + 4, 1);
    text.copy(message, HEADER_BYTES);
    const answer = await this.#exchange(message, timeoutMs);
    if (answer === undefined) this.close();
    return answer;
  }

  close(): void {
    this.#closed = true;
    this.#socket.destroy();
    this.#settle?.(undefined);
  }

  #exchange(message: Buffer, timeoutMs: number): Promise<SqlAnswer | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#settle?.(undefined), timeoutMs);
      this.#settle = (answer) => {
        clearTimeout(timer);
        this.#settle = undefined;
        resolve(answer);
      };
      this.#rows = [];
      this.#error = undefined;
      this.#socket.write(message);
    });
  }

  #take(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    while (this.#received.length >= HEADER_BYTES) {
      const length = this.#received.readInt32BE(1) + 1;
      if (this.#received.length < length) return;
      const type = this.#received.toString('latin1', 0, 1);
      this.#message(type, this.#received.subarray(HEADER_BYTES, length));
      this.#received = this.#received.subarray(length);
    }
  }

  #message(type: string, body: Buffer): void {
    if (type === 'D') this.#rows.push(readRow(body));
    else if (type === 'E') this.#error ??= readError(body);
    else if (type === 'R' && body.readInt32BE(0) !== 0) this.#error ??= 'a password is wanted';
    else if (type === 'Z') this.#settle?.({ rows: this.#rows, error: this.#error });
  }
}

function readRow(body: Buffer): (string | undefined)[] {
  const values: (string | undefined)[] = [];
  let at = 2;
  for (let i = 0; i < body.readInt16BE(0); i += 1) {
    const length = body.readInt32BE(at);
    at += 4;
    values.push(length < 0 ? undefined : body.toString('utf8', at, at + length));
    at += Math.max(0, length);
  }
  return values;
}

function readError(body: Buffer): string {
  const fields = new Map(
    body
      .toString('utf8')
      .split('\0')
      .map((field) => [field.slice(0, 1), field.slice(1)]),
  );
  return `${fields.get('C') ?? ''} ${fields.get('M') ?? ''}`;
}
