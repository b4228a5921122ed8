/**
 * Speaks to the API of this node over its unix socket. Every failure is a `TakoError`: the API's
 * own, `not-running` when nobody answers, `not-root` when the socket may not be opened.
 */
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { TakoError } from '../../base/tako-error.ts';
import type { ClusterStatus, ForceStakes, WhyAnswer } from '../../protocol/api.ts';
import type { ApiClient } from '../../ports/api-client.ts';
import type { TakoEvent } from '../../protocol/event.ts';
import type { GroupId } from '../../protocol/ids.ts';
import { explainConnection, malformedAnswer, parseAnswer, toError } from './connection-errors.ts';
import { followEvents } from './event-reader.ts';

const ANSWER_BYTES_MAX = 32 * 1024 * 1024;
/** Silence after which a question without side effects is given up. */
const QUESTION_MS = 10_000;
/** The API itself answers within 60 s; a little more, so that its own words arrive. */
const OPERATION_MS = 70_000;

export function createApiClient(socketPath: string): ApiClient {
  const get = (path: string): Promise<unknown> =>
    exchange({ socketPath, path, method: 'GET', timeoutMs: QUESTION_MS }, undefined);
  const post = async (path: string, body?: unknown): Promise<string> => {
    const target = { socketPath, path, method: 'POST', timeoutMs: OPERATION_MS } as const;
    return ((await exchange(target, body)) as { readonly message: string }).message;
  };
  const group = (id: GroupId): string => `/v1/groups/${encodeURIComponent(id)}`;
  return {
    status: async () => (await get('/v1/status')) as ClusterStatus,
    why: async (id) => (await get(`${group(id)}/why`)) as WhyAnswer,
    events: async (limit) => {
      const answer = (await get(`/v1/events?limit=${limit}`)) as { events: readonly TakoEvent[] };
      return answer.events;
    },
    move: (id, to) => post(`${group(id)}/move`, { to }),
    startGroup: (id, node) => post(`${group(id)}/start`, node && { node }),
    stopGroup: (id, node) => post(`${group(id)}/stop`, node && { node }),
    forceStakes: async (id, off) => {
      const query = off === undefined ? '' : `?off=${encodeURIComponent(off.join(','))}`;
      return (await get(`${group(id)}/force${query}`)) as ForceStakes;
    },
    force: (id, force) => post(`${group(id)}/force`, force),
    standby: (node, on) => post(`/v1/nodes/${encodeURIComponent(node)}/standby`, { on }),
    verify: (id, bytesPerSecond) => post(`${group(id)}/verify`, { bytesPerSecond }),
    ban: (id, node, on) => post(`${group(id)}/ban`, { node, on }),
    clearNode: (node) => post(`/v1/nodes/${encodeURIComponent(node)}/clear`),
    maintain: (request) => post('/v1/maintenance', request),
    fence: (node, action) => post(`/v1/nodes/${encodeURIComponent(node)}/fence`, { action }),
    reload: () => post('/v1/config/reload'),
    follow: (options) => followEvents(socketPath, '/v1/events/follow', options),
  };
}

interface Target {
  readonly socketPath: string;
  readonly path: string;
  readonly method: 'GET' | 'POST';
  readonly timeoutMs: number;
}

/** The parsed JSON of a successful answer. */
async function exchange(target: Target, body: unknown): Promise<unknown> {
  const response = await send(target, body);
  const text = await readText(response, target);
  if ((response.statusCode ?? 500) >= 300) throw toError(text, response.statusCode);
  return parseAnswer(text);
}

function send(target: Target, body: unknown): Promise<IncomingMessage> {
  const { socketPath, path, method, timeoutMs } = target;
  const payload = body === undefined ? undefined : JSON.stringify(body);
  const headers = payload === undefined ? {} : { 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const outgoing: ClientRequest = request({ socketPath, path, method, headers }, resolve);
    outgoing.setTimeout(timeoutMs, () => outgoing.destroy(tooLate(target)));
    outgoing.on('error', (error) => reject(explainConnection(error, socketPath)));
    outgoing.end(payload);
  });
}

async function readText(response: IncomingMessage, target: Target): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > ANSWER_BYTES_MAX) throw malformedAnswer(`more than ${ANSWER_BYTES_MAX} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw explainConnection(error, target.socketPath);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function tooLate({ path, timeoutMs }: Target): TakoError {
  return new TakoError('timed-out', `Cannot get an answer to ${path} within ${timeoutMs} ms`, {
    next: 'Look at "tako events" and the log of the control process',
  });
}
