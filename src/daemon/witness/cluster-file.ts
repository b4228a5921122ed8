/**
 * `STATE_DIR/NAME/cluster.json`: which cluster the votes beside it belong to, and the settings that
 * it was last served with. Nothing in here blocks the process: the storage may be slow or hang.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, TakoError } from '../../base/tako-error.ts';
import { errnoCode } from '../../adapters/errno-code.ts';
import { replaceFile } from '../../adapters/replace-file.ts';
import type { Timing } from '../../protocol/config.ts';
import type { WitnessCluster } from '../../protocol/witness.ts';

/** Makes the directory and gives what it was last used for; undefined for a new one. */
export async function openClusterDirectory(
  directory: string,
  cluster: WitnessCluster,
): Promise<WitnessCluster | undefined> {
  await mkdir(directory, { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
    throw new TakoError('system-call', `Cannot make "${directory}": ${messageOf(cause)}`, {
      cause,
    });
  });
  const former = await readFormerCluster(directory);
  if (former === undefined) return undefined;
  const [was, is] = [former, cluster].map(({ config, self }) => `${self} of ${config.cluster}`);
  if (was === is) return former;
  throw new TakoError(
    'config-invalid',
    `Cannot use "${directory}": the votes in it are those of ${was}, and the file is about ${is}`,
    { next: 'Give the file another name, so that it gets a directory of its own' },
  );
}

/** What the directory was last used for. Rejects for a file that is not ours or is damaged. */
export async function readFormerCluster(directory: string): Promise<WitnessCluster | undefined> {
  const path = pathIn(directory);
  try {
    const cluster: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (isCluster(cluster)) return cluster;
    throw new Error('it is not what a witness wrote there');
  } catch (cause) {
    if (errnoCode(cause) === 'ENOENT') return undefined;
    throw new TakoError('store-failed', `Cannot use "${path}": ${messageOf(cause)}`, {
      next: 'Look for the cause (disk, file system); remove the file only if the votes beside it are whole',
      cause,
    });
  }
}

/** On stable storage when it resolves; a reader meets the old one or the new one. */
export async function saveCluster(directory: string, cluster: WitnessCluster): Promise<void> {
  const path = pathIn(directory);
  try {
    await replaceFile(path, `${JSON.stringify(cluster, undefined, 1)}\n`);
  } catch (cause) {
    throw new TakoError('system-call', `Cannot write "${path}": ${messageOf(cause)}`, {
      next: 'Check that the file system is mounted, writable and not full',
      cause,
    });
  }
}

/**
 * How long to wait before the first beat, beyond the quiet time that every start keeps: what was
 * promised under longer leases than today's binds for as long as those.
 */
export function formerTermMs(former: WitnessCluster | undefined, now: WitnessCluster): number {
  if (former === undefined) return 0;
  return Math.max(0, termMs(former.config.timing) - termMs(now.config.timing));
}

function termMs({ leaseMs, clockDrift }: Timing): number {
  return leaseMs * (1 + clockDrift);
}

function pathIn(directory: string): string {
  return join(directory, 'cluster.json');
}

/** Enough to tell our own file from another; the reader judged it when it was written. */
function isCluster(value: unknown): value is WitnessCluster {
  if (!isObject(value)) return false;
  const { config } = value;
  const words = ['name', 'file', 'keyFile', 'self', 'addressesAt'];
  if (!words.every((word) => typeof value[word] === 'string') || !isObject(config)) return false;
  return typeof config['cluster'] === 'string' && isObject(config['timing']);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
