/**
 * Unix stream sockets that only one user may open, at a path where an older one may lie. Bound under a
 * temporary name and moved into place once mode and owner are right, so that a client meets the old
 * one or the new one with its final mode.
 */
import { chmod, chown, lstat, rename, rm } from 'node:fs/promises';
import type { Server } from 'node:net';

/** Of sun_path's 108 bytes, without its end and the ending of the temporary name. */
export const SOCKET_PATH_BYTES_MAX = 103;

export interface SocketOwner {
  readonly uid: number;
  readonly gid: number;
}

/** Its inode number, for {@link removeSocket}. On failure the server is closed and it rejects. */
export async function listenPrivately(
  server: Server,
  path: string,
  owner?: SocketOwner,
): Promise<number> {
  const temporary = `${path}.new`;
  try {
    if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) {
      const limit = `the path is longer than ${SOCKET_PATH_BYTES_MAX} bytes`;
      throw new Error(`${limit}; choose a shorter run directory`);
    }
    await rm(temporary, { force: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(temporary, () => {
        server.off('error', reject);
        resolve();
      });
    });
    await chmod(temporary, 0o600);
    if (owner !== undefined) await chown(temporary, owner.uid, owner.gid);
    await rename(temporary, path);
    return (await lstat(path)).ino;
  } catch (error) {
    server.close();
    throw error;
  }
}

/** Unless a successor has put its own there already. */
export async function removeSocket(path: string, inode: number): Promise<void> {
  const there = await lstat(path).catch(() => undefined);
  if (there?.ino === inode) await rm(path, { force: true });
}
