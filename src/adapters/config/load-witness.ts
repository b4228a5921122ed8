/**
 * Reads the directory of a witness: one `NAME.yaml` per cluster, the very file that the cluster's
 * nodes have, and beside it `NAME.key` where the key is not at the place that the file names. Each
 * file is judged by itself, so that a fault in one is no fault of the others.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, TakoError } from '../../base/tako-error.ts';
import { formatProblem } from '../../protocol/config-problem.ts';
import { NAME_PATTERN, NAME_RESERVED, NAME_WANTED } from '../../protocol/config-words.ts';
import {
  WITNESS_CLUSTERS_MAX,
  type WitnessCluster,
  type WitnessFault,
  type WitnessReading,
} from '../../protocol/witness.ts';
import { checkConfig, readConfigText } from './load-config.ts';
import { readYaml } from './yaml-source.ts';

const ENDING = '.yaml';

/** Throws `config-unreadable` for the directory as a whole; whatever is in it becomes a fault. */
export function readWitnessDirectory(directory: string): WitnessReading {
  const names = clusterNames(directory);
  const clusters: WitnessCluster[] = [];
  const faults: WitnessFault[] = [];
  for (const name of names) {
    const read = readCluster(directory, name);
    if ('text' in read) faults.push(read);
    else clusters.push(read);
  }
  return { clusters, faults };
}

function clusterNames(directory: string): readonly string[] {
  let files: readonly string[];
  try {
    files = readdirSync(directory);
  } catch (cause) {
    throw unusable(directory, messageOf(cause), cause);
  }
  const names = files
    .filter((file) => file.endsWith(ENDING) && !file.startsWith('.'))
    .map((file) => file.slice(0, -ENDING.length))
    .sort();
  if (names.length === 0) throw unusable(directory, 'it has no file that ends in .yaml');
  if (names.length > WITNESS_CLUSTERS_MAX) {
    throw unusable(directory, `it has ${names.length} clusters, at most ${WITNESS_CLUSTERS_MAX}`);
  }
  return names;
}

function readCluster(directory: string, name: string): WitnessCluster | WitnessFault {
  const file = join(directory, `${name}${ENDING}`);
  if (!NAME_PATTERN.test(name) || name === NAME_RESERVED) {
    return fault(name, `${file}: its name is not ${NAME_WANTED}`, 'Rename the file');
  }
  let text: string;
  try {
    text = readConfigText(file);
  } catch (error) {
    if (!(error instanceof TakoError)) throw error;
    return fault(name, error.message, error.next ?? 'Correct the file');
  }
  const { config, errors } = checkConfig(file, text);
  if (config === undefined) return { name, text: errors.map(formatProblem).join('\n') };
  const place = (path: readonly string[]): string => {
    const { line, column } = readYaml(text).placeOf(path, true);
    return `${file}:${line}:${column}`;
  };
  const { witness } = config;
  if (witness === undefined) {
    return fault(
      name,
      `${place(['nodes'])}: found a cluster without a witness, expected one with "witness"`,
      'Name this machine as the witness, in the files of the nodes as well',
    );
  }
  if (witness.share !== undefined) {
    return fault(
      name,
      `${place(['witness', witness.id])}: found a share as the witness, expected this machine`,
      'Leave this cluster out: its nodes vote on the share by themselves',
    );
  }
  const own = join(directory, `${name}.key`);
  return {
    name,
    file,
    keyFile: existsSync(own) ? own : config.keyFile,
    self: witness.id,
    config: { ...config, groups: [] },
    addressesAt: place(['witness', witness.id]),
  };
}

function fault(name: string, text: string, next: string): WitnessFault {
  return { name, text: `${text}\n  Next: ${next}` };
}

function unusable(directory: string, why: string, cause?: unknown): TakoError {
  return new TakoError('config-unreadable', `Cannot use the directory "${directory}": ${why}`, {
    next: `Put the configuration of each cluster there as NAME${ENDING}, its key as NAME.key`,
    cause,
  });
}
