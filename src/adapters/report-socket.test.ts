/** The socket of a resource: what is heard on it, and what only ends a connection. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { type Socket, createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { askAway, reportHealth } from '../client/report-client.ts';
import type { Log } from '../ports/log.ts';
import { type ReportMessage, reportSocketPath } from '../protocol/report.ts';
import { type ReportSocket, listenForReports } from './report-socket.ts';

const warnings: string[] = [];
const log: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: (_text, fields) => void warnings.push(String(fields?.['why'])),
  error: () => undefined,
};

let folder = '';
let path = '';
let socket: ReportSocket;
let heard: ReportMessage[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tako-report-'));
  path = reportSocketPath(folder, 'db', 'app');
  heard = [];
  warnings.length = 0;
  socket = await listen();
});

afterEach(async () => {
  await socket.close();
  rmSync(folder, { recursive: true });
});

function listen(): Promise<ReportSocket> {
  return listenForReports({
    path,
    user: undefined,
    log,
    onMessage: (message) => {
      heard.push(message);
      return Promise.resolve({ ok: message.type === 'health', text: 'heard' });
    },
  });
}

async function connect(): Promise<{ client: Socket; said: () => string; ended: () => boolean }> {
  let [said, ended] = ['', false];
  const client = createConnection(path);
  client.on('data', (part: Buffer) => (said += part.toString()));
  client.on('close', () => (ended = true));
  client.on('error', () => undefined);
  await new Promise((resolve) => {
    client.once('connect', resolve);
  });
  return { client, said: () => said, ended: () => ended };
}

describe('a program reports', () => {
  test('by the client library', async () => {
    const answer = await reportHealth({ health: 'ok', ttlMs: 500 }, { socket: path });
    expect(answer).toEqual({ ok: true, code: undefined, text: 'heard' });
    expect((await askAway('the disk is slow', { socket: path })).ok).toBe(false);
    expect(heard).toEqual([
      { type: 'health', id: undefined, health: 'ok', detail: '', ttlMs: 500 },
      { type: 'away', id: undefined, reason: 'the disk is slow' },
    ]);
  });

  test('the library finds the socket by the variable, and says when there is none', async () => {
    const before = process.env['TAKO_REPORT'];
    try {
      process.env['TAKO_REPORT'] = path;
      expect((await reportHealth({ health: 'failed', detail: 'x' })).ok).toBe(true);
      delete process.env['TAKO_REPORT'];
      await expect(reportHealth({ health: 'ok' })).rejects.toThrow('TAKO_REPORT is not set');
    } finally {
      if (before !== undefined) process.env['TAKO_REPORT'] = before;
    }
    const gone = { socket: join(folder, 'gone.sock') };
    await expect(reportHealth({ health: 'ok' }, gone)).rejects.toThrow('ENOENT');
  });

  test('many times over one connection, with ids', async () => {
    const { client, said } = await connect();
    client.write('{"type":"health","health":"ok","id":1}\n{"type":"away","id":2}\n');
    await vi.waitFor(() => expect(said().split('\n')).toHaveLength(3));
    expect(said()).toBe('{"id":1,"ok":true,"text":"heard"}\n{"id":2,"ok":false,"text":"heard"}\n');
    client.destroy();
  });
});

describe('what only ends that connection', () => {
  test.each([
    ['no JSON', 'ok\n'],
    ['no object', '[]\n'],
    ['an unknown type', '{"type":"stop"}\n'],
    ['an unknown health', '{"type":"health","health":"fine"}\n'],
    ['a promise that is none', '{"type":"health","health":"ok","ttlMs":1}\n'],
    ['too long a text', `{"type":"away","reason":"${'x'.repeat(501)}"}\n`],
    ['too long a line', 'x'.repeat(5000)],
    ['bytes', Buffer.from([0xff, 0xfe, 0x0a])],
  ])('%s', async (_what, bytes) => {
    const [bad, good] = [await connect(), await connect()];
    bad.client.write(bytes);
    await vi.waitFor(() => expect(bad.ended()).toBe(true));
    expect(warnings).toHaveLength(1);
    good.client.write('{"type":"health","health":"ok"}\n');
    await vi.waitFor(() => expect(good.said()).toContain('heard'));
    expect(heard).toHaveLength(1);
    good.client.destroy();
  });

  test('more messages than anybody needs', async () => {
    const { client, ended } = await connect();
    client.write('{"type":"health","health":"ok"}\n'.repeat(500));
    await vi.waitFor(() => expect(ended()).toBe(true));
    expect(heard).toHaveLength(100);
  });
});

test('it is closed to others, and a later control takes its place', async () => {
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const later = await listen();
  await socket.close();
  expect((await reportHealth({ health: 'ok' }, { socket: path })).ok).toBe(true);
  socket = later;
});
