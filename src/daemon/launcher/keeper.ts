/**
 * Keeps one process running: starts it, restarts it at once when it dies, and slows down when it
 * dies again and again right after its start. A process that a former launcher left running (its
 * pid file says which) is adopted, not doubled: it may be holding leases and addresses.
 *
 *     idle ─start─► running ─died─► pausing ─► running ...     ─stop─► stopping ─ended─► over
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { signalProcess } from '../../adapters/process/pidfd.ts';
import { findAlive, type ProcessId, readProcess } from '../../adapters/process/proc.ts';
import { must } from '../../base/assert.ts';
import type { Say } from './say.ts';

/** One that lived shorter than this died of its start. */
const FAST_DEATH_MS = 3000;
/** So many of them in a row are still restarted at once. */
const FAST_DEATHS_MAX = 5;
const PAUSE_MS = 1000;
const PAUSE_MS_MAX = 30_000;
const ADOPTED_LOOK_MS = 100;

export interface KeeperOptions {
  /** What it is to people: `heart`. */
  readonly name: string;
  /** Program and arguments, asked for at each start. */
  readonly command: () => readonly string[];
  readonly pidFile: string;
  readonly say: Say;
}

export class Keeper {
  readonly #options: KeeperOptions;
  #child: ChildProcess | undefined;
  #process: ProcessId | undefined;
  #timer: NodeJS.Timeout | undefined;
  #startedAt = 0;
  #fastDeaths = 0;
  #restartAsked = false;
  #stopping = false;
  /** Resolves after {@link stop}, when the process is gone: whether it ended cleanly. */
  readonly over: Promise<boolean>;
  #resolveOver: (clean: boolean) => void = () => undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.over = new Promise((resolve) => {
      this.#resolveOver = resolve;
    });
  }

  start(): void {
    const left = readPidFile(this.#options.pidFile);
    const alive = left === undefined ? undefined : findAlive(left);
    if (alive === undefined) this.#spawn();
    else this.#adopt(alive);
  }

  /** Ends the process and starts it again. */
  restart(): void {
    this.#restartAsked = this.#process !== undefined;
    this.#signal('SIGTERM');
  }

  /** Asks the process to end, again when called again. */
  stop(): void {
    this.#stopping = true;
    if (this.#process === undefined) this.#end(true);
    else this.#signal('SIGTERM');
  }

  #spawn(): void {
    const { name, command, say, pidFile } = this.#options;
    const [program, ...words] = command();
    this.#startedAt = performance.now();
    // A session of its own: a signal to the terminal's foreground group is ours to pass on.
    const child = spawn(must(program, 'a command has a program'), words, {
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    this.#child = child;
    child.on('error', (error) => {
      if (child.pid === undefined) this.#died(`could not be started: ${error.message}`, false);
    });
    child.on('exit', (code, signal) => {
      if (signal !== null) this.#died(`was ended by ${signal}`, false);
      else this.#died(`ended with code ${code ?? 'unknown'}`, code === 0);
    });
    // Undefined when it could not be started, or is dead already; the handlers above follow.
    const info = child.pid === undefined ? undefined : readProcess(child.pid);
    if (info === undefined) return;
    this.#process = { pid: info.pid, startTime: info.startTime };
    writePidFile(pidFile, this.#process);
    say('info', `The ${name} runs (process ${info.pid}).`);
  }

  #adopt(id: ProcessId): void {
    const { name, say } = this.#options;
    this.#process = { pid: id.pid, startTime: id.startTime };
    this.#startedAt = performance.now();
    say('info', `The ${name} of a former start still runs (process ${id.pid}): keeping it.`);
    this.#timer = setInterval(() => {
      if (findAlive(id) !== undefined) return;
      clearInterval(this.#timer);
      this.#died('ended', true);
    }, ADOPTED_LOOK_MS);
  }

  #died(how: string, clean: boolean): void {
    const { name, say, pidFile } = this.#options;
    this.#child = undefined;
    this.#process = undefined;
    rmSync(pidFile, { force: true });
    if (this.#stopping) {
      if (!clean) say('error', `The ${name} ${how} while it was to stop.`);
      this.#end(clean);
      return;
    }
    const fast = performance.now() - this.#startedAt < FAST_DEATH_MS && !this.#restartAsked;
    this.#fastDeaths = fast ? this.#fastDeaths + 1 : 0;
    const pauseMs = pauseAfter(this.#fastDeaths);
    const when = pauseMs === 0 ? 'at once' : `in ${pauseMs / 1000} s`;
    const level = this.#restartAsked ? 'info' : 'error';
    say(level, `The ${name} ${how}: starting it again ${when}.`);
    this.#restartAsked = false;
    if (pauseMs === 0) this.#spawn();
    else this.#timer = setTimeout(() => this.#spawn(), pauseMs);
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#child !== undefined) this.#child.kill(signal);
    else if (this.#process !== undefined) signalProcess(this.#process, signal);
  }

  #end(clean: boolean): void {
    clearTimeout(this.#timer);
    this.#resolveOver(clean);
  }
}

/** How long to wait before the next start, after so many deaths right after a start in a row. */
export function pauseAfter(fastDeaths: number): number {
  const over = fastDeaths - FAST_DEATHS_MAX;
  return over <= 0 ? 0 : Math.min(PAUSE_MS_MAX, PAUSE_MS * 2 ** Math.min(over - 1, 10));
}

function readPidFile(path: string): ProcessId | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // There is none: nothing was left running.
    return undefined;
  }
  const [pid = Number.NaN, startTime = Number.NaN] = text.split(/\s+/u).map(Number);
  return Number.isSafeInteger(pid) && pid > 1 ? { pid, startTime } : undefined;
}

function writePidFile(path: string, { pid, startTime }: ProcessId): void {
  const temporary = `${path}.new`;
  writeFileSync(temporary, `${pid} ${startTime}\n`, { mode: 0o600 });
  renameSync(temporary, path);
}
