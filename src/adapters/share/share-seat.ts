/**
 * The directory of a cluster on a share, `tako-CLUSTER`: a file `seat` that names the seat and all
 * nodes, and one file per node. An administrator makes it, once: what a node finds where nothing is
 * mounted is no share, and must not become one by itself.
 */
import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { mkdirSync, openSync, closeSync, fsyncSync, renameSync, rmSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, TakoError } from '../../base/tako-error.ts';
import type { NodeId, SeatId } from '../../protocol/ids.ts';
import { errnoCode } from '../errno-code.ts';
import { emptyFile, slotKeys } from './node-file.ts';
import { shareKey } from './slot-codec.ts';

export interface Seat {
  readonly seat: SeatId;
  readonly nodes: readonly NodeId[];
}

export interface ShareName {
  readonly path: string;
  readonly cluster: string;
  readonly key: Uint8Array;
}

export function clusterDirectory({ path, cluster }: Pick<ShareName, 'path' | 'cluster'>): string {
  return join(path, `tako-${cluster}`);
}

export function nodeFile(share: Pick<ShareName, 'path' | 'cluster'>, node: NodeId): string {
  return join(clusterDirectory(share), `node-${node}`);
}

export async function readSeat(share: ShareName): Promise<Seat> {
  const file = join(clusterDirectory(share), 'seat');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const missing = errnoCode(cause) === 'ENOENT';
    const found = missing ? 'it is not there' : messageOf(cause);
    throw new TakoError('share-unusable', `Cannot vote on the share: no "${file}": ${found}`, {
      cause,
      next: missing
        ? `Mount the share at "${share.path}"; if it is mounted, run "tako witness prepare" once`
        : 'Check the share and its server',
    });
  }
  const seat = decodeSeat(text, share);
  if (seat !== undefined) return seat;
  throw new TakoError(
    'share-unusable',
    `Cannot vote on the share: "${file}" was not made with the key of this cluster`,
    { next: 'Use the same key file on every node, or run "tako witness prepare --replace"' },
  );
}

/** All or nothing: a directory beside it is filled, and renamed. The seat. */
export function makeSeat(
  share: ShareName,
  nodes: readonly NodeId[],
  how: { readonly replace: boolean },
): SeatId {
  const seat = randomUUID() as SeatId;
  const directory = clusterDirectory(share);
  const fresh = `${directory}.new-${seat}`;
  try {
    mkdirSync(fresh, { mode: 0o700 });
    for (const node of nodes) {
      const keys = slotKeys({ ...share, seat, node });
      writeFile(join(fresh, `node-${node}`), emptyFile(keys));
    }
    writeFile(join(fresh, 'seat'), encodeSeat({ seat, nodes }, share));
    if (how.replace) setAside(directory, `${directory}.old-${seat}`);
    // Fails when one is there, for it is not empty.
    renameSync(fresh, directory);
  } catch (cause) {
    rmSync(fresh, { recursive: true, force: true });
    throw new TakoError('share-unusable', `Cannot make "${directory}": ${messageOf(cause)}`, {
      cause,
      next: ['ENOTEMPTY', 'EEXIST'].includes(errnoCode(cause) ?? '')
        ? 'It is there already, and good for all nodes. To begin anew, add --replace'
        : 'Check that the share is mounted there and that root may write to it',
    });
  }
  return seat;
}

function setAside(directory: string, old: string): void {
  try {
    renameSync(directory, old);
  } catch (error) {
    if (errnoCode(error) !== 'ENOENT') throw error;
  }
}

function writeFile(path: string, bytes: Uint8Array): void {
  const fd = openSync(path, 'wx', 0o600);
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function encodeSeat({ seat, nodes }: Seat, share: ShareName): Buffer {
  const body = JSON.stringify({ seat, nodes });
  return Buffer.from(`${macOf(body, share)} ${body}\n`);
}

function decodeSeat(text: string, share: ShareName): Seat | undefined {
  const [mac, body] = [text.slice(0, 64), text.slice(65).trimEnd()];
  const wanted = macOf(body, share);
  if (mac.length !== wanted.length) return undefined;
  if (!timingSafeEqual(Buffer.from(mac), Buffer.from(wanted))) return undefined;
  // Whoever has the key wrote it so.
  return JSON.parse(body) as Seat;
}

function macOf(body: string, { key, cluster }: ShareName): string {
  const macKey = shareKey({ key, cluster, seat: '' as SeatId, node: '' }, 'seat');
  return createHmac('sha256', macKey).update(body).digest('hex');
}
