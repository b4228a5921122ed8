/** One call to one member of etcd, by HTTP or by HTTPS with the configured files. Never rejects. */
import { readFile, stat } from 'node:fs/promises';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { type RequestOptions, request as requestHttps } from 'node:https';
import { messageOf } from '../../base/tako-error.ts';
import { errnoCode } from '../errno-code.ts';

export interface EtcdAccess {
  /** PEM files: the only authorities that count, this node's certificate, its key. */
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly user?: string | undefined;
  readonly passwordFile?: string | undefined;
}

export type MemberAnswer =
  | {
      readonly type: 'answered';
      readonly status: number;
      readonly body: Readonly<Record<string, unknown>> | undefined;
      readonly error: string;
    }
  /** It certainly did not get it. */
  | { readonly type: 'refused'; readonly why: string }
  | { readonly type: 'unknown'; readonly why: string };

export interface Circumstances {
  readonly access: EtcdAccess;
  readonly token: string | undefined;
  readonly signal: AbortSignal;
}

const ANSWER_BYTES_MAX = 1024 * 1024;

export async function askMember(
  url: URL,
  body: object,
  { access, signal, token }: Circumstances,
): Promise<MemberAnswer> {
  let files: RequestOptions;
  try {
    files = url.protocol === 'https:' ? await readFiles(access) : {};
  } catch (error) {
    return { type: 'refused', why: messageOf(error) };
  }
  try {
    const response = await post(url, JSON.stringify(body), { ...files, signal }, token);
    const text = await readBounded(response);
    const said = objectIn(text);
    const error = said?.['error'];
    return {
      type: 'answered',
      status: response.statusCode ?? 0,
      body: said,
      error: typeof error === 'string' ? error : text.slice(0, 200),
    };
  } catch (error) {
    const refused = errnoCode(error) === 'ECONNREFUSED';
    const why = signal.aborted ? 'it did not answer in time' : messageOf(error);
    return { type: refused ? 'refused' : 'unknown', why };
  }
}

/** In words what is wrong with the file, where it cannot be used. */
export async function readPassword(path: string): Promise<string | { readonly why: string }> {
  try {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0) return { why: `"${path}" can be read by others than its owner` };
    return (await readFile(path, 'utf8')).replace(/\r?\n$/u, '');
  } catch (error) {
    return { why: messageOf(error) };
  }
}

async function readFiles({ caFile, certFile, keyFile }: EtcdAccess): Promise<RequestOptions> {
  return {
    ...(caFile !== undefined && { ca: await readFile(caFile) }),
    ...(certFile !== undefined && { cert: await readFile(certFile) }),
    ...(keyFile !== undefined && { key: await readFile(keyFile) }),
  };
}

function post(
  url: URL,
  body: string,
  options: RequestOptions,
  token: string | undefined,
): Promise<IncomingMessage> {
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'user-agent': 'tako',
    ...(token !== undefined && { authorization: token }),
  };
  const request = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    // A connection of its own: a kept one that the member closes would leave the outcome unknown.
    const sent = request(url, { ...options, method: 'POST', headers, agent: false }, resolve);
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

function objectIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    return value as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
}
