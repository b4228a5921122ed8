import { mkdirSync, mkdtempSync, openSync, closeSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Prng } from '../../../base/prng.ts';
import { compareTrees } from '../../../../test/mirror/compare-trees.ts';
import { RandomWriter } from '../../../../test/mirror/random-writer.ts';
import { LinuxFileSystem } from '../../system/file-system.ts';
import { ChangeApplier } from './change-applier.ts';
import { OpenFiles } from './open-files.ts';

describe('applying changes', () => {
  let directory = '';
  let umask = 0;
  beforeEach(() => {
    umask = process.umask(0);
    directory = mkdtempSync(join(tmpdir(), 'tako-applier-'));
  });
  afterEach(() => {
    process.umask(umask);
    rmSync(directory, { recursive: true });
  });

  function runSeed(seed: number): readonly string[] {
    const [a, b] = [join(directory, `a${seed}`), join(directory, `b${seed}`)];
    mkdirSync(a);
    mkdirSync(b);
    const [rootA, rootB] = [openSync(a, 'r'), openSync(b, 'r')];
    const store = { fs: new LinuxFileSystem(), root: rootB };
    const files = new OpenFiles(store, 3);
    const applier = new ChangeApplier(store, files);
    const problems: string[] = [];
    const writer = new RandomWriter({
      random: new Prng(seed),
      root: rootA,
      changed: (change) => {
        if (change.type === 'sync') return;
        // The umask of the receiving thread must not matter.
        const before = process.umask(0o077);
        const failure = applier.apply(change);
        process.umask(before);
        if (failure !== undefined) problems.push(`${change.type}: ${JSON.stringify(failure)}`);
      },
    });
    writer.run(200);
    files.closeAll();
    closeSync(rootA);
    closeSync(rootB);
    return [...problems, ...compareTrees(a, b, { times: 'none' })];
  }

  it('gives the tree that the calls gave, whatever they were', () => {
    for (let seed = 1; seed <= 40; seed += 1) expect(runSeed(seed), `seed ${seed}`).toEqual([]);
  });
});
