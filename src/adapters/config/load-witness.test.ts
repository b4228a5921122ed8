/** The directory of a witness: each file by itself. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { clusterText } from '../../../test/witness/process.ts';
import { readWitnessDirectory } from './load-witness.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tako-load-witness-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const write = (name: string, text: string): void => writeFileSync(join(directory, name), text);
const good = clusterText({ number: 1 });

test('takes every .yaml, its witness, and the key beside it where there is one', () => {
  write('shop.yaml', good);
  write('shop.key', 'x');
  write('bank.yaml', good);
  for (const other of ['.hidden.yaml', 'notes.txt', 'bank.yaml~', 'bank.yml']) write(other, '[');
  const { clusters, faults } = readWitnessDirectory(directory);
  expect(faults).toEqual([]);
  expect(clusters.map(({ name, keyFile, self }) => [name, keyFile, self])).toEqual([
    ['bank', '/nowhere/cluster.key', 'w'],
    ['shop', join(directory, 'shop.key'), 'w'],
  ]);
  expect(clusters[0]).toMatchObject({
    addressesAt: `${join(directory, 'bank.yaml')}:6:12`,
    config: { cluster: 'same', basePort: 21_020, groups: [] },
  });
});

test('says what is wrong with each, with its place, and takes the rest', () => {
  write('good.yaml', good);
  write('broken.yaml', 'cluster: [');
  write('alone.yaml', good.replace(/^witness:.*$/mu, ''));
  write('Wrong Name.yaml', good);
  write('bytes.yaml', '\u00e9');
  writeFileSync(join(directory, 'binary.yaml'), Buffer.from([0xff, 0xfe, 0]));
  const { clusters, faults } = readWitnessDirectory(directory);
  expect(clusters.map(({ name }) => name)).toEqual(['good']);
  const texts = new Map(faults.map(({ name, text }) => [name, text]));
  expect([...texts.keys()].sort()).toEqual(['Wrong Name', 'alone', 'binary', 'broken', 'bytes']);
  expect(texts.get('broken')).toMatch(/broken\.yaml:1:\d+: /u);
  expect(texts.get('alone')).toMatch(/alone\.yaml:5:1: found a cluster without a witness/u);
  expect(texts.get('Wrong Name')).toContain('its name is not a name of 1 to 32 characters');
  expect(texts.get('binary')).toContain('it is not UTF-8 text');
  for (const text of texts.values()) expect(text).toContain('Next: ');
});

test('a directory without a cluster, or that is none, is a fault as a whole', () => {
  expect(() => readWitnessDirectory(directory)).toThrow('it has no file that ends in .yaml');
  expect(() => readWitnessDirectory(join(directory, 'none'))).toThrow('ENOENT');
});
