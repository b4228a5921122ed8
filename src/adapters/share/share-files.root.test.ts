/** A share on a disk of this machine, where a write is carried out when the test says so. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { nextLife } from '../../core/share-witness/life.ts';
import type { NodeId } from '../../protocol/ids.ts';
import type { LifeChoice, NextLife } from '../../protocol/share-life.ts';
import { EMPTY_SHEET, type Sheet } from '../../protocol/share-sheet.ts';
import { ShareFiles, type ShareFilesOptions } from './share-files.ts';
import { makeSeat, nodeFile } from './share-seat.ts';

const N1 = 'n1' as NodeId;
const folder = mkdtempSync(join(tmpdir(), 'tako-share-files-'));
const NOTE = join(folder, 'state', 'share-life.json');
const share = { path: folder, cluster: 'c', key: Buffer.alloc(32, 7) };

beforeEach(() => {
  makeSeat(share, [N1], { replace: true });
  rmSync(NOTE, { force: true });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const sheet = (renewals: number): Sheet => ({ ...EMPTY_SHEET, renewals });

/** A process of the node, after so many restarts of its machine, at which every lock is lost. */
async function life(boot: number, over: Partial<ShareFilesOptions> = {}): Promise<ShareFiles> {
  return ShareFiles.open({
    ...{ ...share, me: N1, anyFileSystem: true, nextLife },
    lockPrefix: join(folder, `boot-${boot}`),
    notePath: NOTE,
    waits: (why) => expect.unreachable(why),
    decode: (read) => read as Sheet,
    ...over,
  });
}

/** Of the time that it waits little is left. */
function soon(choice: LifeChoice): NextLife | undefined {
  const next = nextLife(choice);
  return next === undefined ? undefined : { ...next, waitMs: Math.min(next.waitMs, 20) };
}

test('a write that is carried out after the machine was restarted undoes nothing', async () => {
  const file = nodeFile(share, N1);
  const before = readFileSync(file);
  await (await life(1)).write(sheet(1));
  const late = readFileSync(file);
  writeFileSync(file, before);

  const second = await life(2);
  expect(second.former().renewals).toBe(EMPTY_SHEET.renewals);
  for (const renewals of [2, 3, 4]) await second.write(sheet(renewals));
  const now = readFileSync(file);
  for (let at = 0; at < now.length; at += 1) {
    const written = late[at] ?? 0;
    if (written !== before[at]) now[at] = written;
  }
  writeFileSync(file, now);

  expect((await second.readAll()).get(N1)?.renewals).toBe(4);
  expect((await life(3)).former().renewals).toBe(4);
});

test('where the note is lost, what may come late is waited for, and makes it begin again', async () => {
  const file = nodeFile(share, N1);
  await (await life(1)).write(sheet(1));
  const before = readFileSync(file);
  await (await life(2)).write(sheet(2));
  const late = readFileSync(file);
  writeFileSync(file, before);
  rmSync(NOTE);

  const waits = (): void => writeFileSync(file, late);
  await expect(life(3, { nextLife: soon, waits })).rejects.toThrow('an earlier write came late');

  const told: string[] = [];
  const fourth = await life(4, { nextLife: soon, waits: (why) => told.push(why) });
  expect(told).toEqual([expect.stringContaining('may still come')]);
  expect(fourth.former().renewals).toBe(2);
  await fourth.write(sheet(3));
  expect((await fourth.readAll()).get(N1)?.renewals).toBe(3);
});
