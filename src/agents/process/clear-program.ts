/** Kills what is left of a program, and waits until nothing is. */
import type { CancelSignal } from '../../base/cancel-signal.ts';
import type { Program } from '../../ports/program-runner.ts';

/** After SIGKILL; what is there longer hangs in the kernel. */
const KILL_MS = 5000;
/** A process that appears while others are killed is met by the next round. */
const ROUNDS = 10;

/** Half a kill is worth nothing, and its time is bounded: it is not to be cancelled. */
const NEVER_CANCELLED: CancelSignal = {
  aborted: false,
  addEventListener: () => undefined,
  removeEventListener: () => undefined,
};

/** Undefined when nothing of it is left; else what could not be killed, for a person. */
export async function clearProgram(program: Program): Promise<string | undefined> {
  if (!(await program.empty(0, NEVER_CANCELLED))) {
    program.killAll();
    if (!(await isGone(program))) return `cannot be killed: ${program.describeLeft()}`;
  }
  program.forget();
  return undefined;
}

async function isGone(program: Program): Promise<boolean> {
  for (let round = 0; round < ROUNDS; round += 1) {
    if (await program.empty(KILL_MS / ROUNDS, NEVER_CANCELLED)) return true;
    program.killAll();
  }
  return false;
}
