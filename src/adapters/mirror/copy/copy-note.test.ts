import {
  mkdirSync,
  mkdtempSync,
  openSync,
  closeSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LinuxFileSystem } from '../../system/file-system.ts';
import type { Epoch, MirrorId } from '../../../protocol/ids.ts';
import { FileCopyNote, parseNote } from './copy-note.ts';

const MIRROR = 'db.data' as MirrorId;
const EPOCH = 7 as Epoch;

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

  function open(): FileCopyNote {
    const store = { fs: new LinuxFileSystem(), root };
    return new FileCopyNote({ file: file(), mirror: MIRROR, store });
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

  it('keeps what is written, also for the next process', () => {
    const note = open();
    for (const state of [
      { state: 'dirty', partial: true },
      { state: 'dirty' },
      { state: 'clean', epoch: EPOCH, seq: 12_345 },
    ] as const) {
      note.write(state);
      expect(note.read()).toEqual(state);
      expect(open().read()).toEqual(state);
    }
    const text: unknown = JSON.parse(readFileSync(file(), 'utf8'));
    expect(text).toEqual({
      version: 1,
      mirror: MIRROR,
      state: 'clean',
      epoch: 7,
      sequence: 12_345,
    });
  });

  it('takes a note that it does not understand for a dirty copy, never for a clean one', () => {
    open().write({ state: 'clean', epoch: EPOCH, seq: 1 });
    const good = readFileSync(file(), 'utf8');
    const bad = [
      '',
      '{',
      'null',
      '[]',
      good.replace('"version":1', '"version":2'),
      good.replace(MIRROR, 'other.data'),
      good.replace('"epoch":7', '"epoch":-7'),
      good.replace('"sequence":1', '"sequence":"1"'),
      good.replace('clean', 'spotless'),
      good.slice(0, -4),
    ];
    for (const text of bad) {
      writeFileSync(file(), text);
      expect(open().read(), text).toEqual({ state: 'dirty' });
      expect(parseNote(text, MIRROR)).toBeUndefined();
    }
  });

  it('survives a crash at each step of a write with the old or the new state', () => {
    open().write({ state: 'dirty' });
    const next = '{"version":1,"mirror":"db.data","state":"clean","epoch":7,"sequence":9}\n';
    // Before the rename there is another file beside it, with a part of the new text.
    for (let length = 0; length <= next.length; length += 1) {
      writeFileSync(`${file()}.new`, next.slice(0, length));
      expect(open().read()).toEqual({ state: 'dirty' });
    }
    // After a crash the next write is not disturbed by what was left.
    const note = open();
    note.write({ state: 'clean', epoch: EPOCH, seq: 9 });
    expect(open().read()).toEqual({ state: 'clean', epoch: EPOCH, seq: 9 });
  });

  it('says that it cannot be written, and counts as dirty from then on', () => {
    const note = open();
    note.write({ state: 'clean', epoch: EPOCH, seq: 9 });
    rmSync(join(directory, 'state'), { recursive: true });
    writeFileSync(join(directory, 'state'), 'a file where the directory was');
    expect(() => note.write({ state: 'dirty' })).toThrow(/Cannot write/);
    expect(note.read()).toEqual({ state: 'dirty' });
  });
});
