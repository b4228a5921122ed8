import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Log } from '../ports/log.ts';
import type { Steering } from '../ports/steering.ts';
import type { TakoEvent } from '../protocol/event.ts';
import { type Api, createApi } from './create-api.ts';

const log: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

let folder: string;
let socket: string;
let api: Api;
let listeners: Set<(event: TakoEvent) => void>;
let moves: unknown[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tako-api-'));
  socket = join(folder, 'api.sock');
  listeners = new Set();
  moves = [];
  const steering: Partial<Steering> = {
    move: async (group, to) => {
      moves.push([group, to]);
      return 'done';
    },
    stopGroup: async (group, node) => {
      moves.push([group, node]);
      return 'done';
    },
    standby: async (node, on) => {
      moves.push([node, on]);
      return 'done';
    },
    ban: async (group, node, on) => {
      moves.push([group, node, on]);
      return 'done';
    },
    verify: async (group, bytesPerSecond) => {
      moves.push([group, bytesPerSecond]);
      return 'begun';
    },
    clearNode: async (node) => {
      moves.push(node);
      return 'done';
    },
    maintain: async (request) => {
      moves.push(request);
      return 'done';
    },
    events: async (limit) => Array.from({ length: Math.min(limit, 3) }, () => eventOf(1)),
    follow: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  api = createApi(steering as Steering, log);
  await api.listen(socket);
});

afterEach(async () => {
  await api.close();
  rmSync(folder, { recursive: true });
});

function eventOf(id: number, text = 'text'): TakoEvent {
  return { id, node: 'n1', time: '', level: 'info', kind: 'k', text } as unknown as TakoEvent;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

function ask(method: string, path: string, body?: string): Promise<Answer> {
  const headers = body === undefined ? {} : { 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath: socket, method, path, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as unknown }),
      );
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

test('only the owner can open the socket', async () => {
  expect(statSync(socket).mode & 0o777).toBe(0o600);
  expect(await ask('GET', '/v1/health')).toEqual({ status: 200, body: { ok: true } });
});

test('a living API is not pushed away, a stale socket and its like are told apart', async () => {
  const second = createApi({} as Steering, log);
  await expect(second.listen(socket)).rejects.toMatchObject({ code: 'busy' });
  const file = join(folder, 'file');
  writeFileSync(file, 'precious');
  await expect(second.listen(file)).rejects.toMatchObject({ code: 'system-call' });
  await expect(second.listen(join(folder, 'x'.repeat(200)))).rejects.toMatchObject({
    code: 'system-call',
  });
  expect(await ask('GET', '/v1/health')).toMatchObject({ status: 200 });
});

test.each([
  ['GET', '/v1/nothing', undefined, 404],
  ['POST', '/v1/groups/g/move', undefined, 400],
  ['POST', '/v1/groups/g/move', '{"to":', 400],
  ['POST', '/v1/groups/g/move', '{"to": {"a": 1}}', 400],
  ['POST', `/v1/groups/${'g'.repeat(65)}/move`, '{"to": "n1"}', 400],
  ['POST', '/v1/nodes/n1/standby', undefined, 400],
  ['POST', '/v1/nodes/n1/standby', '{"on": "maybe"}', 400],
  ['POST', '/v1/groups/g/ban', '{"on": true}', 400],
  ['POST', '/v1/groups/g/verify', undefined, 400],
  ['POST', '/v1/groups/g/verify', '{"bytesPerSecond": 0}', 400],
  ['POST', '/v1/groups/g/start', '{"on": "n1"}', 400],
  ['POST', '/v1/maintenance', '{"on": true}', 400],
  ['POST', '/v1/maintenance', '{"scope": "world", "on": true}', 400],
  ['POST', '/v1/maintenance', '{"scope": "cluster", "on": true, "forMs": 1}', 400],
  ['GET', '/v1/events?limit=0', undefined, 400],
  ['GET', '/v1/events?limit=x', undefined, 400],
  ['POST', '/v1/groups/g/move', `{"to": "${'n'.repeat(100_000)}"}`, 413],
])('%s %s with %s is a problem of the one who asks', async (method, path, body, status) => {
  const answer = await ask(method, path, body);
  expect(answer).toMatchObject({ status, body: { code: 'bad-request' } });
  expect(moves).toEqual([]);
});

test('a good request goes through', async () => {
  expect(await ask('POST', '/v1/groups/g/move', '{"to": "n1"}')).toEqual({
    status: 200,
    body: { message: 'done' },
  });
  await ask('POST', '/v1/nodes/n1/standby', '{"on": true}');
  await ask('POST', '/v1/groups/g/ban', '{"node": "n1", "on": false}');
  await ask('POST', '/v1/groups/g/stop');
  await ask('POST', '/v1/groups/g/stop', '{"node": "n1"}');
  await ask('POST', '/v1/maintenance', '{"scope": "cluster", "on": true, "forMs": 2000}');
  await ask('POST', '/v1/nodes/n1/clear');
  await ask('POST', '/v1/groups/g/verify', '{"bytesPerSecond": 5}');
  expect(moves).toEqual([
    ['g', 'n1'],
    ['n1', true],
    ['g', 'n1', false],
    ['g', undefined],
    ['g', 'n1'],
    { scope: 'cluster', on: true, forMs: 2000 },
    'n1',
    ['g', 5],
  ]);
});

test('a reader of events that does not read is dropped, the others go on', async () => {
  const outgoing = request({ socketPath: socket, path: '/v1/events/follow' });
  const gone = new Promise<void>((resolve) => {
    outgoing.on('response', (response) => {
      response.pause();
      response.on('error', () => undefined);
      response.on('close', () => resolve());
    });
  });
  outgoing.on('error', () => undefined);
  outgoing.end();
  await vi.waitFor(() => expect(listeners.size).toBe(1));
  const large = 'x'.repeat(64 * 1024);
  for (let id = 1; id <= 200 && listeners.size > 0; id += 1) {
    for (const listener of listeners) listener(eventOf(id, large));
  }
  expect(listeners.size).toBe(0);
  outgoing.destroy();
  await gone;
  expect(await ask('GET', '/v1/health')).toMatchObject({ status: 200 });
});
