/** Which cluster a directory of votes belongs to. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { must } from '../../base/assert.ts';
import { checkConfig } from '../../adapters/config/load-config.ts';
import type { NodeId } from '../../protocol/ids.ts';
import type { WitnessCluster } from '../../protocol/witness.ts';
import { clusterText, timingWith } from '../../../test/witness/process.ts';
import { formerTermMs, openClusterDirectory, saveCluster } from './cluster-file.ts';
import { retryMs } from './served-cluster.ts';

let directory: string;

beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'tako-cluster-file-')), 'one');
});
afterEach(() => rmSync(join(directory, '..'), { recursive: true }));

function cluster(leaseMs: number, self = 'w'): WitnessCluster {
  const { config } = checkConfig('x', clusterText({ number: 1, timing: timingWith(leaseMs) }));
  const file = '/etc/tako/witness/one.yaml';
  return {
    name: 'one',
    file,
    keyFile: '/key',
    self: self as NodeId,
    config: { ...must(config, 'the text is good'), groups: [] },
    addressesAt: `${file}:6:1`,
  };
}

test('a new one belongs to nobody; afterwards it belongs to whoever saved', async () => {
  expect(await openClusterDirectory(directory, cluster(300))).toBeUndefined();
  await saveCluster(directory, cluster(300));
  expect(await openClusterDirectory(directory, cluster(500))).toEqual(cluster(300));
  expect(readdirSync(directory)).toEqual(['cluster.json']);
  await expect(openClusterDirectory(directory, cluster(300, 'v'))).rejects.toThrow(
    'the votes in it are those of w of same, and the file is about v of same',
  );
});

test('one that is damaged is not guessed at', async () => {
  await openClusterDirectory(directory, cluster(300));
  for (const text of ['', '{', '{}', '[]', '{"config": {}}']) {
    writeFileSync(join(directory, 'cluster.json'), text);
    await expect(openClusterDirectory(directory, cluster(300))).rejects.toThrow('Cannot use');
  }
});

test('a longer lease before is waited for, beyond the quiet time of the start', () => {
  expect(formerTermMs(undefined, cluster(300))).toBe(0);
  expect(formerTermMs(cluster(300), cluster(300))).toBe(0);
  expect(formerTermMs(cluster(300), cluster(5000))).toBe(0);
  expect(formerTermMs(cluster(5000), cluster(300))).toBeCloseTo(4700 * 1.01, 6);
});

test('what fails again and again is given time', () => {
  expect([1, 2, 3, 4, 9, 1000].map(retryMs)).toEqual([250, 500, 1000, 2000, 30_000, 30_000]);
});
