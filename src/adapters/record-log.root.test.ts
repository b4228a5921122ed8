/** Needs root: a file system that is full, made for the test. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { createLog } from './log.ts';
import { openRecordLog } from './record-log.ts';

const run = promisify(execFile);
const log = createLog({ name: 'test', level: 'silent' });

it('says so when the disk is full, and has what it acknowledged', async () => {
  const mountPoint = await mkdtemp(join(tmpdir(), 'tako-full-'));
  await run('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tako-test', mountPoint]);
  const path = join(mountPoint, 'acceptor.log');
  const open = () => openRecordLog<number>({ path, log, decode: Number });
  try {
    const store = await open();
    await store.put('a', 1);
    await writeFile(join(mountPoint, 'filler'), Buffer.alloc(64 * 1024)).catch(() => undefined);
    let done = 1;
    await expect(async () => {
      for (;;) {
        await store.put('a', done + 1);
        done += 1;
      }
    }).rejects.toThrow('ENOSPC');
    await store.close();
    await rm(join(mountPoint, 'filler'));
    const again = await open();
    expect(again.entries().get('a')).toBeGreaterThanOrEqual(done);
    await again.close();
  } finally {
    await run('umount', [mountPoint]);
    await rm(mountPoint, { recursive: true });
  }
});
