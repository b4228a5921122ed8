/**
 * `tako witness run`: prepares the directories and becomes the witness, in the same process, so that
 * nothing stays beside it. What watches over it (systemd) starts it again when it dies.
 */
import { extname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TakoError } from '../base/tako-error.ts';
import { preparePrivateDirectory } from './launcher/checks.ts';
import { WITNESS_FLAGS, witnessEnvironment } from './witness/engine-choices.ts';

export interface WitnessRequest {
  readonly clustersDir: string;
  readonly runDir: string;
  readonly stateDir: string;
}

/** Does not come back, unless it throws. */
export function becomeWitness(request: WitnessRequest): never {
  const runDir = resolve(request.runDir);
  const stateDir = resolve(request.stateDir);
  preparePrivateDirectory(runDir);
  preparePrivateDirectory(stateDir);
  const program = fileURLToPath(
    new URL(`./witness${extname(fileURLToPath(import.meta.url))}`, import.meta.url),
  );
  const args = [program, resolve(request.clustersDir), runDir, stateDir];
  process.execve?.(process.execPath, [process.execPath, ...WITNESS_FLAGS, ...args], {
    ...process.env,
    ...witnessEnvironment(runDir),
  });
  throw new TakoError('system-call', 'Cannot become the witness: the kernel refused execve', {
    next: 'Check that this machine runs Linux on x64 or arm64',
  });
}
