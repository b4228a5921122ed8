/**
 * A hook that is a web server: the call is sent by POST to the one address that is configured, and
 * nowhere else, for redirects are not followed. Neither the secret nor what follows `?` in the
 * address is ever told to anybody else.
 *
 * Invariant: it ends within the time limit, and keeps no more of an answer than counts.
 */
import { readFile, stat } from 'node:fs/promises';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { type RequestOptions as HttpsOptions, request as requestHttps } from 'node:https';
import { TakoError, messageOf } from '../../base/tako-error.ts';
import {
  ANSWER_BYTES_MAX,
  type HookAnswer,
  type HookCall,
  answerOfServer,
  noAnswer,
} from '../../protocol/hook.ts';

export interface HookServer {
  readonly url: string;
  /** File with a secret, readable by its owner only. */
  readonly tokenFile: string | undefined;
  /** PEM file with the only authorities that count for `https`; else those that Node.js has. */
  readonly caFile: string | undefined;
}

/** Never rejects. */
export async function postHook(server: HookServer, call: HookCall): Promise<HookAnswer> {
  const { timeoutMs } = call;
  const limit = new AbortController();
  const late = noAnswer(`it did not answer within ${timeoutMs} ms`);
  let timer: NodeJS.Timeout | undefined;
  const overdue = new Promise<HookAnswer>((resolve) => {
    timer = setTimeout(() => {
      resolve(late);
      limit.abort();
    }, timeoutMs);
  });
  try {
    return await Promise.race([post(server, call, limit.signal), overdue]);
  } finally {
    clearTimeout(timer);
  }
}

async function post(server: HookServer, call: HookCall, signal: AbortSignal): Promise<HookAnswer> {
  try {
    const body = JSON.stringify(call);
    const headers: Record<string, string | number> = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      accept: 'application/json',
      'user-agent': 'tako',
    };
    if (server.tokenFile !== undefined) {
      headers['authorization'] = `Bearer ${await readToken(server.tokenFile)}`;
    }
    const ca = server.caFile === undefined ? {} : { ca: await readFile(server.caFile) };
    const options = { method: 'POST', headers, signal, agent: false, ...ca };
    const answer = await send(new URL(server.url), options, body);
    if (answer.statusCode === undefined) return noAnswer('its answer has no status');
    const text = await readBounded(answer);
    if (text === undefined) return noAnswer('its answer is too long');
    return answerOfServer(call, answer.statusCode, text);
  } catch (error) {
    return noAnswer(`it cannot be reached: ${messageOf(error)}`);
  }
}

function send(url: URL, options: HttpsOptions, body: string): Promise<IncomingMessage> {
  const request = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const sent = request(url, options, resolve);
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Undefined when there is more than counts; the rest is not read. */
async function readBounded(answer: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > ANSWER_BYTES_MAX) {
      answer.destroy();
      return undefined;
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

async function readToken(path: string): Promise<string> {
  const { mode } = await stat(path);
  if ((mode & 0o077) !== 0) {
    throw new TakoError('key-unusable', `"${path}" can be read by others than its owner`);
  }
  const token = (await readFile(path, 'utf8')).trim();
  if (!/^[\x21-\x7e]{1,4096}$/u.test(token)) {
    throw new TakoError('key-unusable', `"${path}" does not hold one word of ASCII characters`);
  }
  return token;
}
