/** The cluster key's TLS, for real: two ends in one process, on loopback. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  connect,
  createServer,
  type ConnectionOptions,
  type Server,
  type TLSSocket,
} from 'node:tls';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TakoError } from '../base/tako-error.ts';
import type { NodeId } from '../protocol/ids.ts';
import { clientTlsOptions, readClusterKey, serverTlsOptions, tlsPeer } from './tls-psk.ts';

const A = 'a' as NodeId;
const B = 'b' as NodeId;
const key = new Uint8Array(32).fill(7);
const at = (node: NodeId, over: { key?: Uint8Array; cluster?: string; purpose?: string } = {}) => ({
  cluster: 'c1',
  purpose: 'control',
  key,
  node,
  ...over,
});

let dir = '';
let server: Server | undefined;
let accepted: (NodeId | undefined)[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tako-tls-'));
  accepted = [];
});
afterEach(() => {
  server?.close();
  server = undefined;
  rmSync(dir, { recursive: true, force: true });
});

async function serve(made: Server): Promise<number> {
  server = made;
  made.on('secureConnection', (socket) => {
    accepted.push(tlsPeer(socket));
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  });
  made.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
  return (made.address() as AddressInfo).port;
}

async function dial(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ...options }, () => resolve(socket));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed')));
  });
}

test('two nodes of a cluster speak TLS 1.3 with forward secrecy and know each other', async () => {
  const port = await serve(createServer(serverTlsOptions(at(B))));
  const socket = await dial(port, clientTlsOptions(at(A), B));
  expect(socket.getProtocol()).toBe('TLSv1.3');
  expect(socket.getCipher().name).toBe('TLS_AES_128_GCM_SHA256');
  expect(socket.getEphemeralKeyInfo()).toHaveProperty('name', expect.stringMatching(/X25519/u));
  expect(socket.authorized).toBe(true);
  const echoed = new Promise((resolve) => socket.once('data', resolve));
  socket.write('hello');
  expect(String(await echoed)).toBe('hello');
  expect(accepted).toEqual([A]);
  socket.destroy();
});

test.each([
  ['another key', clientTlsOptions(at(A, { key: new Uint8Array(32).fill(8) }), B)],
  ['another cluster', clientTlsOptions(at(A, { cluster: 'c2' }), B)],
  ['another purpose', clientTlsOptions(at(A, { purpose: 'mirror g.r' }), B)],
  ['the name of another server', clientTlsOptions(at(A), A)],
  ['no key', { rejectUnauthorized: false }],
  ['TLS 1.2', { ...clientTlsOptions(at(A), B), minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }],
  ['a client that is not on the list', clientTlsOptions(at('x' as NodeId), B)],
] as [string, ConnectionOptions][])('%s does not get past the handshake', async (_, options) => {
  const port = await serve(createServer(serverTlsOptions(at(B), [A])));
  await expect(dial(port, options)).rejects.toThrow();
  expect(accepted).toEqual([]);
});

test('garbage on the port harms nobody', async () => {
  const port = await serve(createServer(serverTlsOptions(at(B))));
  const raw = connectTcp(port, '127.0.0.1');
  raw.on('error', () => undefined);
  const closed = new Promise((resolve) => raw.once('close', resolve));
  raw.write(Buffer.alloc(5000, 0x41));
  await closed;
  const socket = await dial(port, clientTlsOptions(at(A), B));
  socket.destroy();
});

test('a server that shows a certificate in place of the key is refused', async () => {
  const file = (name: string): string => join(dir, name);
  execFileSync(
    'openssl',
    `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=x`
      .split(' ')
      .concat('-keyout', file('k'), '-out', file('c')),
    { stdio: 'ignore' },
  );
  const cert = readFileSync(file('c'));
  const port = await serve(createServer({ key: readFileSync(file('k')), cert }));
  // Even when a careless caller trusts the certificate's authority.
  const options = { ...clientTlsOptions(at(A), B), ca: [cert] };
  await expect(dial(port, { ...options, ciphers: `${options.ciphers}:HIGH` })).rejects.toThrow();
});

test('the key file is read in base64 and hexadecimal', () => {
  const path = join(dir, 'key');
  writeFileSync(path, `${Buffer.from(key).toString('base64')}\n`, { mode: 0o600 });
  expect(readClusterKey(path)).toEqual(key);
  writeFileSync(path, `${Buffer.from(key).toString('hex')}\n`);
  expect(readClusterKey(path)).toEqual(key);
});

test.each([
  ['short', 'QUJD', 0o600, /3 bytes of key/u],
  ['malformed', '!!', 0o600, /not base64/u],
  ['empty', '', 0o600, /not base64/u],
  ['readable by others', 'A'.repeat(44), 0o644, /mode 0644/u],
  ['large', 'A'.repeat(5000), 0o600, /not a small regular file/u],
])('a key file that is %s is refused with a next step', (_, content, mode, message) => {
  const path = join(dir, 'key');
  writeFileSync(path, content);
  chmodSync(path, mode);
  const attempt = (): Uint8Array => readClusterKey(path);
  expect(attempt).toThrow(message);
  expect(attempt).toThrow(TakoError);
});

test('a missing key file and a directory are refused', () => {
  expect(() => readClusterKey(join(dir, 'none'))).toThrow(/Cannot read/u);
  expect(() => readClusterKey(dir)).toThrow(/not a small regular file/u);
});
