/** A tree that looks like sources: the same files in each run, of sizes that sources have. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Prng } from '../../src/base/prng.ts';

const FOLDERS = 150;
const FILES = 3000;
const BYTES_MAX = 16_384;

/** Writes it into `folder` as a tar archive; the path of that. */
export function sourceArchive(folder: string): string {
  const prng = new Prng(1);
  const tree = join(folder, 'tree');
  for (let at = 0; at < FOLDERS; at += 1) mkdirSync(join(tree, `d${at}`), { recursive: true });
  for (let at = 0; at < FILES; at += 1) {
    const path = join(tree, `d${prng.below(FOLDERS)}`, `file-${at}.c`);
    writeFileSync(path, Buffer.alloc(1 + prng.below(BYTES_MAX), at));
  }
  const archive = join(folder, 'tree.tar');
  execFileSync('tar', ['--create', `--file=${archive}`, `--directory=${tree}`, '.']);
  rmSync(tree, { recursive: true });
  return archive;
}
