import {
  mkdirSync,
  mkdtempSync,
  openSync,
  closeSync,
  existsSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLog } from '../../log.ts';
import { LinuxFileSystem } from '../../system/file-system.ts';
import type { Epoch, MirrorId } from '../../../protocol/ids.ts';
import { FileCopyNote, parseNote } from './copy-note.ts';

const MIRROR = 'db.data' as MirrorId;
const EPOCH = 7 as Epoch;
const CLEAN = { state: 'clean', epoch: EPOCH, seq: 9 } as const;

/** A disk that has written everything when the test says so. */
function slowDisk(): { readonly synced: Promise<number>; finish(): void } {
  let finish = (): void => undefined;
  const synced = new Promise<number>((resolve) => {
    finish = () => resolve(0);
  });
  return { synced, finish: () => finish() };
}

describe('the note of a copy', () => {
  let directory = '';
  let root = -1;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'tako-note-'));
    mkdirSync(join(directory, 'data'));
    root = openSync(join(directory, 'data'), 'r');
  });
  afterEach(() => {
    closeSync(root);
    rmSync(directory, { recursive: true });
  });

  function file(): string {
    return join(directory, 'state', 'mirrors', `${MIRROR}.json`);
  }

  function open(syncVolume = () => Promise.resolve(0)): FileCopyNote {
    const store = { fs: new LinuxFileSystem(), root };
    const log = createLog({ name: 'test', level: 'silent' });
    const background = { syncVolume };
    return new FileCopyNote({ file: file(), mirror: MIRROR, store, background, log });
  }

  async function noteClean(): Promise<FileCopyNote> {
    const note = open();
    note.write(CLEAN);
    await note.settle();
    return note;
  }

  it('without a file: an empty directory is empty, lost+found does not count', () => {
    expect(open().read()).toEqual({ state: 'empty' });
    mkdirSync(join(directory, 'data', 'lost+found'));
    expect(open().read()).toEqual({ state: 'empty' });
  });

  it('without a file: anything else makes the directory foreign', () => {
    writeFileSync(join(directory, 'data', 'precious'), 'x');
    expect(open().read()).toEqual({ state: 'foreign' });
  });

  it('keeps what is written, also for the next process', async () => {
    const note = open();
    for (const state of [
      { state: 'dirty', partial: true },
      { state: 'dirty' },
      { state: 'clean', epoch: EPOCH, seq: 12_345 },
    ] as const) {
      note.write(state);
      expect(note.read()).toEqual(state);
      await note.settle();
      expect(open().read()).toEqual(state);
    }
    const text: unknown = JSON.parse(readFileSync(file(), 'utf8'));
    expect(text).toEqual({
      version: 1,
      mirror: MIRROR,
      directory: expect.stringMatching(/^inode \d+ made \d+$/u) as string,
      state: 'clean',
      epoch: 7,
      sequence: 12_345,
    });
  });

  describe('with another directory in the place of the one that the copy was in', () => {
    const sayOf = (word: string) => writeFileSync(file().replace('.json', '.new-directory'), word);
    const said = () => existsSync(file().replace('.json', '.new-directory'));

    function mountAnother(): void {
      closeSync(root);
      mkdirSync(join(directory, 'other'));
      root = openSync(join(directory, 'other'), 'r');
    }

    it('is no copy, also when there are files in it, until somebody says what it is', async () => {
      await noteClean();
      mountAnother();
      expect(() => open()).toThrow(/it is not the one that the copy was in/);
      writeFileSync(join(directory, 'other', 'a'), 'x');
      expect(() => open()).toThrow(expect.objectContaining({ code: 'mirror-path' }) as Error);
      sayOf('yes');
      expect(() => open()).toThrow(/neither "complete" nor "refill"/);
      // The disk is mounted after all: nothing was lost by the attempts.
      closeSync(root);
      root = openSync(join(directory, 'data'), 'r');
      expect(open().read()).toEqual(CLEAN);
    });

    it.each([
      ['complete', { state: 'dirty' }],
      ['refill\n', { state: 'dirty', partial: true }],
    ] as const)('is one again by the word %j, which holds once', async (word, state) => {
      await noteClean();
      mountAnother();
      sayOf(word);
      expect(open().read()).toEqual(state);
      expect(said()).toBe(false);
      expect(open().read()).toEqual(state);
      closeSync(root);
      root = openSync(join(directory, 'data'), 'r');
      expect(() => open()).toThrow(/it is not the one/);
    });

    it('a word that nobody needs is not kept for a day on which a disk is missing', async () => {
      await noteClean();
      sayOf('complete');
      open();
      expect(said()).toBe(false);
    });

    it('a note of a former version takes up the directory that is there', async () => {
      await noteClean();
      writeFileSync(file(), readFileSync(file(), 'utf8').replace(/"directory":"[^"]+",/u, ''));
      expect(open().read()).toEqual(CLEAN);
      mountAnother();
      expect(() => open()).toThrow(/it is not the one/);
    });
  });

  it('keeps what was given up by force until somebody emptied the directory, and no longer', () => {
    const before = 1_010_000 as Epoch;
    const path = join(directory, 'data', 'ledger');
    expect(open().readKept(before)).toEqual({ state: 'empty' });
    writeFileSync(path, 'what nobody else has');
    expect(open().readKept(before)).toEqual({ state: 'foreign' });
    open().write({ state: 'dirty' });
    expect(open().readKept(before)).toEqual({ state: 'kept' });
    rmSync(path);
    expect(open().readKept(before)).toEqual({ state: 'empty' });
    // It is copied anew by the primary of that epoch: from then on it is like any other.
    open().write({ state: 'dirty', partial: true, base: before });
    writeFileSync(path, 'what all have');
    expect(open().readKept(before)).toEqual({ state: 'dirty', partial: true });
    open().write({ state: 'dirty' });
    expect(open().readKept(before)).toEqual({ state: 'dirty' });
    // Until it is given up once more.
    expect(open().readKept((before + 1) as Epoch)).toEqual({ state: 'kept' });
  });

  it('takes a note that it does not understand for a dirty copy, never for a clean one', async () => {
    await noteClean();
    const good = readFileSync(file(), 'utf8');
    const bad = [
      '',
      '{',
      'null',
      '[]',
      good.replace('"version":1', '"version":0'),
      good.replace('"version":1', '"version":"2"'),
      good.replace(MIRROR, 'other.data'),
      good.replace('"epoch":7', '"epoch":-7'),
      good.replace('"sequence":9', '"sequence":"9"'),
      good.replace('clean', 'spotless'),
      good.slice(0, -4),
    ];
    for (const text of bad) {
      writeFileSync(file(), text);
      expect(open().read(), text).toEqual({ state: 'dirty' });
      expect(parseNote(text, MIRROR)).toBeUndefined();
    }
  });

  it('survives a crash at each step of a write with the old or the new state', async () => {
    open().write({ state: 'dirty' });
    const next = '{"version":1,"mirror":"db.data","state":"clean","epoch":7,"sequence":9}\n';
    // Before the rename there is another file beside it, with a part of the new text.
    for (let length = 0; length <= next.length; length += 1) {
      writeFileSync(`${file()}.new`, next.slice(0, length));
      expect(open().read()).toEqual({ state: 'dirty' });
    }
    // After a crash the next write is not disturbed by what was left.
    await noteClean();
    expect(open().read()).toEqual(CLEAN);
  });

  it('is clean on disk only after everything of the copy is', async () => {
    const disk = slowDisk();
    const note = open(() => disk.synced);
    note.write({ state: 'dirty' });
    note.write(CLEAN);
    const settled = note.settle();
    expect(note.read()).toEqual(CLEAN);
    expect(open().read()).toEqual({ state: 'dirty' });
    disk.finish();
    await settled;
    expect(open().read()).toEqual(CLEAN);
  });

  it('becomes clean on disk by itself when nothing changes', async () => {
    const note = open();
    note.write({ state: 'dirty' });
    note.write(CLEAN);
    await expect.poll(() => open().read(), { timeout: 5000 }).toEqual(CLEAN);
  });

  it('stays dirty on disk when changes follow before the disk was done', async () => {
    const disk = slowDisk();
    const note = open(() => disk.synced);
    note.write({ state: 'dirty' });
    note.write(CLEAN);
    const settled = note.settle();
    note.write({ state: 'dirty' });
    disk.finish();
    await settled;
    for (const of of [note, open()]) expect(of.read()).toEqual({ state: 'dirty' });
  });

  it('counts as dirty when the disk cannot make the copy durable', async () => {
    const note = open(() => Promise.resolve(-5));
    note.write({ state: 'dirty' });
    note.write(CLEAN);
    await note.settle();
    for (const of of [note, open()]) expect(of.read()).toEqual({ state: 'dirty' });
  });

  describe('says up to where everything is on stable storage', () => {
    const STORED = { epoch: EPOCH, session: 's', seq: 12 };

    it('as long as the copy is in use and not torn', async () => {
      const note = open();
      note.write({ state: 'dirty' });
      expect(await note.noteCheckpoint(STORED)).toBe(true);
      for (const of of [note, open()]) {
        expect(of.read()).toEqual({ state: 'dirty' });
        expect(of.checkpoint).toEqual(STORED);
      }
      // Another stream begins with the same copy: what it had stored of the former one is still so.
      note.write({ state: 'dirty' });
      expect(open().checkpoint).toEqual(STORED);
      note.write({ state: 'dirty', partial: true });
      expect(await note.noteCheckpoint(STORED)).toBe(false);
      note.write({ state: 'dirty' });
      for (const of of [note, open()]) expect(of.checkpoint).toBeUndefined();
      note.write(CLEAN);
      expect(await note.noteCheckpoint(STORED)).toBe(false);
      await note.settle();
    });

    it('not once that is void', async () => {
      const note = open();
      note.write({ state: 'dirty' });
      await note.noteCheckpoint(STORED);
      note.voidCheckpoint();
      for (const of of [note, open()]) expect(of.checkpoint).toBeUndefined();
      const noted = note.noteCheckpoint(STORED);
      note.voidCheckpoint();
      expect(await noted).toBe(false);
      for (const of of [note, open()]) expect(of.checkpoint).toBeUndefined();
    });

    it('not when something else was to be noted meanwhile', async () => {
      const note = open();
      note.write({ state: 'dirty' });
      const noted = note.noteCheckpoint(STORED);
      note.write({ state: 'dirty', partial: true });
      expect(await noted).toBe(false);
      expect(open().read()).toEqual({ state: 'dirty', partial: true });
      expect(existsSync(`${file()}.checkpoint`)).toBe(false);
    });

    it('not when it was damaged', async () => {
      const note = open();
      note.write({ state: 'dirty' });
      await note.noteCheckpoint(STORED);
      const text = readFileSync(file(), 'utf8');
      for (const [from, to] of [
        ['"seq":12', '"seq":-1'],
        ['"session":"s"', '"session":5'],
        ['"stored":{', '"stored":7,"other":{'],
      ] as const) {
        writeFileSync(file(), text.replace(from, to));
        expect(open().read()).toEqual({ state: 'dirty' });
        expect(open().checkpoint, to).toBeUndefined();
      }
    });

    it('and goes on without when it cannot be written', async () => {
      const note = open();
      note.write({ state: 'dirty' });
      mkdirSync(`${file()}.checkpoint/busy`, { recursive: true });
      expect(await note.noteCheckpoint(STORED)).toBe(false);
      expect(open().read()).toEqual({ state: 'dirty' });
    });
  });

  it('says that it cannot be written, and counts as dirty from then on', async () => {
    const note = await noteClean();
    rmSync(join(directory, 'state'), { recursive: true });
    writeFileSync(join(directory, 'state'), 'a file where the directory was');
    expect(() => note.write({ state: 'dirty' })).toThrow(/Cannot write/);
    expect(note.read()).toEqual({ state: 'dirty' });
  });
});
