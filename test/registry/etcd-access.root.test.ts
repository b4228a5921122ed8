/** An etcd that asks for certificates and a password, and one that is another one than before. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { EtcdGateway } from '../../src/adapters/registry-etcd/etcd-gateway.ts';
import type { EtcdAccess } from '../../src/adapters/registry-etcd/etcd-member.ts';
import { openEtcdRecordStore } from '../../src/adapters/registry-etcd/etcd-record-store.ts';
import { decodeStoredVote } from '../../src/core/registry/stored-vote.ts';
import type { RecordStore } from '../../src/ports/record-store.ts';
import type { GroupId } from '../../src/protocol/ids.ts';
import { until } from '../hosts/wait.ts';
import { freePorts } from './etcd-cluster.ts';
import { voteOf } from './votes.ts';

const GROUP = 'g' as GroupId;
let folder: string;
let member: ChildProcess | undefined;
let endpoint: string;
let peer: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tako-etcd-access-'));
  const [client = 0, other = 0] = await freePorts(2);
  endpoint = `https://127.0.0.1:${client}`;
  peer = `http://127.0.0.1:${other}`;
  certificates();
});
afterEach(async () => {
  await stop();
  rmSync(folder, { recursive: true, force: true });
});

function certificates(): void {
  const openssl = (...words: readonly string[]): void => {
    execFileSync('openssl', words, { cwd: folder, stdio: 'ignore' });
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  openssl('req', '-x509', ...key, '-subj', '/CN=ca', '-keyout', 'ca.key', '-out', 'ca.pem');
  writeFileSync(join(folder, 'ext'), 'subjectAltName=IP:127.0.0.1\n');
  for (const name of ['server', 'client']) {
    // Where etcd asks for a user as well, its gateway lets in no certificate with a CommonName.
    openssl('req', ...key, '-subj', `/O=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
    const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'ext'];
    openssl('x509', '-req', '-in', `${name}.csr`, ...signed, '-days', '2', '-out', `${name}.pem`);
  }
}

const at = (name: string): string => join(folder, name);

function run(data: string): void {
  const options = {
    name: 'e1',
    'data-dir': at(data),
    'listen-client-urls': endpoint,
    'advertise-client-urls': endpoint,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `e1=${peer}`,
    'initial-cluster-token': data,
    'cert-file': at('server.pem'),
    'key-file': at('server.key'),
    'trusted-ca-file': at('ca.pem'),
  };
  const words = Object.entries(options).map(([word, value]) => `--${word}=${value}`);
  member = spawn('etcd', [...words, '--client-cert-auth'], { stdio: 'ignore' });
}

async function stop(): Promise<void> {
  const child = member;
  member = undefined;
  if (child === undefined || child.exitCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

function files(): EtcdAccess {
  return { caFile: at('ca.pem'), certFile: at('client.pem'), keyFile: at('client.key') };
}

function open(access: EtcdAccess): RecordStore {
  const place = { prefix: '/tako', cluster: 'demo', decode: decodeStoredVote };
  return openEtcdRecordStore({ ...place, ...access, endpoints: [endpoint], timeoutMs: 2000 });
}

async function answers(store: RecordStore): Promise<void> {
  const well = async (): Promise<boolean> => (await store.check()) === undefined;
  await until('etcd answers', well, { timeoutMs: 20_000 });
}

it('lets in who has a certificate, and, where it asks for one, a password', async () => {
  run('data');
  const trusted = open(files());
  await answers(trusted);
  expect(await open({ caFile: at('ca.pem') }).check()).toMatch(/127\.0\.0\.1/u);
  expect(await open({ ...files(), caFile: at('client.pem') }).check()).toMatch(/certificate/u);

  const gateway = new EtcdGateway({ ...files(), endpoints: [endpoint], timeoutMs: 2000 });
  const told = async (path: string, body: object): Promise<void> => {
    expect(await gateway.change(path, body)).toMatchObject({ type: 'answered' });
  };
  await told('/v3/auth/user/add', { name: 'root', password: 'secret' });
  await told('/v3/auth/role/add', { name: 'root' });
  await told('/v3/auth/user/grant', { user: 'root', role: 'root' });
  await told('/v3/auth/enable', {});
  gateway.close();

  expect(await trusted.check()).toBeTypeOf('string');
  writeFileSync(at('password'), 'secret\n', { mode: 0o600 });
  const known = open({ ...files(), user: 'root', passwordFile: at('password') });
  expect(await known.check()).toBeUndefined();
  expect(await known.swap(GROUP, 0, voteOf('n1', 1))).toMatchObject({ type: 'swapped' });
  expect(await known.read(GROUP)).toMatchObject({ type: 'found' });
  // Members forget whom they let in when they are started again.
  await stop();
  run('data');
  await answers(known);
  chmodSync(at('password'), 0o644);
  const careless = open({ ...files(), user: 'root', passwordFile: at('password') });
  expect(await careless.check()).toMatch(/can be read by others/u);
});

it('is not believed any more when it is another one than before', async () => {
  run('one');
  const store = open(files());
  await answers(store);
  expect(await store.swap(GROUP, 0, voteOf('n1', 1))).toMatchObject({ type: 'swapped' });
  await stop();
  run('two');
  await answers(open(files()));
  expect(await store.read(GROUP)).toMatchObject({
    type: 'unreachable',
    why: expect.stringContaining('it is another etcd than before') as unknown,
  });
});
