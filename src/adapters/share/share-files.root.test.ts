/** A share on a disk of this machine, where a write is carried out when the test says so. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { nextLife } from '../../core/share-witness/life.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { EMPTY_SHEET, type Sheet } from '../../protocol/share-sheet.ts';
import { ShareFiles } from './share-files.ts';
import { makeSeat, nodeFile } from './share-seat.ts';

const N1 = 'n1' as NodeId;
const folder = mkdtempSync(join(tmpdir(), 'tako-share-files-'));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const share = { path: folder, cluster: 'c', key: Buffer.alloc(32, 7) };
const sheet = (renewals: number): Sheet => ({ ...EMPTY_SHEET, renewals });

/** A process of the node, after so many restarts of its machine, at which every lock is lost. */
async function life(boot: number): Promise<ShareFiles> {
  return ShareFiles.open({
    ...{ ...share, me: N1, anyFileSystem: true, nextLife },
    lockPrefix: join(folder, `boot-${boot}`),
    notePath: join(folder, 'state', 'share-life.json'),
    waits: (why) => expect.unreachable(why),
    decode: (read) => read as Sheet,
  });
}

test('a write that is carried out after the machine was restarted undoes nothing', async () => {
  makeSeat(share, [N1], { replace: false });
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
