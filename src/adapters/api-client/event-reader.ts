/**
 * Follows the event stream of the API (server-sent events). When the stream breaks, because control
 * was restarted for example, it connects again and asks for what was missed.
 */
import { type IncomingMessage, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { TakoError } from '../../base/tako-error.ts';
import type { FollowOptions } from '../../ports/api-client.ts';
import type { TakoEvent } from '../../protocol/event.ts';
import { explainConnection, toError } from './connection-errors.ts';

const RETRY_MS = 300;
/** The API sends a heartbeat every 5 s; three missing ones mean that the stream is dead. */
const SILENCE_MS = 16_000;
const LINE_CHARACTERS_MAX = 1024 * 1024;
const PROBLEM_CHARACTERS_MAX = 64 * 1024;

/** Resolves when aborted. Rejects when even the first connection fails. */
export async function followEvents(
  socketPath: string,
  path: string,
  options: FollowOptions,
): Promise<void> {
  const { onInterrupted } = options;
  const controller = new AbortController();
  const { signal } = controller;
  const abort = (): void => controller.abort();
  options.cancel.addEventListener('abort', abort);
  if (options.cancel.aborted) abort();
  const state: { lastId: string | undefined; connected: boolean; interrupted: boolean } = {
    lastId: undefined,
    connected: false,
    interrupted: false,
  };
  while (!signal.aborted) {
    try {
      const response = await openStream(socketPath, path, state.lastId, signal);
      state.connected = true;
      if (state.interrupted) onInterrupted?.(undefined);
      state.interrupted = false;
      await readEvents(response, (id, event) => {
        state.lastId = id;
        options.onEvent(event);
      });
    } catch (error) {
      if (signal.aborted) return;
      if (!state.connected) throw error;
      const reason = error instanceof TakoError ? error.message : 'the stream broke';
      if (!state.interrupted) onInterrupted?.(reason);
      state.interrupted = true;
    }
    await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
  }
}

function openStream(
  socketPath: string,
  path: string,
  lastId: string | undefined,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const headers = lastId === undefined ? {} : { 'last-event-id': lastId };
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path, headers, signal }, (response) => {
      if (response.statusCode === 200) resolve(response);
      else readProblem(response).then(reject, reject);
    });
    outgoing.setTimeout(SILENCE_MS, () => outgoing.destroy());
    outgoing.on('error', (error) => reject(explainConnection(error, socketPath)));
    outgoing.end();
  });
}

async function readProblem(response: IncomingMessage): Promise<TakoError> {
  let text = '';
  response.setEncoding('utf8');
  for await (const chunk of response as AsyncIterable<string>) {
    text += chunk;
    if (text.length > PROBLEM_CHARACTERS_MAX) break;
  }
  return toError(text, response.statusCode);
}

/** Resolves when the stream ends. */
async function readEvents(
  response: IncomingMessage,
  onEvent: (id: string | undefined, event: TakoEvent) => void,
): Promise<void> {
  response.setEncoding('utf8');
  let rest = '';
  let id: string | undefined;
  for await (const chunk of response as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LINE_CHARACTERS_MAX) throw new Error('a line of the stream is too long');
    for (const line of lines) {
      if (line.startsWith('id: ')) id = line.slice(4);
      else if (line.startsWith('data: ')) onEvent(id, JSON.parse(line.slice(6)) as TakoEvent);
    }
  }
}
