/**
 * Reads and judges the files of a witness in a process of its own, which takes the YAML parser and
 * its memory with it: `node src/daemon/witness-reader.ts CLUSTERS_DIR`. The result goes to standard
 * output as JSON; faults go to standard error as well, for people, from where they may reach a
 * slow journal without holding up the witness.
 */
import { readWitnessDirectory } from '../adapters/config/load-witness.ts';
import { TakoError } from '../base/tako-error.ts';

const [, , directory = ''] = process.argv;
try {
  const reading = readWitnessDirectory(directory);
  for (const { text } of reading.faults) process.stderr.write(`tako witness: ${text}\n`);
  process.stdout.write(JSON.stringify({ reading }));
} catch (error) {
  if (!(error instanceof TakoError)) throw error;
  const { message, next } = error;
  process.stderr.write(`tako witness: ${message}\n`);
  process.stdout.write(JSON.stringify({ unusable: { message, next } }));
}
