/**
 * The files of recordings, `STATEDIR/decisions/RUN-SEGMENT.vFORMAT.ndjson`: a run is one life of
 * control, cut into segments; each segment begins with the head of its run. Closed segments end in
 * `.gz`. Only files of this release's format are counted, and later removed; others stay untouched.
 */
import { createReadStream, createWriteStream, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { TakoError, messageOf } from '../base/tako-error.ts';
import type { RecordingText } from '../ports/recording.ts';
import { FORMATS } from '../protocol/versions.ts';
import { errnoCode } from './errno-code.ts';
import { newerFormat } from './newer-format.ts';

export interface DecisionFile {
  readonly name: string;
  readonly run: number;
  readonly segment: number;
  readonly format: number;
}

/** A line holds one event and its effects, the head the configuration of a large cluster. */
const LINE_CHARACTERS_MAX = 64 * 1024 * 1024;
const NAME = /^(\d{6})-(\d{4})\.v(\d+)\.ndjson(?:\.gz)?$/u;

export function decisionFileName(run: number, segment: number): string {
  const numbers = `${String(run).padStart(6, '0')}-${String(segment).padStart(4, '0')}`;
  return `${numbers}.v${FORMATS.decisions}.ndjson`;
}

/** Oldest first; of a segment that is just being compressed both files. */
export function listDecisionFiles(folder: string): readonly DecisionFile[] {
  return namesIn(folder)
    .toSorted()
    .flatMap((name) => {
      const [, run, segment, format] = NAME.exec(name) ?? [];
      if (run === undefined) return [];
      return [{ name, run: Number(run), segment: Number(segment), format: Number(format) }];
    });
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (cause) {
    if (errnoCode(cause) === 'ENOENT') return [];
    throw new TakoError('not-root', `Cannot read "${folder}": ${messageOf(cause)}`, {
      cause,
      next: 'Recordings are readable by root only',
    });
  }
}

/** All recordings in a folder, the newest first. */
export function readRecordings(folder: string): readonly RecordingText[] {
  const files = listDecisionFiles(folder);
  const newer = files.find(({ format }) => format > FORMATS.decisions);
  const known = files.filter(({ format }) => format <= FORMATS.decisions);
  if (known.length === 0 && newer !== undefined) {
    throw newerFormat(join(folder, newer.name), { found: newer.format, known: FORMATS.decisions });
  }
  const runs = [...new Set(known.map(({ run }) => run))].toReversed();
  return runs.map((run) => ({
    name: join(folder, decisionFileName(run, 1).slice(0, 6)),
    lines: { [Symbol.asyncIterator]: () => linesOfRun(folder, run) },
  }));
}

/** One file, as `--save` writes it, compressed or not. */
export function readRecordingFile(file: string): RecordingText {
  return { name: file, lines: { [Symbol.asyncIterator]: () => linesOfFile(file) } };
}

/** Compressed where the name ends in `.gz`. Whoever owns the command may read it, nobody else. */
export async function saveRecording({ lines }: RecordingText, file: string): Promise<void> {
  const source = Readable.from(withEnds(lines));
  try {
    const target = createWriteStream(file, { mode: 0o600, flags: 'wx' });
    if (file.endsWith('.gz')) await pipeline(source, createGzip(), target);
    else await pipeline(source, target);
  } catch (cause) {
    if (cause instanceof TakoError) throw cause;
    throw new TakoError('store-failed', `Cannot write "${file}": ${messageOf(cause)}`, {
      cause,
      next: 'Give the name of a new file, where there is room',
    });
  }
}

async function* withEnds(lines: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const line of lines) yield `${line}\n`;
}

async function* linesOfRun(folder: string, run: number): AsyncGenerator<string> {
  const segments = listDecisionFiles(folder).filter((file) => file.run === run);
  let first = true;
  for (const [index, { name, segment }] of segments.entries()) {
    // The plain file is whole for as long as it is there.
    if (name.endsWith('.gz') && segments[index - 1]?.segment === segment) continue;
    let skip = !first;
    first = false;
    for await (const line of linesOfSegment(join(folder, name))) {
      if (!skip) yield line;
      skip = false;
    }
  }
}

/** A segment may be compressed between listing and reading. */
async function* linesOfSegment(path: string): AsyncGenerator<string> {
  try {
    yield* linesOfFile(path);
  } catch (error) {
    const gone = error instanceof TakoError && errnoCode(error.cause) === 'ENOENT';
    if (!gone || path.endsWith('.gz')) throw error;
    yield* linesOfFile(`${path}.gz`);
  }
}

function bytesOf(path: string): AsyncIterable<Buffer> {
  const source = createReadStream(path);
  if (!path.endsWith('.gz')) return source;
  const gunzip = createGunzip();
  source.on('error', (error) => gunzip.destroy(error));
  return source.pipe(gunzip);
}

async function* linesOfFile(path: string): AsyncGenerator<string> {
  let rest = '';
  try {
    const chunks = bytesOf(path);
    const decoder = new TextDecoder();
    for await (const chunk of chunks) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = parts.pop() ?? '';
      if (rest.length > LINE_CHARACTERS_MAX) throw new Error('a line has no end');
      yield* parts;
    }
  } catch (cause) {
    throw new TakoError('bad-request', `Cannot read "${path}": ${messageOf(cause)}`, {
      cause,
      next: 'Give a file that "tako why GROUP --replay --save FILE" wrote',
    });
  }
}
