/**
 * Which state a record log is in, judged from its two files. Pure.
 *
 * A commit is acknowledged only when it is on stable storage in both files, and the next one is
 * not begun before. So whatever a crash leaves, the files differ by the last frame at most; and a
 * last frame that is bad (or missing) in both was never acknowledged. From that:
 *
 *   1. The file with the highest generation, and of these the most good frames, counts.
 *   2. It ends whole: that is the state, however the other one looks.
 *   3. It ends in a bad frame: cut off if the other file bears witness that the frame was never
 *      acknowledged: same generation, same good frames, then nothing or a torn frame.
 *   4. Anything else was no crash. It is not guessed.
 */
import { FORMATS } from '../protocol/versions.ts';
import type { ScannedFile } from './record-log-format.ts';

export type Verdict =
  | { readonly type: 'new' }
  | { readonly type: 'use'; readonly file: ScannedFile; readonly warnings: readonly string[] }
  /** By a release that this one does not understand: to be left as it is. */
  | { readonly type: 'newer'; readonly version: number }
  | { readonly type: 'refuse'; readonly reason: string };

/** `undefined` for a file that does not exist. */
export function judgeFiles(files: readonly (ScannedFile | undefined)[]): Verdict {
  const present = files.filter((file) => file !== undefined);
  const version = Math.max(0, ...present.map((file) => file.version));
  if (version > FORMATS.recordLog) return { type: 'newer', version };
  const best = present.toSorted(bestFirst)[0];
  if (best === undefined) return { type: 'new' };
  const others = present.filter((file) => file !== best);
  if (others.some(({ id }) => id !== '' && best.id !== '' && id !== best.id)) {
    return { type: 'refuse', reason: 'its two files are not of the same store' };
  }
  if (best.end === 'whole') return { type: 'use', file: best, warnings: complaints(best, files) };
  const witness = others.find(
    (file) =>
      file.generation === best.generation &&
      file.commits.length === best.commits.length &&
      file.end !== 'damaged',
  );
  if (best.generation > 0 && witness !== undefined) {
    const warning = `cut off a change that was never acknowledged: ${best.why}`;
    return { type: 'use', file: best, warnings: [warning] };
  }
  const reason = present.map((file) => `${file.why} (at byte ${file.goodBytes})`).join('; ');
  return { type: 'refuse', reason };
}

function bestFirst(a: ScannedFile, b: ScannedFile): number {
  if (a.generation !== b.generation) return b.generation - a.generation;
  if (a.commits.length !== b.commits.length) return b.commits.length - a.commits.length;
  return Number(b.end === 'whole') - Number(a.end === 'whole');
}

function complaints(
  best: ScannedFile,
  files: readonly (ScannedFile | undefined)[],
): readonly string[] {
  const warnings: string[] = [];
  for (const file of files) {
    if (file === best) continue;
    if (file === undefined) warnings.push('one of the two files was missing');
    else if (file.end !== 'whole') warnings.push(`one of the two files was bad: ${file.why}`);
    else if (file.generation !== best.generation) warnings.push('one of the two files was old');
    else if (file.commits.length < best.commits.length) {
      warnings.push('one of the two files lacked the last change');
    }
  }
  return warnings;
}
