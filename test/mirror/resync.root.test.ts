/**
 * The proof that a resync never races: hundreds of seeds of random trees, random live changes at
 * every possible moment, random order of everything else. See resync-rig.ts.
 */
import {
  chmodSync,
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Prng } from '../../src/base/prng.ts';
import type { RandomWriter } from './random-writer.ts';
import { ResyncRig, type RigOptions } from './resync-rig.ts';

const MIB = 1024 * 1024;
const SEEDS = Number(process.env['TAKO_RESYNC_SEEDS'] ?? 80);
const FIRST_SEED = Number(process.env['TAKO_RESYNC_FIRST_SEED'] ?? 1);

describe('resync', () => {
  let umask = 0;
  beforeAll(() => {
    umask = process.umask(0);
  });
  afterAll(() => {
    process.umask(umask);
  });

  async function runRig(
    options: RigOptions,
    after: (rig: ResyncRig) => Promise<void> | void,
  ): Promise<void> {
    const rig = new ResyncRig(options);
    try {
      rig.begin();
      await rig.run();
      expect(rig.failures, `seed ${options.seed}`).toEqual([]);
      await after(rig);
    } finally {
      await rig.close();
    }
  }

  it('makes a diverged copy equal, whatever is changed meanwhile, and follows strictly', async () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed += 1) {
      const before = { source: 20 + (seed % 7) * 10, copy: (seed % 5) * 10 };
      const liveChanges = (seed % 4) * 60;
      await runRig({ seed, liveChanges, before }, async (rig) => {
        expect(rig.finished, `seed ${seed}`).toBe(true);
        expect(rig.compare(), `seed ${seed}`).toEqual([]);
        await rig.follow(40);
        expect([...rig.failures, ...rig.compare()], `seed ${seed}, after`).toEqual([]);
        expect(rig.note.read()).toEqual({ state: 'dirty' });
      });
    }
  }, 120_000);

  it('makes a copy equal that was away, looking only at what was changed meanwhile', async () => {
    let partial = 0;
    for (let at = 0; at <= SEEDS; at += 1) {
      // Attributes for a name that is something else on the copy as yet.
      const seed = at === SEEDS ? 5319 : FIRST_SEED + at;
      const links = [0, 0.1, 1][seed % 3] ?? 0;
      const away = { before: 20 + (seed % 7) * 10, missed: (seed % 5) * 8, links };
      const liveChanges = (seed % 4) * 40;
      await runRig({ seed, liveChanges, away }, async (rig) => {
        if (rig.partial) partial += 1;
        expect(rig.finished, `seed ${seed}`).toBe(true);
        expect(rig.compare(), `seed ${seed}`).toEqual([]);
        await rig.follow(40);
        expect([...rig.failures, ...rig.compare()], `seed ${seed}, after`).toEqual([]);
      });
    }
    expect(partial).toBeGreaterThan(SEEDS / 4);
  }, 120_000);

  it('makes a copy equal that was the primary, looking only at what either side changed', async () => {
    let partial = 0;
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed += 1) {
      const links = [0, 0, 0.1, 1][seed % 4] ?? 0;
      const former = {
        before: 20 + (seed % 7) * 10,
        own: (seed % 6) * 5,
        since: (seed % 3) * 8,
        links,
      };
      const liveChanges = (seed % 4) * 40;
      await runRig({ seed, liveChanges, former }, async (rig) => {
        if (rig.partial) partial += 1;
        expect(rig.finished, `seed ${seed}`).toBe(true);
        expect(rig.compare(), `seed ${seed}`).toEqual([]);
        await rig.follow(40);
        expect([...rig.failures, ...rig.compare()], `seed ${seed}, after`).toEqual([]);
      });
    }
    expect(partial).toBeGreaterThan(SEEDS / 4);
  }, 120_000);

  describe('of what was changed while the copy was away', () => {
    /** Two names of one file, which was changed through the first one while the copy was away. */
    function linked(): ResyncRig {
      const rig = new ResyncRig({ seed: 1, liveChanges: 0, plain: true });
      for (const path of [rig.sourcePath, rig.copyPath]) {
        for (let i = 0; i < 300; i += 1) writeFileSync(join(path, `f${i}`), `content ${i}`);
        writeFileSync(join(path, 'first'), 'as it was');
        linkSync(join(path, 'first'), join(path, 'second'));
      }
      writeFileSync(join(rig.sourcePath, 'first'), 'as it became');
      return rig;
    }

    async function brought(rig: ResyncRig, meanwhile?: () => void): Promise<void> {
      rig.begin();
      meanwhile?.();
      await rig.run();
      expect([...rig.failures, ...rig.compare()]).toEqual([]);
    }

    it('looks at nothing else', async () => {
      const rig = new ResyncRig({ seed: 1, liveChanges: 0, plain: true });
      try {
        for (const path of [rig.sourcePath, rig.copyPath]) {
          mkdirSync(join(path, 'd'));
          for (let i = 0; i < 300; i += 1) writeFileSync(join(path, 'd', `f${i}`), `content ${i}`);
        }
        writeFileSync(join(rig.sourcePath, 'd', 'f7'), 'changed');
        chmodSync(join(rig.sourcePath, 'd'), 0o700);
        rig.knowDirty({ 'd/f7': 'tree', 'd/gone': 'tree', d: 'self' });
        await brought(rig);
        expect(rig.progress.at(-1)).toMatchObject({ filesTotal: 1 });
        expect(rig.counts.bytes).toBeLessThan(1000);
      } finally {
        await rig.close();
      }
    });

    it('looks at everything when what was changed has several names', async () => {
      const rig = linked();
      try {
        rig.knowDirty({ first: 'tree' });
        await brought(rig);
        expect(rig.progress.at(-1)?.filesTotal).toBeGreaterThan(300);
      } finally {
        await rig.close();
      }
    });

    it('looks at everything when that has lost the name before it was looked at', async () => {
      const rig = linked();
      try {
        rig.knowDirty({ first: 'tree' });
        const path = Buffer.from('first');
        await brought(rig, () => rig.writer.perform({ type: 'unlink', path }));
        expect(rig.progress.at(-1)?.filesTotal).toBeGreaterThan(300);
      } finally {
        await rig.close();
      }
    });
  });

  it('gives modification times to the nanosecond when nothing is written meanwhile', async () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const before = { source: 60, copy: 30 };
      await runRig({ seed, liveChanges: 0, before }, (rig) => {
        expect(rig.compare({ times: 'all' }), `seed ${seed}`).toEqual([]);
      });
    }
  });

  it('ends although a program never stops writing, replacing and rotating files', async () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const write = (writer: RandomWriter, random: Prng): void => {
        const name = random.pick(['a', 'b', 'c']);
        if (random.chance(0.4)) return writer.replaceFile(`table-${name}`, random.below(900));
        if (random.chance(0.1)) return writer.rotate('log');
        writer.overwrite(`table-${name}`, random.below(600));
        writer.overwrite('log', random.below(2000));
      };
      const before = { source: 80, copy: 30 };
      await runRig({ seed, liveChanges: Infinity, endless: true, before, write }, (rig) => {
        expect(rig.finished, `seed ${seed}`).toBe(true);
        expect(rig.compare(), `seed ${seed}`).toEqual([]);
      });
    }
  }, 60_000);

  it('never writes into a file that took the name of the one that it compares', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    for (let seed = 1; seed <= 25; seed += 1) {
      const write = (writer: RandomWriter, random: Prng): void =>
        writer.replaceFile(random.pick(names), random.below(900));
      const rig = new ResyncRig({ seed, liveChanges: Infinity, endless: true, write });
      try {
        for (const name of names) {
          writeFileSync(join(rig.sourcePath, name), Buffer.alloc(900, name));
          writeFileSync(join(rig.copyPath, name), Buffer.alloc(rig.random.below(1200), 'x'));
        }
        rig.begin();
        await rig.run();
        expect([...rig.failures, ...rig.compare()], `seed ${seed}`).toEqual([]);
      } finally {
        await rig.close();
      }
    }
  });

  it('stops at once when it is cut, and a second resync finishes the work', async () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const rig = new ResyncRig({ seed, liveChanges: 40, before: { source: 60, copy: 30 } });
      try {
        rig.begin();
        for (let i = rig.random.below(120); i > 0 && !rig.finished; i -= 1) await rig.step();
        const whole = rig.finished;
        await rig.cut();
        if (!whole) expect(rig.note.read()).toEqual({ state: 'dirty', partial: true, base: 1 });
        rig.begin();
        await rig.run();
        expect([...rig.failures, ...rig.compare()], `seed ${seed}`).toEqual([]);
      } finally {
        await rig.close();
      }
    }
  });

  it('brings thousands of small files to an empty copy in seconds', async () => {
    const rig = new ResyncRig({ seed: 1, liveChanges: 0, plain: true });
    try {
      for (let i = 0; i < 2000; i += 1) {
        const directory = join(rig.sourcePath, `d${i % 50}`);
        if (i < 50) mkdirSync(directory);
        writeFileSync(join(directory, `f${i}`), `content of file ${i}`);
      }
      const start = performance.now();
      rig.begin();
      await rig.run();
      const seconds = (performance.now() - start) / 1000;
      expect(rig.failures).toEqual([]);
      expect(rig.compare({ times: 'all' })).toEqual([]);
      expect(rig.progress.at(-1)).toMatchObject({ filesDone: 2000, filesTotal: 2000 });
      expect(seconds).toBeLessThan(15);
    } finally {
      await rig.close();
    }
  }, 60_000);

  it('sends only the blocks that differ, and keeps holes', async () => {
    const rig = new ResyncRig({ seed: 1, liveChanges: 0, plain: true });
    try {
      const content = Buffer.alloc(8 * MIB, 7);
      for (const path of [rig.sourcePath, rig.copyPath]) writeFileSync(join(path, 'big'), content);
      const fd = openSync(join(rig.sourcePath, 'big'), 'r+');
      writeSync(fd, 'changed', 3 * MIB);
      closeSync(fd);
      for (const name of ['sparse', 'punched']) {
        writeFileSync(join(rig.sourcePath, name), 'start');
        truncateSync(join(rig.sourcePath, name), 64 * MIB);
      }
      writeFileSync(join(rig.copyPath, 'punched'), Buffer.alloc(2 * MIB, 1));
      rig.begin();
      await rig.run();
      expect([...rig.failures, ...rig.compare({ times: 'all' })]).toEqual([]);
      expect(rig.counts.bytes).toBeLessThan(0.5 * MIB);
      for (const name of ['sparse', 'punched']) {
        expect(statSync(join(rig.copyPath, name)).blocks * 512).toBeLessThan(0.5 * MIB);
      }
    } finally {
      await rig.close();
    }
  });
});
