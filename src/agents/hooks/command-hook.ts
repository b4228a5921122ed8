/**
 * A hook that is a program. It is supervised like the process of a resource, so that nothing of it
 * is left: not after its end, not after its time limit, and not after control was killed while it
 * ran (the next run, or the next control, ends it first).
 *
 * Invariants: an answer comes within the time limit, whatever the program does; one run at a time,
 * and a later call ends the one before it.
 */
import type { CancelSignal } from '../../base/cancel-signal.ts';
import { Canceller } from '../../base/canceller.ts';
import { TakoError } from '../../base/tako-error.ts';
import type { Program, ProgramSpec } from '../../ports/program-runner.ts';
import type { Timer } from '../../ports/timer.ts';
import {
  ANSWER_BYTES_MAX,
  type HookAnswer,
  type HookCall,
  answerOfProgram,
  hookEnvironment,
  noAnswer,
} from '../../protocol/hook.ts';
import { clearProgram } from '../process/clear-program.ts';

/** Whoever calls has a shorter limit; this one is for those who do not. */
const RUN_MS_MAX = 3_600_000;
const EXIT_CODE = /^exit code (\d+)$/u;

export class CommandHook {
  readonly #program: Program;
  readonly #timer: Timer;
  #canceller = new Canceller();
  /** The end of what is under way. */
  #tail: Promise<unknown> = Promise.resolve();

  constructor(program: Program, timer: Timer) {
    this.#program = program;
    this.#timer = timer;
  }

  /** Never rejects. */
  run(what: Pick<ProgramSpec, 'command' | 'user'>, call: HookCall): Promise<HookAnswer> {
    this.#canceller.cancel();
    const canceller = new Canceller();
    this.#canceller = canceller;
    const spec: ProgramSpec = {
      ...what,
      directory: '/',
      environment: hookEnvironment(call),
      input: `${JSON.stringify(call)}\n`,
    };
    const work = this.#tail.then(() => this.#run(spec, call, canceller.signal));
    this.#tail = work;
    return new Promise((resolve) => {
      const clear = this.#timer.after(call.timeoutMs, () => {
        const output = this.#program.outputEnd(ANSWER_BYTES_MAX);
        canceller.cancel();
        resolve(noAnswer(`it did not end within ${call.timeoutMs} ms and is killed`, output));
      });
      void work.then((answer) => {
        clear();
        resolve(answer);
      });
    });
  }

  /** The end of what is under way by itself. */
  async ended(): Promise<void> {
    await this.#tail;
  }

  /** Ends what is under way, or was left by an earlier control. */
  async end(): Promise<void> {
    this.#canceller.cancel();
    this.#tail = this.#tail.then(() => clearProgram(this.#program));
    await this.#tail;
  }

  async #run(spec: ProgramSpec, call: HookCall, cancel: CancelSignal): Promise<HookAnswer> {
    try {
      return await this.#attempt(spec, call, cancel);
    } catch (error) {
      if (!(error instanceof TakoError)) throw error;
      return noAnswer(`it could not be run: ${error.message}`);
    }
  }

  async #attempt(spec: ProgramSpec, call: HookCall, cancel: CancelSignal): Promise<HookAnswer> {
    const program = this.#program;
    const before = await clearProgram(program);
    if (before !== undefined) return noAnswer(`an earlier run ${before}`);
    if (cancel.aborted) return noAnswer('a later call took its place');
    await program.launch(spec);
    const ended = await program.ended(RUN_MS_MAX, cancel);
    const state = program.state();
    const output = program.outputEnd(ANSWER_BYTES_MAX);
    const left = await clearProgram(program);
    if (left !== undefined) return noAnswer(`what it left ${left}`, output);
    if (!ended || state.type !== 'ended') return noAnswer('a later call took its place', output);
    const code = EXIT_CODE.exec(state.how)?.[1];
    if (code === undefined) return noAnswer(state.how, output);
    return answerOfProgram(call, Number(code), output);
  }
}
