/**
 * Keeps the heart's children running: starts each in a session of its own, so that it outlives a
 * death of the heart; adopts those that a former heart started (pid files); restarts what ends, at
 * once the first time, then with growing pauses.
 *
 *     waiting --(pause over)--> running --(ended)--> waiting        stopping: no restart any more
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../base/tako-error.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { openLog, trimLog } from './child-log.ts';
import {
  identify,
  isRunning,
  type ProcessIdentity,
  readPidFile,
  removePidFile,
  signal,
  writePidFile,
} from './process-id.ts';

/** How often adopted processes are looked at; those started here report their end themselves. */
const WATCH_MS = 100;
const LOG_CHECK_MS = 5000;
/** Pauses before the first, second, ... restart in a row. */
const RESTART_PAUSES_MS: readonly number[] = [0, 200, 500, 1000, 2000];
/** A child that ran this long starts with the first pause again. */
const STABLE_MS = 10_000;
const KILL_WAIT_MS = 2000;

export interface ChildSpec {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  /** How long it may take to end by itself after SIGTERM. */
  readonly stopMs: number;
}

interface Child {
  readonly spec: ChildSpec;
  readonly pidFile: string;
  readonly logFile: string;
  running: ProcessIdentity | undefined;
  handle: ChildProcess | undefined;
  startedAt: number;
  failures: number;
  restart: NodeJS.Timeout | undefined;
  stopping: boolean;
  readonly ended: (() => void)[];
}

export interface SupervisorOptions {
  readonly runDir: string;
  readonly log: Log;
  readonly clock: Clock;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #children = new Map<string, Child>();
  readonly #timers: NodeJS.Timeout[];

  constructor(options: SupervisorOptions) {
    this.#options = options;
    mkdirSync(join(options.runDir, 'log'), { recursive: true, mode: 0o700 });
    this.#timers = [
      setInterval(() => this.#watch(), WATCH_MS),
      setInterval(() => this.#trimLogs(), LOG_CHECK_MS),
    ];
  }

  /** Adopts or starts it, and keeps it running. */
  add(spec: ChildSpec): void {
    const { runDir, log } = this.#options;
    const child: Child = {
      spec,
      pidFile: join(runDir, `${spec.name}.pid`),
      logFile: join(runDir, 'log', `${spec.name}.log`),
      running: undefined,
      handle: undefined,
      startedAt: this.#options.clock.now(),
      failures: 0,
      restart: undefined,
      stopping: false,
      ended: [],
    };
    this.#children.set(spec.name, child);
    child.running = readPidFile(child.pidFile);
    if (child.running === undefined) return this.#start(child);
    log.info('child adopted', { child: spec.name, pid: child.running.pid });
  }

  /** Ends it for good: SIGTERM, then SIGKILL when its time is over. */
  async stop(name: string): Promise<void> {
    const child = this.#children.get(name);
    if (child === undefined) return;
    child.stopping = true;
    clearTimeout(child.restart);
    await this.#end(child, 'SIGTERM', child.spec.stopMs);
    if (child.running !== undefined && isRunning(child.running)) {
      const { stopMs } = child.spec;
      this.#options.log.error('child did not end in time, killing it', { child: name, stopMs });
      await this.#end(child, 'SIGKILL', KILL_WAIT_MS);
    }
    removePidFile(child.pidFile);
    this.#children.delete(name);
  }

  /** Watches no longer; what runs goes on. */
  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    for (const child of this.#children.values()) {
      child.stopping = true;
      clearTimeout(child.restart);
    }
    this.#children.clear();
  }

  /** Whatever fails here (no memory, no space for a log) must not be the end of the heart. */
  #start(child: Child): void {
    try {
      this.#spawn(child);
    } catch (error) {
      this.#ended(child, child.handle, `cannot be started: ${messageOf(error)}`);
    }
  }

  #spawn(child: Child): void {
    const { spec } = child;
    child.startedAt = this.#options.clock.now();
    trimLog(child.logFile);
    const output = openLog(child.logFile);
    try {
      const [program, ...args] = spec.command;
      const handle = spawn(program, args, { detached: true, stdio: ['ignore', output, output] });
      handle.unref();
      child.handle = handle;
      handle.once('error', (error) => this.#ended(child, handle, messageOf(error)));
      handle.once('exit', (code, name) =>
        this.#ended(child, handle, name === null ? `exit code ${code}` : `signal ${name}`),
      );
      child.running = handle.pid === undefined ? undefined : identify(handle.pid);
      if (child.running !== undefined) this.#note(child, child.running, handle);
    } finally {
      closeSync(output);
    }
  }

  /** A child that the next heart could not find would run twice: without a pid file it ends. */
  #note(child: Child, running: ProcessIdentity, handle: ChildProcess): void {
    const { log } = this.#options;
    try {
      writePidFile(child.pidFile, running);
      log.info('child started', { child: child.spec.name, pid: running.pid });
    } catch (error) {
      log.error('pid file not written', { path: child.pidFile, error: messageOf(error) });
      handle.kill('SIGKILL');
    }
  }

  #ended(child: Child, handle: ChildProcess | undefined, how: string): void {
    if (child.handle !== handle) return;
    const { log, clock } = this.#options;
    const pid = child.running?.pid;
    child.handle = undefined;
    child.running = undefined;
    for (const done of child.ended.splice(0)) done();
    if (child.stopping) return log.info('child ended', { child: child.spec.name, pid, how });
    if (clock.now() - child.startedAt > STABLE_MS) child.failures = 0;
    const pause = RESTART_PAUSES_MS[Math.min(child.failures, RESTART_PAUSES_MS.length - 1)] ?? 0;
    child.failures += 1;
    log.warn('child ended by itself, starting it again', {
      child: child.spec.name,
      pid,
      how,
      pauseMs: pause,
    });
    child.restart = setTimeout(() => this.#start(child), pause);
  }

  /** Adopted children are no children of this process: nobody tells when they end. */
  #watch(): void {
    for (const child of this.#children.values()) {
      if (child.handle !== undefined || child.running === undefined) continue;
      if (!isRunning(child.running)) this.#ended(child, undefined, 'unknown, it was adopted');
    }
  }

  #trimLogs(): void {
    for (const { logFile } of this.#children.values()) {
      try {
        trimLog(logFile);
      } catch (error) {
        this.#options.log.warn('log not trimmed', { logFile, error: messageOf(error) });
      }
    }
  }

  async #end(child: Child, name: NodeJS.Signals, limitMs: number): Promise<void> {
    if (child.running === undefined || !signal(child.running, name)) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      child.ended.push(resolve);
      timer = setTimeout(resolve, limitMs);
    });
    clearTimeout(timer);
  }
}
