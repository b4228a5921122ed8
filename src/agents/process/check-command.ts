/**
 * The `check-command` of a process: a short program whose exit code 0 says that all is well. It is
 * supervised like the process itself, so that nothing of it is left behind, whatever it forked and
 * whoever was killed meanwhile.
 *
 * Invariant: one run at a time; the next begins when nothing of the one before is left.
 */
import type { CancelSignal } from '../../base/cancel-signal.ts';
import { Canceller } from '../../base/canceller.ts';
import { TakoError } from '../../base/tako-error.ts';
import type { MonitorResult } from '../../ports/agent.ts';
import type { Program, ProgramSpec } from '../../ports/program-runner.ts';
import { clearProgram } from './clear-program.ts';

/** Whoever asks has a shorter limit and cancels; this one is for those who do not. */
const RUN_MS_MAX = 3_600_000;
const WELL = 'exit code 0';
/** Ended otherwise it was killed by something, which says nothing about what it looked at. */
const SAID_NO = /^exit code \d+$/u;

export class CheckCommand {
  readonly #program: Program;
  readonly #spec: ProgramSpec;
  #canceller = new Canceller();
  /** The end of what is under way. */
  #tail: Promise<unknown> = Promise.resolve();

  constructor(program: Program, spec: ProgramSpec) {
    this.#program = program;
    this.#spec = spec;
  }

  /** Cancelled: kills it, and ends in an `unknown`. */
  async run(cancel: CancelSignal): Promise<MonitorResult> {
    const canceller = new Canceller();
    const stop = (): void => canceller.cancel();
    this.#canceller = canceller;
    cancel.addEventListener('abort', stop);
    if (cancel.aborted) stop();
    const result = this.#tail.then(() => this.#run(canceller.signal));
    this.#tail = result.catch(() => undefined);
    try {
      return await result;
    } finally {
      cancel.removeEventListener('abort', stop);
    }
  }

  /** Ends the run that is under way, or was left by an earlier control; what is left, if any. */
  end(): Promise<string | undefined> {
    this.#canceller.cancel();
    const ended = this.#tail.then(() => clearProgram(this.#program));
    this.#tail = ended.catch(() => undefined);
    return ended;
  }

  async #run(cancel: CancelSignal): Promise<MonitorResult> {
    try {
      return await this.#attempt(cancel);
    } catch (error) {
      if (!(error instanceof TakoError)) throw error;
      return { state: 'unknown', detail: `${this.#name()} could not be run: ${error.message}` };
    }
  }

  async #attempt(cancel: CancelSignal): Promise<MonitorResult> {
    const program = this.#program;
    const before = await clearProgram(program);
    if (before !== undefined) return { state: 'unknown', detail: `an earlier check ${before}` };
    if (cancel.aborted) return { state: 'unknown', detail: 'called off' };
    await program.launch(this.#spec);
    const ended = await program.ended(RUN_MS_MAX, cancel);
    const state = program.state();
    const output = program.lastOutput();
    const left = await clearProgram(program);
    if (left !== undefined) return { state: 'unknown', detail: `${this.#name()} ${left}` };
    if (!ended || state.type !== 'ended') {
      return { state: 'unknown', detail: `${this.#name()} did not end in time` };
    }
    const wrote = output === '' ? '' : `; it wrote: ${output}`;
    if (state.how === WELL) return { state: 'online', detail: `${this.#name()} says all is well` };
    const detail = `${this.#name()} ended: ${state.how}${wrote}`;
    return { state: SAID_NO.test(state.how) ? 'failed' : 'unknown', detail };
  }

  #name(): string {
    return this.#spec.command[0] ?? '';
  }
}
