/**
 * Runs a program to its end and keeps what it prints, or lets it print as it comes. Nothing here
 * goes through a shell.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';

/** More output than this is cut at the front: the end of a failure says most. */
const OUTPUT_CHARS_MAX = 400_000;

export interface CommandOptions {
  /** `keep`: collect the output; `show`: print it as it comes (nothing is kept). */
  readonly output: 'keep' | 'show';
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  readonly directory?: string | undefined;
  /** Asked to end (SIGTERM) after this time, and killed some seconds later. */
  readonly timeoutMs?: number | undefined;
}

export interface CommandResult {
  /** As a shell counts: 128 + n after signal n, 127 when the program could not be started. */
  readonly code: number;
  readonly output: string;
  readonly milliseconds: number;
  readonly timedOut: boolean;
}

const KILL_AFTER_MS = 5000;
const running = new Set<ChildProcess>();

/** Sends a signal to every program that is running now, for when the person has had enough. */
export function interruptCommands(signal: NodeJS.Signals): void {
  for (const child of running) child.kill(signal);
}

export function runCommand(
  command: readonly [string, ...string[]],
  options: CommandOptions,
): Promise<CommandResult> {
  const [program, ...args] = command;
  const startedAt = performance.now();
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: options.directory,
      env: { ...process.env, ...options.environment },
      stdio: options.output === 'show' ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    });
    running.add(child);
    let output = '';
    let timedOut = false;
    const timers: NodeJS.Timeout[] = [];
    const keep = (chunk: string): void => {
      output = (output + chunk).slice(-OUTPUT_CHARS_MAX);
    };
    child.stdout?.setEncoding('utf8').on('data', keep);
    child.stderr?.setEncoding('utf8').on('data', keep);
    if (options.timeoutMs !== undefined) {
      const soft = setTimeout(() => {
        timedOut = true;
        child.kill('SIGTERM');
        timers.push(setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS));
      }, options.timeoutMs);
      timers.push(soft);
    }
    const end = (code: number): void => {
      running.delete(child);
      for (const timer of timers) clearTimeout(timer);
      resolve({ code, output, milliseconds: performance.now() - startedAt, timedOut });
    };
    child.on('error', (error) => {
      keep(`Cannot start ${program}: ${error.message}\n`);
      end(127);
    });
    child.on('close', (code, signal) => {
      end(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}
