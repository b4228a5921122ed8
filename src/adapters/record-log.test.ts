import { spawn } from 'node:child_process';
import { closeSync, readdirSync, readlinkSync } from 'node:fs';
import { appendFile, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Log } from '../ports/log.ts';
import type { StateStore } from '../ports/state-store.ts';
import { openRecordLog } from './record-log.ts';

interface Value {
  readonly n: number;
}

let directory = '';
let path = '';
let lines: string[] = [];
const note = (message: string, fields?: object): void => {
  lines.push(`${message} ${JSON.stringify(fields ?? {})}`);
};
const log: Log = { debug: note, info: note, warn: note, error: note };

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tako-record-'));
  path = join(directory, 'acceptor.log');
  lines = [];
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

function decode(value: unknown): Value | undefined {
  const good = typeof value === 'object' && value !== null && 'n' in value;
  return good && typeof value.n === 'number' ? { n: value.n } : undefined;
}

function open(compactBytesMin?: number): Promise<StateStore<Value>> {
  return openRecordLog<Value>({ path, log, decode, compactBytesMin });
}

async function contents(): Promise<Record<string, number>> {
  const store = await open();
  const all = [...store.entries()].map(([key, value]) => [key, value.n] as const);
  await store.close();
  return Object.fromEntries(all);
}

describe('the record log', () => {
  it('keeps the last value of each key, in two equal files of mode 0600', async () => {
    const store = await open();
    expect(store.entries().size).toBe(0);
    await store.put('a', { n: 1 });
    await Promise.all([store.put('b', { n: 2 }), store.put('a', { n: 3 })]);
    await store.close();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readFile(path)).toEqual(await readFile(`${path}.2`));
    expect(await contents()).toEqual({ a: 3, b: 2 });
    expect(lines).toEqual([]);
    await expect(store.put('a', { n: 4 })).rejects.toThrow('is closed');
  });

  it('shares one write among puts that wait, and stays small', async () => {
    const store = await open(2000);
    const first = (await readFile(path)).length;
    await Promise.all(Array.from({ length: 5000 }, (_, n) => store.put(`k${n % 7}`, { n })));
    const after = (await readFile(path)).length;
    expect(after).toBeGreaterThan(first);
    for (let n = 0; n < 100; n += 1) await store.put('k', { n });
    expect((await readFile(path)).length).toBeLessThan(after);
    await store.close();
    expect(await contents()).toMatchObject({ k: 99, k0: 4998, k1: 4999 });
  });

  it('is opened once', async () => {
    const store = await open();
    await expect(open()).rejects.toThrow('another process has it open');
    await store.close();
    await (await open()).close();
    path = join(directory, 'absent', 'log');
    await expect(open()).rejects.toThrow('Cannot open');
  });

  it('cuts off what a crash left, with a warning, and goes on behind it', async () => {
    const store = await open();
    await store.put('a', { n: 1 });
    await store.close();
    for (const file of [path, `${path}.2`]) await appendFile(file, Buffer.from([0x20, 0, 0, 0, 1]));
    expect(await contents()).toEqual({ a: 1 });
    expect(lines.join()).toContain('never acknowledged');
    lines = [];
    const again = await open();
    await again.put('b', { n: 2 });
    await again.close();
    expect(await contents()).toEqual({ a: 1, b: 2 });
    expect(lines).toEqual([]);
  });

  it('repairs one file from the other, and refuses when both are damaged', async () => {
    const store = await open();
    await store.put('a', { n: 1 });
    await store.put('a', { n: 2 });
    await store.close();
    const good = await readFile(path);
    await truncate(path, 30);
    expect(await contents()).toEqual({ a: 2 });
    expect(lines.join()).toContain('repaired');
    const bad = Buffer.from(good);
    bad.write('X', good.length - 3);
    await writeFile(path, bad);
    await writeFile(`${path}.2`, bad);
    await expect(open()).rejects.toThrow(/is damaged: .*checksum/);
    expect(await readFile(path)).toEqual(bad);
    await rm(path);
    await expect(open()).rejects.toThrow('is damaged');
    await writeFile(`${path}.2`, good);
    expect(await contents()).toEqual({ a: 2 });
  });

  it('refuses a value that it does not understand', async () => {
    const store = await openRecordLog<string>({ path, log, decode: String });
    await store.put('a', 'text');
    await store.close();
    await expect(open()).rejects.toThrow('the entry of "a" is not understood');
  });

  it('is finished after the first error of the disk', async () => {
    const store = await open();
    await store.put('a', { n: 1 });
    // The kernel answers EBADF from now on.
    for (const fd of readdirSync('/proc/self/fd')) {
      if (linkOf(fd) === path) closeSync(Number(fd));
    }
    const results = await Promise.allSettled([store.put('a', { n: 2 }), store.put('b', { n: 3 })]);
    expect(results.map((result) => result.status)).toEqual(['rejected', 'rejected']);
    await expect(store.put('a', { n: 4 })).rejects.toThrow('EBADF');
    expect(lines.join()).toContain('not used any more');
    await store.close();
    expect(await contents()).toMatchObject({ a: expect.any(Number) });
  });

  it(
    'has everything that it acknowledged before a kill at any moment',
    { timeout: 60_000 },
    async () => {
      const writer = join(directory, 'writer.mjs');
      const source = new URL('./record-log.ts', import.meta.url).href;
      await writeFile(
        writer,
        `import { openRecordLog } from ${JSON.stringify(source)};
      const note = () => undefined;
      const store = await openRecordLog({ path: process.argv[2], compactBytesMin: 1500,
        log: { debug: note, info: note, warn: note, error: note }, decode: (v) => v });
      let n = (store.entries().get('a')?.n ?? 0);
      for (;;) {
        n += 1;
        await store.put('a', { n });
        process.stdout.write(n + '\\n');
      }`,
      );
      for (let round = 0; round < 6; round += 1) {
        const child = spawn(process.execPath, [writer, path], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        let output = '';
        child.stdout.on('data', (chunk) => {
          output += String(chunk);
          if (output.split('\n').length > 20 + round * 13) child.kill('SIGKILL');
        });
        await new Promise((resolve) => child.once('close', resolve));
        const acknowledged = Number(output.trimEnd().split('\n').at(-1));
        expect((await contents())['a']).toBeGreaterThanOrEqual(acknowledged);
      }
    },
  );
});

function linkOf(fd: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined;
  }
}
