/**
 * Replaces a small file as a whole: written beside itself, synced, renamed, and the directory synced, so
 * that a reader, a crash or a power cut at any step meets the old one or the new one. One writer at a
 * time per path. Once for a process that may block, once for one that must not.
 */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

const MODE = 0o600;

/** On stable storage when it returns. Throws the system's error. */
export function replaceFileSync(path: string, text: string): void {
  const temporary = `${path}.new`;
  rmSync(temporary, { force: true });
  writeFileSync(temporary, text, { flag: 'wx', mode: MODE, flush: true });
  renameSync(temporary, path);
  syncDirectorySync(dirname(path));
}

/** What was renamed in it is on stable storage when it returns. */
export function syncDirectorySync(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** On stable storage when it resolves. Rejects with the system's error. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`;
  await writeNewFile(temporary, text);
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}

/** In place of whatever was there; its content is on stable storage when it resolves. */
export async function writeNewFile(path: string, text: string): Promise<void> {
  await rm(path, { force: true });
  const file = await open(path, 'wx', MODE);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** What was renamed in it is on stable storage when it resolves. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
