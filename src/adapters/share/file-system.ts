/** Whether a directory is on a share, as far as its file system tells. */
import { statfs } from 'node:fs/promises';
import { TakoError, messageOf } from '../../base/tako-error.ts';
import type { ShareConfig } from '../../protocol/config.ts';

/** Of statfs(2): NFS, SMB and CIFS, FUSE, Ceph, 9P, GFS2, OCFS2. */
const SHARED = [
  0x6969, 0xfe534d42, 0xff534d42, 0x65735546, 0x00c36400, 0x01021997, 0x01161970, 0x7461636f,
];

/** Throws `share-unusable` for a directory of this machine alone. */
export async function checkFileSystem({ path, anyFileSystem }: ShareConfig): Promise<void> {
  if (anyFileSystem || SHARED.includes(await typeOf(path))) return;
  throw new TakoError(
    'share-unusable',
    `Cannot vote on the share at "${path}": it is a directory of this machine, not a share; as a ` +
      'witness it would be lost together with this node',
    { next: 'Mount the share there, or say "any-file-system: true" if it is shared all the same' },
  );
}

async function typeOf(path: string): Promise<number> {
  try {
    return Number((await statfs(path)).type);
  } catch (cause) {
    throw new TakoError('share-unusable', `Cannot use the share "${path}": ${messageOf(cause)}`, {
      cause,
      next: 'Mount the share there, on every node',
    });
  }
}
