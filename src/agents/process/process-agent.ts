/**
 * The agent `process`: a program that Tako starts, watches and stops. It stays in the foreground;
 * its end is its failure. It goes on while control is killed and restarted, for control finds it
 * again.
 *
 * Start: ready when it accepts connections on `readyPort`, or, without one, when it has lived for
 * {@link SETTLE_MS}, and when `checkCommand` says so. Light check: it lives and accepts. Deep check:
 * `checkCommand` too. Stop: first the polite way, then by force, and `ok` only when nothing of it is
 * left, whatever it forked. Abandon: by force at once.
 */
import type { CancelSignal } from '../../base/cancel-signal.ts';
import { Canceller } from '../../base/canceller.ts';
import { TakoError } from '../../base/tako-error.ts';
import type { ActionOutcome, Agent, MonitorResult, StopMode } from '../../ports/agent.ts';
import type { PortAnswer, Program, ProgramRunner } from '../../ports/program-runner.ts';
import type { MonitorDepth, ProcessConfig } from '../../protocol/config.ts';
import type { Epoch, GroupId } from '../../protocol/ids.ts';
import { CheckCommand } from './check-command.ts';
import { clearProgram } from './clear-program.ts';

/** A program without a port counts as started when it has lived this long. */
const SETTLE_MS = 100;
const POLL_MS = 10;
/** What outlives the main process gets this long to end by itself after a SIGTERM. */
const REST_MS = 300;
/**
 * Killing begins this much before `stopTimeoutMs` is over, or at this share of it, so that the
 * whole stop, proof included, ends in time.
 */
const KILL_RESERVE_MS = 500;
const KILL_RESERVE_SHARE = 0.2;
/** Between two runs of the check command while the program gets ready. */
const CHECK_PAUSE_MS = 250;
/** A port that neither accepts nor refuses takes this long to say so. */
const SILENCE_MS = 1000;

export interface ProcessAgentDeps {
  readonly runner: ProgramRunner;
}

export function createProcessAgent(
  group: GroupId,
  config: ProcessConfig,
  deps: ProcessAgentDeps,
): Agent {
  return new ProcessAgent(config, deps.runner, `${group}.${config.id}`);
}

class ProcessAgent implements Agent {
  readonly #config: ProcessConfig;
  readonly #runner: ProgramRunner;
  readonly #program: Program;
  readonly #check: CheckCommand | undefined;
  #stopAsked = false;
  #starting: Promise<ActionOutcome> | undefined;
  #stopping: Promise<ActionOutcome> | undefined;
  /** Ends the polite part of the stop that is under way. */
  #hurry = new Canceller();

  constructor(config: ProcessConfig, runner: ProgramRunner, name: string) {
    this.#config = config;
    this.#runner = runner;
    this.#program = runner.program(name);
    if (config.checkCommand !== undefined) {
      const spec = { ...config, command: config.checkCommand };
      this.#check = new CheckCommand(runner.program(`${name}.check`), spec);
    }
  }

  async start(_epoch: Epoch, cancel: CancelSignal): Promise<ActionOutcome> {
    if (this.#starting !== undefined) return await this.#starting;
    // A stop that was given up waiting for may still be killing.
    await this.#stopping;
    this.#stopAsked = false;
    this.#starting = orUnknown(() => this.#start(cancel));
    try {
      return await this.#starting;
    } finally {
      this.#starting = undefined;
    }
  }

  async stop(cancel: CancelSignal, mode: StopMode): Promise<ActionOutcome> {
    this.#stopAsked = true;
    const hurry = (): void => this.#hurry.cancel();
    cancel.addEventListener('abort', hurry);
    try {
      this.#stopping ??= this.#stopOnce();
      if (mode === 'abandon' || cancel.aborted) hurry();
      return await this.#stopping;
    } finally {
      cancel.removeEventListener('abort', hurry);
    }
  }

  async #stopOnce(): Promise<ActionOutcome> {
    this.#hurry = new Canceller();
    const { signal } = this.#hurry;
    try {
      return await orUnknown(async () => {
        // Also what a start waits for that is under way.
        await this.#check?.end();
        await this.#starting;
        const [outcome, left] = await Promise.all([this.#stop(signal), this.#check?.end()]);
        if (left === undefined) return outcome;
        return { outcome: 'failed', detail: `${outcome.detail}; its check ${left}` };
      });
    } finally {
      this.#stopping = undefined;
    }
  }

  async monitor(cancel: CancelSignal, depth: MonitorDepth): Promise<MonitorResult> {
    try {
      const seen = await this.#monitor(cancel);
      if (depth === 'light' || this.#check === undefined || seen.state !== 'online') return seen;
      return await this.#check.run(cancel);
    } catch (error) {
      if (error instanceof TakoError) return { state: 'unknown', detail: error.message };
      throw error;
    }
  }

  onChange(listener: (result: MonitorResult) => void): void {
    this.#program.onEnd((how) => {
      // Start and stop tell of an end themselves.
      const busy = this.#starting !== undefined || this.#stopping !== undefined;
      if (!busy) listener({ state: 'failed', detail: this.#endText(how) });
    });
  }

  prepare(): void {
    this.#program.prepare(this.#config);
  }

  async #start(cancel: CancelSignal): Promise<ActionOutcome> {
    const before = this.#program.state();
    if (before.type === 'running') return await this.#ready(cancel);
    if (before.type === 'ended') {
      const cleared = await this.#clear();
      if (cleared !== undefined) return cleared;
    }
    const { readyPort, command } = this.#config;
    if (readyPort !== undefined && (await this.#runner.probePort(readyPort)) === 'accepts') {
      // It would take the other program's answer for readiness.
      const detail = `port ${readyPort} is in use by a program that is not this one`;
      return { outcome: 'failed', detail };
    }
    if (this.#stopAsked || cancel.aborted) return { outcome: 'failed', detail: 'not started' };
    try {
      await this.#program.launch(this.#config);
    } catch (error) {
      if (!(error instanceof TakoError)) throw error;
      const launched = this.#program.state().type !== 'absent';
      return { outcome: launched ? 'unknown' : 'failed', detail: withNext(error) };
    }
    const outcome = await this.#ready(cancel);
    return outcome.outcome === 'ok'
      ? outcome
      : { ...outcome, detail: `${command[0]}: ${outcome.detail}` };
  }

  /** Waits until the running program serves. */
  async #ready(cancel: CancelSignal): Promise<ActionOutcome> {
    const { readyPort } = this.#config;
    for (;;) {
      const state = this.#program.state();
      if (state.type !== 'running') return this.#endedTooSoon();
      if (readyPort === undefined) {
        if (this.#program.executes()) break;
      } else if ((await this.#runner.probePort(readyPort)) === 'accepts') {
        // Somebody accepts: it counts only if the program still lives.
        const alive = this.#program.state().type === 'running';
        if (alive) return await this.#well(`accepts connections on port ${readyPort}`, cancel);
      }
      if (await this.#program.ended(POLL_MS, cancel)) return this.#endedTooSoon();
      if (this.#stopAsked) return { outcome: 'unknown', detail: 'stopped while it was starting' };
      if (cancel.aborted) return { outcome: 'unknown', detail: this.#notReadyText() };
    }
    if (await this.#program.ended(SETTLE_MS, cancel)) return this.#endedTooSoon();
    if (cancel.aborted) return { outcome: 'unknown', detail: this.#notReadyText() };
    return await this.#well(`runs, pid ${pidOf(this.#program)}`, cancel);
  }

  /** It looks ready; waits until the check command, if there is one, says so as well. */
  async #well(looks: string, cancel: CancelSignal): Promise<ActionOutcome> {
    const check = this.#check;
    if (check === undefined) return { outcome: 'ok', detail: looks };
    for (;;) {
      if (this.#stopAsked) return { outcome: 'unknown', detail: 'stopped while it was starting' };
      const { state, detail } = await check.run(cancel);
      if (this.#program.state().type !== 'running') return this.#endedTooSoon();
      if (state === 'online') return { outcome: 'ok', detail: `${looks}; ${detail}` };
      if (cancel.aborted) return { outcome: 'unknown', detail: `${looks}, but ${detail}` };
      if (await this.#program.ended(CHECK_PAUSE_MS, cancel)) return this.#endedTooSoon();
    }
  }

  #endedTooSoon(): ActionOutcome {
    const state = this.#program.state();
    const how = state.type === 'ended' ? state.how : 'it is not there';
    const hint = how === 'exit code 0' ? '; it must stay in the foreground' : '';
    return { outcome: 'failed', detail: `${this.#endText(how)}${hint}` };
  }

  #notReadyText(): string {
    const { readyPort } = this.#config;
    const what = readyPort === undefined ? 'not known to run' : `port ${readyPort} does not accept`;
    return `${what} yet${this.#outputText()}`;
  }

  async #stop(hurry: CancelSignal): Promise<ActionOutcome> {
    const program = this.#program;
    const state = program.state();
    if (state.type === 'absent') return { outcome: 'ok', detail: 'was not running' };
    if (state.type === 'ended') return (await this.#clear()) ?? STOPPED;
    const { stopSignal, stopTimeoutMs } = this.#config;
    if (hurry.aborted) return (await this.#clear()) ?? { outcome: 'ok', detail: 'killed at once' };
    await this.#thawIfFrozen();
    program.signalMain(stopSignal);
    let how = 'ended by itself';
    const politeMs = stopTimeoutMs - Math.min(KILL_RESERVE_MS, stopTimeoutMs * KILL_RESERVE_SHARE);
    if (!(await program.ended(politeMs, hurry))) how = `killed, ${stopSignal} did not end it`;
    else if (!(await program.empty(0, hurry))) {
      program.signalAll('SIGTERM');
      if (!(await program.empty(REST_MS, hurry))) how = 'ended, and the rest of it was killed';
    }
    return (await this.#clear()) ?? { outcome: 'ok', detail: how };
  }

  /** A frozen program cannot hear the polite signal; where there is no freezing, none is frozen. */
  async #thawIfFrozen(): Promise<void> {
    try {
      await this.#program.thaw();
    } catch (error) {
      if (!(error instanceof TakoError)) throw error;
    }
  }

  /** Kills what is left. Returns what went wrong, or undefined when nothing is left. */
  async #clear(): Promise<ActionOutcome | undefined> {
    const left = await clearProgram(this.#program);
    return left === undefined ? undefined : { outcome: 'failed', detail: left };
  }

  async #monitor(cancel: CancelSignal): Promise<MonitorResult> {
    const state = this.#program.state();
    if (state.type === 'absent') return { state: 'stopped', detail: 'not running' };
    if (state.type === 'ended') return { state: 'failed', detail: this.#endText(state.how) };
    const { readyPort } = this.#config;
    if (readyPort === undefined) return { state: 'online', detail: `runs, pid ${state.pid}` };
    switch (await this.#askPort(readyPort, cancel)) {
      case 'accepts':
        return { state: 'online', detail: `accepts connections on port ${readyPort}` };
      case 'refused':
        return { state: 'failed', detail: `port ${readyPort} refuses connections` };
      case 'silent':
        return { state: 'unknown', detail: `port ${readyPort} does not answer` };
    }
  }

  /** Silence may pass: it is asked again as long as there is time. */
  async #askPort(port: number, cancel: CancelSignal): Promise<PortAnswer> {
    let answer = await this.#runner.probePort(port);
    const times = Math.ceil(this.#config.monitorTimeoutMs / SILENCE_MS);
    for (let time = 1; time < times && answer === 'silent' && !cancel.aborted; time += 1) {
      answer = await this.#runner.probePort(port);
    }
    return answer;
  }

  #endText(how: string): string {
    return `ended: ${how}${this.#outputText()}`;
  }

  #outputText(): string {
    const output = this.#program.lastOutput();
    return output === '' ? '' : `; it wrote: ${output}`;
  }
}

const STOPPED: ActionOutcome = { outcome: 'ok', detail: 'had ended, nothing is left' };

/** An action that could not look or act does not know how things are. */
async function orUnknown(action: () => Promise<ActionOutcome>): Promise<ActionOutcome> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof TakoError) return { outcome: 'unknown', detail: withNext(error) };
    throw error;
  }
}

function withNext(error: TakoError): string {
  return error.next === undefined ? error.message : `${error.message}. ${error.next}`;
}

function pidOf(program: Program): string {
  const state = program.state();
  return state.type === 'running' ? String(state.pid) : 'unknown';
}
