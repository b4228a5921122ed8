import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { type Socket, createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Log } from '../ports/log.ts';
import { LINE_BYTES_MAX } from './line-codec.ts';
import { type LinePeer, connectLines, serveLines } from './line-socket.ts';

interface Note {
  readonly n: number;
  readonly text?: string;
}

let directory = '';
let path = '';
let lines: string[] = [];
let cleanups: (() => unknown)[] = [];

const note = (message: string, fields?: object): void => {
  lines.push(`${message} ${JSON.stringify(fields ?? {})}`);
};
const log: Log = { debug: note, info: note, warn: note, error: note };

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tako-line-'));
  path = join(directory, 's.sock');
  lines = [];
  cleanups = [];
});

afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
  await rm(directory, { recursive: true, force: true });
});

/** With time enough for a machine that is busy with other things. */
function eventually(check: () => unknown): Promise<unknown> {
  return vi.waitFor(check, { timeout: 15_000, interval: 5 });
}

async function serve(onMessage: (message: Note, peer: LinePeer<Note>) => void) {
  const server = await serveLines<Note, Note>({ path, log, onMessage });
  cleanups.push(() => server.close());
  return server;
}

function connect(onMessage: (message: Note) => void = () => undefined) {
  const client = connectLines<Note, Note>({ path, log, onMessage });
  cleanups.push(() => client.close());
  return client;
}

async function raw(): Promise<Socket> {
  const socket = createConnection(path);
  cleanups.push(() => socket.destroy());
  await new Promise((resolve) => socket.once('connect', resolve));
  return socket;
}

function closed(socket: Socket): Promise<void> {
  socket.resume();
  socket.on('error', () => undefined);
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
  });
}

describe('line sockets', () => {
  it('carries messages of several clients both ways, in order, with mode 0600', async () => {
    const server = await serve((message, peer) => peer.send({ n: message.n + 1 }));
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const got: number[][] = [[], []];
    const clients = [0, 1].map((i) => connect((m) => got[i]?.push(m.n)));
    await eventually(() => expect(server.peers.size).toBe(2));
    for (let n = 0; n < 100; n += 1) {
      for (const client of clients) expect(client.send({ n, text: 'Zażółć\n線' })).toBe(true);
    }
    const all = Array.from({ length: 100 }, (_, i) => i + 1);
    await eventually(() => expect(got).toEqual([all, all]));
    server.broadcast({ n: -1 });
    await eventually(() => expect(got.map((g) => g.at(-1))).toEqual([-1, -1]));
  });

  it('connects again by itself when the server comes back, and tells', async () => {
    const told: string[] = [];
    const client = connectLines<Note, Note>({
      path,
      log,
      onOpen: () => told.push('open'),
      onMessage: () => undefined,
      onClose: () => told.push('close'),
    });
    cleanups.push(() => client.close());
    expect(client.connected).toBe(false);
    expect(client.send({ n: 1 })).toBe(false);
    const first = await serve(() => undefined);
    await eventually(() => expect(told).toEqual(['open']));
    await first.close();
    await eventually(() => expect(told).toEqual(['open', 'close']));
    await serve(() => undefined);
    await eventually(() => expect(told).toEqual(['open', 'close', 'open']));
    client.close();
    await eventually(() => expect(told.at(-1)).toBe('close'));
  });

  it('replaces a stale socket file, but neither a live server nor another file', async () => {
    const stale = createServer().listen(`${path}.x`);
    await new Promise((resolve) => stale.once('listening', resolve));
    const { rename } = await import('node:fs/promises');
    await rename(`${path}.x`, path);
    await new Promise((resolve) => stale.close(resolve));
    const server = await serve(() => undefined);
    await expect(serve(() => undefined)).rejects.toThrow('another process serves it');
    await server.close();
    await writeFile(path, 'x');
    await expect(serve(() => undefined)).rejects.toThrow('no socket');
    path = join(directory, 'x'.repeat(120));
    await expect(serve(() => undefined)).rejects.toThrow('longer than');
    path = join(directory, 'absent', 'x');
    await expect(serve(() => undefined)).rejects.toThrow('Cannot listen');
  });

  it.each([
    ['no JSON', '{"n":1}\n{"n":\n{"n":3}\n', 'not JSON'],
    ['no object', '{"n":1}\n[1]\n{"n":3}\n', 'no message'],
    ['no UTF-8', Buffer.from([...Buffer.from('{"n":1}\n"'), 0xff, 0x22, 0x0a]), 'not JSON'],
    ['no end', `{"n":1}\n${'x'.repeat(LINE_BYTES_MAX + 1)}`, 'longer than'],
  ])('closes only the connection that sends %s', async (_, bytes, why) => {
    const got: number[] = [];
    const server = await serve((message) => got.push(message.n));
    const good = connect();
    await eventually(() => expect(good.connected).toBe(true));
    const bad = await raw();
    bad.write(bytes);
    await closed(bad);
    expect(got).toEqual([1]);
    expect(lines.join('\n')).toContain(why);
    await eventually(() => expect(server.peers.size).toBe(1));
    good.send({ n: 9 });
    await eventually(() => expect(got).toEqual([1, 9]));
  });

  it('takes a line that arrives byte by byte, and one of the greatest length', async () => {
    const got: Note[] = [];
    await serve((message) => got.push(message));
    const socket = await raw();
    socket.setNoDelay(true);
    for (const byte of Buffer.from('{"n":1,"text":"線"}\n')) {
      await new Promise((resolve) => socket.write(Uint8Array.of(byte), resolve));
    }
    await eventually(() => expect(got).toEqual([{ n: 1, text: '線' }]));
    const frame = JSON.stringify({ n: 2, text: '' }).length;
    socket.write(`${JSON.stringify({ n: 2, text: 'y'.repeat(LINE_BYTES_MAX - frame) })}\n`);
    await eventually(() => expect(got.at(-1)?.n).toBe(2));
  });

  it('drops a client that does not read, and refuses a message that is too long', async () => {
    const server = await serve(() => undefined);
    const lazy = await raw();
    lazy.pause();
    await eventually(() => expect(server.peers.size).toBe(1));
    const [peer] = [...server.peers];
    expect(peer?.send({ n: 0, text: 'z'.repeat(LINE_BYTES_MAX) })).toBe(false);
    expect(lines.join('\n')).toContain('too long');
    let sent = 0;
    while (sent < 100 && peer?.send({ n: sent, text: 'z'.repeat(900_000) }) === true) sent += 1;
    expect(sent).toBeGreaterThan(10);
    expect(sent).toBeLessThan(40);
    await eventually(() => expect(server.peers.size).toBe(0));
    expect(lines.join('\n')).toContain('does not read');
    expect(peer?.send({ n: 1 })).toBe(false);
  });
});
