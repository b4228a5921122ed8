import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { must } from '../../base/assert.ts';
import type { NodeSetup } from '../../protocol/config.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { checkConfig } from './load-config.ts';
import {
  lastGoodPath,
  readLastGood,
  readSetup,
  saveRunSetup,
  saveSetup,
  setupPath,
} from './setup-files.ts';

let folder: string;
let setup: NodeSetup;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tako-setup-'));
  const text =
    'cluster: c\nkey-file: /k\nlinks: { l: { kind: udp } }\nnodes: { n1: { l: 10.0.0.1 } }\ngroups: {}\n';
  setup = {
    node: 'n1' as NodeId,
    runDir: folder,
    stateDir: folder,
    configFile: '/etc/tako/tako.yaml',
    config: must(checkConfig('F', text).config, 'the text is good'),
  };
});

afterEach(() => rmSync(folder, { recursive: true }));

test('what was saved is read, private and without leftovers', () => {
  saveSetup(setup);
  saveSetup(setup);
  expect(readSetup(setupPath(folder))).toEqual({ ...setup, config: { ...setup.config } });
  expect(readLastGood(folder)).toEqual(readSetup(setupPath(folder)).config);
  expect(statSync(setupPath(folder)).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder).toSorted()).toEqual(['config.json', 'setup.json']);
});

test('a last good configuration that is missing or broken is none', () => {
  expect(readLastGood(folder)).toBeUndefined();
  for (const text of ['', '{', '7', '{"cluster":"c"}']) {
    writeFileSync(lastGoodPath(folder), text);
    expect(readLastGood(folder)).toBeUndefined();
  }
});

test('the last good configuration is left alone when it is itself in use', () => {
  saveRunSetup(setup);
  expect(readdirSync(folder)).toEqual(['setup.json']);
});

test('a broken or missing setup is an error with a next step', () => {
  const error = { code: 'config-unreadable', next: expect.any(String) as unknown };
  expect(() => readSetup(setupPath(folder))).toThrow(expect.objectContaining(error) as Error);
  writeFileSync(setupPath(folder), '{"node":"n1"}');
  expect(() => readSetup(setupPath(folder))).toThrow(expect.objectContaining(error) as Error);
});

test('a full or missing place is told', () => {
  const nowhere = { ...setup, stateDir: join(folder, 'nix') };
  expect(() => saveSetup(nowhere)).toThrow(/Cannot write ".*nix\/config.json": ENOENT/u);
});
