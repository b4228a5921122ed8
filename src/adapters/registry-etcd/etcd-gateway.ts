/**
 * Calls of etcd's JSON gateway (`/v3/...`), over plain HTTP. One call goes to one member after the
 * other, the one that answered last first, but to a second member only after it is certain that the
 * one before did not get it, or when the call may be carried out twice.
 *
 * Invariant: a call ends within the number of members times `timeoutMs`, and keeps no more of an
 * answer than `ANSWER_BYTES_MAX`.
 */
import { type IncomingMessage, request } from 'node:http';
import { must } from '../../base/assert.ts';
import { messageOf } from '../../base/tako-error.ts';
import { errnoCode } from '../errno-code.ts';

export type GatewayAnswer =
  | { readonly type: 'answered'; readonly body: Readonly<Record<string, unknown>> }
  /** No member carried it out. */
  | { readonly type: 'refused'; readonly why: string }
  | { readonly type: 'unknown'; readonly why: string };

export interface GatewayOptions {
  /** Such as `http://127.0.0.1:2379`; at least one. */
  readonly endpoints: readonly string[];
  /** For the answer of one member. */
  readonly timeoutMs: number;
}

const ANSWER_BYTES_MAX = 1024 * 1024;
/** By these a member says that it did not even try: malformed, not allowed. */
const NOT_TRIED = [400, 401, 403, 404];

export class EtcdGateway {
  readonly #options: GatewayOptions;
  readonly #ended = new AbortController();
  #first = 0;

  constructor(options: GatewayOptions) {
    this.#options = options;
  }

  /** `repeatable`: that two members carry it out does no harm. */
  async call(path: string, body: object, repeatable: boolean): Promise<GatewayAnswer> {
    const { endpoints } = this.#options;
    let answer: GatewayAnswer = { type: 'refused', why: 'no member was asked' };
    for (let tried = 0; tried < endpoints.length; tried += 1) {
      const endpoint = must(endpoints[this.#first], 'the index wraps around');
      answer = await this.#ask(new URL(path, endpoint), JSON.stringify(body));
      if (answer.type === 'answered') return answer;
      this.#first = (this.#first + 1) % endpoints.length;
      if (answer.type === 'unknown' && !repeatable) return answer;
    }
    return answer;
  }

  close(): void {
    this.#ended.abort();
  }

  async #ask(url: URL, body: string): Promise<GatewayAnswer> {
    const limit = AbortSignal.timeout(this.#options.timeoutMs);
    const signal = AbortSignal.any([limit, this.#ended.signal]);
    try {
      const response = await post(url, body, signal);
      const text = await readBounded(response);
      const status = response.statusCode ?? 0;
      if (status === 200) return { type: 'answered', body: objectIn(text) };
      const why = `${url.host} answers ${status}: ${errorIn(text)}`;
      return { type: NOT_TRIED.includes(status) ? 'refused' : 'unknown', why };
    } catch (error) {
      const refused = errnoCode(error) === 'ECONNREFUSED';
      const why = limit.aborted
        ? `${url.host} did not answer within ${this.#options.timeoutMs} ms`
        : `${url.host}: ${messageOf(error)}`;
      return { type: refused ? 'refused' : 'unknown', why };
    }
  }
}

function post(url: URL, body: string, signal: AbortSignal): Promise<IncomingMessage> {
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'user-agent': 'tako',
  };
  return new Promise((resolve, reject) => {
    // A connection of its own: a kept one that the member closes would leave the outcome unknown.
    const sent = request(url, { method: 'POST', headers, signal, agent: false }, resolve);
    sent.on('error', reject);
    sent.end(body);
  });
}

async function readBounded(answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error('the answer is too long');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function objectIn(text: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(text);
  if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  throw new Error('the answer is not an object');
}

function errorIn(text: string): string {
  try {
    const { error } = objectIn(text);
    return typeof error === 'string' ? error : text.slice(0, 200);
  } catch {
    return text.slice(0, 200);
  }
}
