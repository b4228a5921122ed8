/** `tako witness prepare`: makes the directory of a cluster on the share that is its witness. */
import { TakoError } from '../../base/tako-error.ts';
import { loadConfig } from '../config/load-config.ts';
import { readClusterKey } from '../tls-psk.ts';
import { checkFileSystem } from './file-system.ts';
import { clusterDirectory, makeSeat } from './share-seat.ts';

/** What was done, in words. */
export async function prepareShare(
  file: string,
  how: { readonly replace: boolean },
): Promise<string> {
  const { config } = loadConfig(file);
  const share = config.witness?.share;
  if (share === undefined) {
    throw new TakoError('config-invalid', `Cannot prepare a share: "${file}" names none`, {
      next: 'Write, for example, witness: { w1: { share: /mnt/witness } }',
    });
  }
  await checkFileSystem(share);
  const key = readClusterKey(config.keyFile);
  const name = { path: share.path, cluster: config.cluster, key };
  const nodes = config.nodes.map(({ id }) => id);
  const seat = makeSeat(name, nodes, how);
  return `Made ${clusterDirectory(name)} for ${nodes.join(', ')}; its seat is ${seat}`;
}
