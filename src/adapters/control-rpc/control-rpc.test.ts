import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import {
  connect as connectTcp,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { must } from '../../base/assert.ts';
import { TakoError } from '../../base/tako-error.ts';
import type { Log } from '../../ports/log.ts';
import type { NodeSetup } from '../../protocol/config.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { checkConfig } from '../config/load-config.ts';
import { clientTlsOptions, readClusterKey } from '../tls-psk.ts';
import { type ControlRpc, type ControlRpcOptions, createControlRpc } from './control-rpc.ts';

const log: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const n1 = 'n1' as NodeId;
const n2 = 'n2' as NodeId;
const BASE_PORT = 20_000 + (process.pid % 10_000);

let folder: string;
const cleanup: (() => Promise<unknown> | void)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tako-rpc-'));
  writeFileSync(join(folder, 'key'), Buffer.alloc(32, 7).toString('base64'), { mode: 0o600 });
  writeFileSync(join(folder, 'other'), Buffer.alloc(32, 8).toString('base64'), { mode: 0o600 });
});

afterEach(async () => {
  for (const step of cleanup.splice(0).toReversed()) await step();
  rmSync(folder, { recursive: true });
});

/** Two links on loopback: `a` is 127.51.0.x, `b` is 127.52.0.x. */
function setupOf(node: string, key = 'key', links = '[a, b]'): NodeSetup {
  const [first, second] = links === '[a, b]' ? ['51', '52'] : ['53', '52'];
  const report = checkConfig(
    'test.yaml',
    `cluster: test
key-file: ${folder}/${key}
base-port: ${BASE_PORT}
links: { a: { kind: udp }, b: { kind: udp } }
nodes:
  n1: { a: 127.${first}.0.1, b: 127.${second}.0.1 }
  n2: { a: 127.${first}.0.2, b: 127.${second}.0.2 }
groups: {}
`,
  );
  const config = must(report.config, JSON.stringify(report.errors));
  return {
    node: node as NodeId,
    runDir: folder,
    stateDir: folder,
    configFile: 'test.yaml',
    config,
  };
}

function start(node: string, options: Partial<ControlRpcOptions> = {}): ControlRpc {
  const rpc = createControlRpc({
    setup: setupOf(node),
    log,
    onRequest: async (from, method, params) => ({ from, method, params }),
    ...options,
  });
  cleanup.push(() => rpc.close());
  return rpc;
}

const until = (condition: () => boolean): Promise<void> =>
  vi.waitFor(() => expect(condition()).toBe(true), { timeout: 5000, interval: 10 });

describe('questions and notices', () => {
  test('are answered both ways, and the asker is known by its key', async () => {
    const told: unknown[] = [];
    const first = start('n1');
    const second = start('n2', { onNotify: (...all) => told.push(all) });
    expect(await first.call(n2, 'probe', { x: 1 })).toEqual({
      from: 'n1',
      method: 'probe',
      params: { x: 1 },
    });
    expect(await second.call(n1, 'probe', [2])).toMatchObject({ from: 'n2', params: [2] });
    await until(() => first.connected().length === 1);
    expect(first.connected()).toEqual(['n2']);
    expect(first.notify(n2, 'news', 'hello')).toBe(true);
    await until(() => told.length === 1);
    expect(told).toEqual([['n1', 'news', 'hello']]);
  });

  test('carry a TakoError with its code and next step', async () => {
    const first = start('n1');
    start('n2', {
      onRequest: () =>
        Promise.reject(new TakoError('copy-stale', 'The copy is 5 MB behind', { next: 'Wait' })),
    });
    const error = await first.call(n2, 'take', {}).catch((e: unknown) => e);
    expect(error).toMatchObject({
      code: 'copy-stale',
      message: 'The copy is 5 MB behind',
      next: 'Wait',
    });
  });

  test('an unexpected failure of the handler is told and does no harm', async () => {
    const first = start('n1');
    start('n2', {
      onRequest: async (_, method) => {
        if (method === 'bad') throw new RangeError('oops');
        return 'fine';
      },
    });
    await expect(first.call(n2, 'bad', {})).rejects.toMatchObject({ code: 'internal' });
    expect(await first.call(n2, 'good', {})).toBe('fine');
  });

  test('large ones pass in order, too large ones are refused', async () => {
    const first = start('n1');
    start('n2', { onRequest: async (_, __, params) => (params as string).length });
    const calls = Array.from({ length: 20 }, (_, i) => first.call(n2, 'm', 'x'.repeat(40_000 * i)));
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 20 }, (_, i) => 40_000 * i));
    await expect(first.call(n2, 'm', 'x'.repeat(1024 * 1024))).rejects.toMatchObject({
      code: 'bad-request',
    });
  });

  test('an answer that does not come is unknown, a peer that is not there was not asked', async () => {
    const first = start('n1');
    await expect(first.call(n2, 'm', {}, { timeoutMs: 100 })).rejects.toMatchObject({
      code: 'peer-refused',
    });
    expect(first.notify(n2, 'm', {})).toBe(false);
    start('n2', { onRequest: () => new Promise(() => undefined) });
    await until(() => first.connected().length === 1);
    await expect(first.call(n2, 'm', {}, { timeoutMs: 100 })).rejects.toMatchObject({
      code: 'timed-out',
    });
    await expect(first.call('n9' as NodeId, 'm', {})).rejects.toMatchObject({
      code: 'no-such-node',
    });
  });

  test('a peer that comes later, or again, is found', async () => {
    const first = start('n1');
    const answer = first.call(n2, 'm', 1, { timeoutMs: 5000 });
    const second = start('n2');
    expect(await answer).toMatchObject({ params: 1 });
    await second.close();
    await until(() => first.connected().length === 0);
    start('n2');
    expect(await first.call(n2, 'm', 2)).toMatchObject({ params: 2 });
  });
});

describe('a stalled link', () => {
  test('is left for the next one within a second', async () => {
    // A wire that can go dead without a word: n1 reaches link `a` of n2 through this relay.
    const relay = await startRelay('127.53.0.2', '127.51.0.2', '127.51.0.1');
    start('n2', { onRequest: async () => 'served' });
    const changes: string[] = [];
    const first = createControlRpc({
      setup: setupOf('n1', 'key', 'relayed'),
      log,
      onRequest: async () => undefined,
      onConnection: (_, connected, reason) => changes.push(`${connected}: ${reason}`),
    });
    cleanup.push(() => first.close());
    expect(await first.call(n2, 'm', {})).toBe('served');
    expect(changes).toEqual(['true: connected over a']);
    relay.freeze();
    const frozenAt = performance.now();
    await until(() => changes.length === 3);
    expect(performance.now() - frozenAt).toBeLessThan(2500);
    expect(changes[1]).toMatch(/^false: silent over a for \d+ ms$/u);
    expect(changes[2]).toBe('true: connected over b');
    expect(await first.call(n2, 'm', {})).toBe('served');
  });
});

describe('strangers and hostile peers', () => {
  test('another key gets nothing past the handshake', async () => {
    const second = start('n2');
    const first = start('n1', { setup: setupOf('n1', 'other') });
    await until(() => second.refusals() > 0);
    await expect(first.call(n2, 'm', {}, { timeoutMs: 300 })).rejects.toMatchObject({
      code: 'peer-refused',
    });
  });

  test("an address that is no node's is cut off before the handshake", async () => {
    const second = start('n2');
    await second.started();
    const socket = connectTcp({
      host: '127.51.0.2',
      port: BASE_PORT + 1,
      localAddress: '127.51.0.77',
    });
    await new Promise<void>((resolve) => {
      socket.on('close', () => resolve());
      socket.on('error', () => undefined);
    });
    expect(second.refusals()).toBeGreaterThan(0);
  });

  test.each([
    ['an endless frame', Buffer.from('ffffffff', 'hex')],
    ['an empty frame', Buffer.from('00000000', 'hex')],
    ['no JSON', frame('{"type":')],
    ['no UTF-8', Buffer.concat([Buffer.from('00000002', 'hex'), Buffer.from('c328', 'hex')])],
    ['no object', frame('7')],
    ['an unknown type', frame('{"type":"steer"}')],
    ['a question without id', frame('{"type":"ask","method":"m"}')],
    ['a method that is no text', frame('{"type":"tell","method":{}}')],
  ])('%s closes the connection and nothing else', async (_, bytes) => {
    const asked: string[] = [];
    const second = start('n2', {
      onRequest: async (__, method) => asked.push(method),
      onNotify: (__, method) => asked.push(method),
    });
    await second.started();
    const socket = await knowingSocket();
    socket.write(bytes);
    await new Promise<void>((resolve) => {
      socket.on('close', () => resolve());
    });
    expect(asked).toEqual([]);
    expect(second.refusals()).toBe(1);
    const first = start('n1');
    await first.call(n2, 'still there', {});
    expect(asked).toEqual(['still there']);
  });

  /** A connection as n1, with the cluster key, but in the hands of the test. */
  async function knowingSocket(): Promise<TLSSocket> {
    const key = readClusterKey(join(folder, 'key'));
    const identity = { cluster: 'test', key, node: n1, purpose: 'control' };
    const target = {
      ...clientTlsOptions(identity, n2),
      host: '127.51.0.2',
      port: BASE_PORT + 1,
      localAddress: '127.51.0.1',
    };
    const socket = connectTls(target);
    socket.on('error', () => undefined);
    await new Promise<void>((resolve) => {
      socket.on('secureConnect', () => resolve());
    });
    return socket;
  }
});

function frame(json: string): Buffer {
  const bytes = Buffer.alloc(4 + json.length);
  bytes.writeUInt32BE(json.length, 0);
  bytes.write(json, 4);
  return bytes;
}

interface Relay {
  freeze(): void;
}

/** Passes TCP from `listen` to `target`, coming from `source`, until it is frozen. */
async function startRelay(listen: string, target: string, source: string): Promise<Relay> {
  const sockets: Socket[] = [];
  let frozen = false;
  const server: Server = createTcpServer((incoming) => {
    sockets.push(incoming);
    incoming.on('error', () => undefined);
    if (frozen) return;
    const outgoing = connectTcp({ host: target, port: BASE_PORT + 1, localAddress: source });
    sockets.push(outgoing);
    outgoing.on('error', () => incoming.destroy());
    outgoing.on('close', () => incoming.destroy());
    incoming.on('close', () => outgoing.destroy());
    incoming.pipe(outgoing);
    outgoing.pipe(incoming);
  });
  await new Promise<void>((resolve) => {
    server.listen({ host: listen, port: BASE_PORT + 1 }, resolve);
  });
  cleanup.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  });
  return {
    freeze: () => {
      frozen = true;
      for (const socket of sockets) {
        socket.unpipe();
        socket.pause();
      }
    },
  };
}
