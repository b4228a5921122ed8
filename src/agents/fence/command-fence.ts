/**
 * The fence of one node: a program that turns it off and says whether it is. It is supervised like a
 * hook, so that nothing of it is left: not after its end, not after its time limit, and not after
 * control was killed while it ran.
 *
 * Invariants: an answer comes in bounded time, whatever the program does; one run at a time, in the
 * order in which they were asked for; `off` is answered only when `off` succeeded and `status`, asked
 * after it, said so.
 */
import { type CancelSignal } from '../../base/cancel-signal.ts';
import { Canceller } from '../../base/canceller.ts';
import { TakoError, messageOf } from '../../base/tako-error.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Program, ProgramSpec } from '../../ports/program-runner.ts';
import type { Timer } from '../../ports/timer.ts';
import type { FenceConfig } from '../../protocol/config.ts';
import {
  type FenceAction,
  type FenceAnswer,
  fenceInput,
  parseFenceOptions,
  stateOfStatus,
} from '../../protocol/fence.ts';
import { clearProgram } from '../process/clear-program.ts';

export interface CommandFenceParts {
  readonly program: Program;
  readonly timer: Timer;
  readonly clock: Clock;
  /** Of a file that only its owner may read. Rejects with a TakoError. */
  readonly readOptions: (path: string) => Promise<string>;
}

/** A device may take a while to know that it is off; it is asked again after that. */
const ASK_AGAIN_MS = 500;
/** Of what a program wrote, so much is told. */
const OUTPUT_CHARACTERS_MAX = 300;
const EXIT_CODE = /^exit code (\d+)$/u;

type Run =
  | { readonly code: number; readonly said: string }
  | { readonly code: undefined; readonly why: string };

export class CommandFence {
  readonly #config: FenceConfig;
  readonly #parts: CommandFenceParts;
  readonly #canceller = new Canceller();
  /** The end of what is under way. */
  #tail: Promise<unknown> = Promise.resolve();

  constructor(config: FenceConfig, parts: CommandFenceParts) {
    this.#config = config;
    this.#parts = parts;
  }

  /** Never rejects. */
  turnOff(): Promise<FenceAnswer> {
    return this.#next(() => this.#turnOff());
  }

  /** Never rejects. */
  status(): Promise<FenceAnswer> {
    return this.#next(async () => this.#status(this.#config.timeoutMs));
  }

  /** Ends what is under way, or was left by an earlier control. */
  async end(): Promise<void> {
    this.#canceller.cancel();
    await this.#tail;
    await clearProgram(this.#parts.program);
  }

  #next(work: () => Promise<FenceAnswer>): Promise<FenceAnswer> {
    const answer = this.#tail.then(work);
    this.#tail = answer;
    return answer;
  }

  async #turnOff(): Promise<FenceAnswer> {
    const { clock } = this.#parts;
    const endsAt = clock.now() + this.#config.timeoutMs;
    const off = await this.#run('off', this.#config.timeoutMs);
    if (off.code !== 0) return { state: 'unknown', detail: `turning it off: ${wordsOf(off)}` };
    for (;;) {
      const found = await this.#status(Math.max(endsAt - clock.now(), 0));
      const leftMs = endsAt - clock.now();
      if (found.state !== 'on' || leftMs <= ASK_AGAIN_MS) return found;
      await this.#pause();
    }
  }

  async #status(withinMs: number): Promise<FenceAnswer> {
    const status = await this.#run('status', withinMs);
    if (status.code === undefined) {
      return { state: 'unknown', detail: `asking whether it is off: ${status.why}` };
    }
    const state = stateOfStatus(status.code);
    if (state === 'unknown') {
      return { state, detail: `asking whether it is off: ${wordsOf(status)}` };
    }
    return { state, detail: `the fence was asked and says "${state}"` };
  }

  async #run(action: FenceAction, withinMs: number): Promise<Run> {
    const cancel = this.#canceller.signal;
    if (cancel.aborted) return { code: undefined, why: 'Tako is being stopped here' };
    try {
      return await this.#attempt(action, withinMs, cancel);
    } catch (error) {
      if (!(error instanceof TakoError)) throw error;
      return { code: undefined, why: `it could not be run: ${messageOf(error)}` };
    }
  }

  async #attempt(action: FenceAction, withinMs: number, cancel: CancelSignal): Promise<Run> {
    const { program } = this.#parts;
    const before = await clearProgram(program);
    if (before !== undefined) return { code: undefined, why: `an earlier run ${before}` };
    await program.launch(await this.#spec(action));
    const ended = await program.ended(withinMs, cancel);
    const state = program.state();
    const output = program.lastOutput().replaceAll(/\s+/gu, ' ').trim();
    const said = output.slice(-OUTPUT_CHARACTERS_MAX);
    const left = await clearProgram(program);
    if (!ended || state.type !== 'ended') {
      const seconds = (withinMs / 1000).toFixed(1);
      return { code: undefined, why: `it did not end within ${seconds} s and is killed` };
    }
    if (left !== undefined) return { code: undefined, why: `what it left ${left}` };
    const code = EXIT_CODE.exec(state.how)?.[1];
    if (code === undefined) return { code: undefined, why: `${state.how}: ${said}` };
    return { code: Number(code), said };
  }

  async #spec(action: FenceAction): Promise<ProgramSpec> {
    const { command, options, optionsFile } = this.#config;
    const ofFile = optionsFile === undefined ? [] : await this.#optionsOf(optionsFile);
    return {
      command,
      user: undefined,
      directory: '/',
      environment: {},
      input: fenceInput([...Object.entries(options), ...ofFile], action),
    };
  }

  async #optionsOf(file: string): Promise<readonly (readonly [string, string])[]> {
    const options = parseFenceOptions(await this.#parts.readOptions(file));
    if (options !== undefined) return options;
    throw new TakoError(
      'fence-failed',
      `"${file}" has a line that is no option, such as ip=10.0.0.1`,
    );
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#parts.timer.after(ASK_AGAIN_MS, () => resolve());
    });
  }
}

function wordsOf(run: Run): string {
  if (run.code === undefined) return run.why;
  const said = run.said === '' ? 'and said nothing' : `and said: ${run.said}`;
  return `it ended with exit code ${run.code} ${said}`;
}
