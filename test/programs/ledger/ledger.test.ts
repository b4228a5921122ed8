import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pause, until } from '../../hosts/wait.ts';
import { Exchange } from './exchange.ts';
import { RECORD_BYTES, decodeRecord, encodeRecord } from './record.mjs';
import type { LedgerLine } from './wire.ts';

const SERVER = fileURLToPath(new URL('./server.mjs', import.meta.url));
/** A loaded machine is no failure of the server. */
const PATIENT_MS = 10_000;
const CLIENT = fileURLToPath(new URL('./client.ts', import.meta.url));

let directory: string;
let port: number;
const children: ChildProcess[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tako-ledger-'));
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  port = (probe.address() as { port: number }).port;
  probe.close();
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

async function startServer(): Promise<ChildProcess> {
  const words = ['--directory', directory, '--port', String(port), '--log', join(directory, 'log')];
  const child = spawn(process.execPath, [SERVER, ...words], { stdio: 'inherit' });
  children.push(child);
  const exchange = new Exchange({ address: '127.0.0.1', port, answerMs: PATIENT_MS });
  await until('the server answers', () => exchange.post('/health', {}), { timeoutMs: 5000 });
  exchange.close();
  return child;
}

async function kill(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const closed = once(child, 'exit');
  child.kill(signal);
  return ((await closed) as [number | null])[0];
}

function startClient(): { readonly child: ChildProcess; readonly lines: LedgerLine[] } {
  const words = [CLIENT, 'tester', '127.0.0.1', String(port)];
  const child = spawn(process.execPath, words, { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  const lines: LedgerLine[] = [];
  let rest = '';
  child.stdout.on('data', (data: Buffer) => {
    const parts = (rest + data.toString()).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) lines.push(JSON.parse(part) as LedgerLine);
  });
  return { child, lines };
}

async function ask(
  client: ReturnType<typeof startClient>,
  id: number,
  type: string,
): Promise<LedgerLine> {
  client.child.stdin?.write(`${JSON.stringify({ id, type })}\n`);
  return until(type, () => client.lines.find((line) => 'id' in line && line.id === id), {
    timeoutMs: 10_000,
  });
}

function acknowledged(client: ReturnType<typeof startClient>): number {
  const stats = client.lines.findLast((line) => line.type === 'stats');
  return stats?.type === 'stats' ? stats.acknowledged : 0;
}

describe('ledger record', () => {
  const record = { kind: 'R', client: 'c1', number: 42, text: 'abc' };

  it('comes back as it was', () => {
    const bytes = encodeRecord(record);
    expect(bytes.length).toBe(RECORD_BYTES);
    expect(decodeRecord(bytes, 0)).toEqual(record);
  });

  it('is refused with any one bit changed', () => {
    for (let bit = 0; bit < RECORD_BYTES * 8; bit += 1) {
      const bytes = encodeRecord(record);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(decodeRecord(bytes, 0)).toBeUndefined();
    }
  });
});

describe('ledger server', () => {
  const body = (number: number, text = `t${number}`) => ({ client: 'c1', number, text });

  it('takes records in order, repeats an answer, refuses gaps and other texts', async () => {
    await startServer();
    const exchange = new Exchange({ address: '127.0.0.1', port, answerMs: PATIENT_MS });
    const post = async (number: number, text?: string) =>
      (await exchange.post('/records', body(number, text)))?.status;
    expect(await post(1)).toBe(200);
    expect(await post(2)).toBe(200);
    expect(await post(2)).toBe(200);
    expect(await post(2, 'other')).toBe(409);
    expect(await post(4)).toBe(409);
    expect(await post(0)).toBe(400);
    exchange.close();
    expect(readFileSync(join(directory, 'ledger'), 'latin1').split('\n')).toHaveLength(4);
    expect(readFileSync(join(directory, 'log'), 'latin1')).toMatch(/ open\n.* sync\n.* ack c1 1\n/);
  });

  it('goes on after kill and after a torn write; counts openings', async () => {
    const exchange = new Exchange({ address: '127.0.0.1', port, answerMs: PATIENT_MS });
    await kill(await startServer(), 'SIGKILL');
    const first = await startServer();
    expect((await exchange.post('/records', body(1)))?.body).toMatchObject({ opening: 2 });
    await kill(first, 'SIGKILL');
    appendFileSync(
      join(directory, 'ledger'),
      encodeRecord({ kind: 'R', ...body(2) }).subarray(0, 30),
    );
    const second = await startServer();
    expect(statSync(join(directory, 'ledger')).size % RECORD_BYTES).toBe(0);
    expect((await exchange.post('/records', body(3)))?.body).toMatchObject({ last: 1, opening: 3 });
    expect((await exchange.post('/records', body(2)))?.status).toBe(200);
    exchange.close();
    expect(await kill(second, 'SIGTERM')).toBe(0);
  });

  it('does not serve a damaged ledger', async () => {
    const bytes = Buffer.alloc(RECORD_BYTES * 3000, 'x');
    writeFileSync(join(directory, 'ledger'), bytes);
    const words = [SERVER, '--directory', directory, '--port', String(port)];
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'pipe'] });
    children.push(child);
    let said = '';
    child.stderr.on('data', (data: Buffer) => (said += data.toString()));
    await once(child, 'close');
    expect(said).toContain('it is damaged at byte 0 of 192000');
  });
});

describe('ledger client', () => {
  it('counts what was acknowledged, measures outages, finds all of it again', async () => {
    const server = await startServer();
    const client = startClient();
    await until('records', () => acknowledged(client) > 20, { timeoutMs: 10_000 });
    await ask(client, 1, 'mark');
    await kill(server, 'SIGKILL');
    await pause(300);
    await startServer();
    const before = acknowledged(client);
    await until('more records', () => acknowledged(client) > before + 20, { timeoutMs: 10_000 });
    const report = await ask(client, 2, 'report');
    expect(report).toMatchObject({ type: 'report', lost: 0, violations: [], opening: 2 });
    if (report.type !== 'report') throw new Error('no report');
    expect(report.longestGapMs).toBeGreaterThan(300);
    expect(report.outages[0]?.instances[0]).not.toBe(report.outages[0]?.instances[1]);
    expect(await ask(client, 3, 'audit')).toMatchObject({ lost: 0, duplicates: 0, violations: [] });
  });

  it('notices records that were acknowledged and are gone', async () => {
    const server = await startServer();
    const client = startClient();
    await until('records', () => acknowledged(client) > 20, { timeoutMs: 10_000 });
    await kill(server, 'SIGKILL');
    const file = join(directory, 'ledger');
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.subarray(0, bytes.length - 5 * RECORD_BYTES));
    await startServer();
    const before = acknowledged(client);
    await until('more records', () => acknowledged(client) > before + 10, { timeoutMs: 10_000 });
    const audit = await ask(client, 1, 'audit');
    if (audit.type !== 'audit') throw new Error('no audit');
    expect([4, 5]).toContain(audit.lost);
    expect(audit.violations[0]).toMatch(/are not there$/);
  });

  it('notices a server of an older opening', async () => {
    const server = await startServer();
    const client = startClient();
    await until('records', () => acknowledged(client) > 5, { timeoutMs: 10_000 });
    await kill(server, 'SIGKILL');
    rmSync(join(directory, 'ledger'));
    await startServer();
    const before = acknowledged(client);
    await until('more records', () => acknowledged(client) > before + 10, { timeoutMs: 10_000 });
    const audit = await ask(client, 1, 'audit');
    expect(JSON.stringify(audit)).toMatch(/opening 1 has two servers/);
  });
});
