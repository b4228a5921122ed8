import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ensurePrograms, PROGRAMS, type Purpose } from './setup.ts';

let folder: string;
let lines: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tako-setup-'));
  lines = [];
});

afterEach(() => rmSync(folder, { recursive: true }));

function put(names: readonly string[]): void {
  for (const name of names) writeFileSync(join(folder, name), '');
}

function namesFor(purpose: Purpose): readonly string[] {
  return PROGRAMS.filter((each) => each.for.includes(purpose)).map((each) => each.name);
}

const print = (line: string): void => void lines.push(line);

test('says nothing when everything is there', async () => {
  put(namesFor('demo'));
  expect(await ensurePrograms('demo', { folders: [folder], print })).toEqual([]);
  expect(lines).toEqual([]);
});

test('without root it says what is missing, why, and the command to get it', async () => {
  put(namesFor('soak').filter((name) => name !== 'stress-ng' && name !== 'ip'));
  const missing = await ensurePrograms('soak', { folders: [folder], isRoot: false, print });
  expect(missing.map((each) => each.name)).toEqual(['ip', 'stress-ng']);
  expect(lines.join('\n')).toContain('ip (package iproute2): makes the links');
  expect(lines.at(-1)).toBe(
    'Next: install them as root with: apt-get install -y iproute2 stress-ng',
  );
});

test('as root it installs each package once and looks again', async () => {
  const asked: (readonly string[])[] = [];
  const install = (packages: readonly string[]): Promise<boolean> => {
    asked.push(packages);
    put(['postgres', 'pgbench']);
    return Promise.resolve(true);
  };
  put(namesFor('demo').filter((name) => name !== 'postgres' && name !== 'pgbench'));
  const options = { folders: [folder], isRoot: true, print, install };
  expect(await ensurePrograms('demo', options)).toEqual([]);
  expect(asked).toEqual([['postgresql-15']]);
});

test('an installation that brings nothing is told', async () => {
  put(namesFor('bench').filter((name) => name !== 'keepalived'));
  const install = (): Promise<boolean> => Promise.resolve(false);
  const options = { folders: [folder], isRoot: true, print, install };
  expect(await ensurePrograms('bench', options)).toHaveLength(1);
  expect(lines.join('\n')).toContain('Cannot install keepalived');
});

test('a command that needs some of the programs names them', async () => {
  put(['ip']);
  expect(await ensurePrograms('demo', { folders: [folder], only: ['ip'], print })).toEqual([]);
});

test('every row says what the program is for', () => {
  for (const program of PROGRAMS) {
    expect(program.for.length, program.name).toBeGreaterThan(0);
    expect(program.why, program.name).toMatch(/^[a-z].{5,}[^.]$/);
  }
});
