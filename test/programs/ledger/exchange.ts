/**
 * One HTTP question and its answer at a time over one connection, which is replaced after any
 * trouble. Made by hand, because the time-outs must be short and the cost small: a client that
 * measures outages must not add to them.
 */
import { type Socket, connect } from 'node:net';
import type { Answer, Target } from './service.ts';

const CONNECT_TIMEOUT_MS = 50;
const ANSWER_TIMEOUT_MS = 200;

export class Exchange {
  readonly #address: string;
  readonly #port: number;
  readonly #answerMs: number;
  readonly #connectMs: number;
  #socket: Socket | undefined;

  constructor(options: Target) {
    this.#address = options.address;
    this.#port = options.port;
    this.#answerMs = options.answerMs ?? ANSWER_TIMEOUT_MS;
    // Who has the patience to wait for an answer has it for a connection.
    this.#connectMs = Math.max(CONNECT_TIMEOUT_MS, options.answerMs ?? 0);
  }

  /** Undefined when no whole answer came in time. */
  async post(path: string, body: unknown): Promise<Answer | undefined> {
    const socket = this.#socket ?? (await this.#connect());
    if (socket === undefined) return undefined;
    const text = JSON.stringify(body);
    socket.write(`POST ${path} HTTP/1.1\r\ncontent-length: ${text.length}\r\n\r\n${text}`);
    const answer = await readAnswer(socket, this.#answerMs);
    if (answer === undefined) {
      socket.destroy();
      this.#socket = undefined;
    }
    return answer;
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  #connect(): Promise<Socket | undefined> {
    return new Promise((resolve) => {
      const socket = connect({ host: this.#address, port: this.#port, noDelay: true });
      const settle = (result: Socket | undefined): void => {
        clearTimeout(timer);
        if (result === undefined) socket.destroy();
        this.#socket = result;
        resolve(result);
      };
      const timer = setTimeout(() => settle(undefined), this.#connectMs);
      socket.once('connect', () => settle(socket));
      socket.on('error', () => settle(undefined));
      socket.on('close', () => {
        if (this.#socket === socket) this.#socket = undefined;
      });
    });
  }
}

function readAnswer(socket: Socket, timeoutMs: number): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    let received = '';
    const settle = (answer: Answer | undefined): void => {
      clearTimeout(timer);
      socket.off('data', take).off('close', end);
      resolve(answer);
    };
    const end = (): void => settle(undefined);
    const timer = setTimeout(end, timeoutMs);
    const take = (chunk: Buffer): void => {
      received += chunk.toString('latin1');
      const answer = parseAnswer(received);
      if (answer !== undefined) settle(answer);
    };
    socket.on('data', take).once('close', end);
  });
}

function parseAnswer(received: string): Answer | undefined {
  const end = received.indexOf('\r\n\r\n');
  const match = /^HTTP\/1\.1 (\d+) [^]*\r\ncontent-length: (\d+)/.exec(received.slice(0, end));
  if (end < 0 || match === null) return undefined;
  const body = received.slice(end + 4);
  if (body.length < Number(match[2])) return undefined;
  return { status: Number(match[1]), body: JSON.parse(body) as Record<string, unknown> };
}
