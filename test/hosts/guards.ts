/**
 * Keeps the promise that a test run leaves nothing behind: labs are removed when the run ends by
 * itself, by an uncaught error, by SIGINT, SIGTERM or SIGHUP, and, through `reaper.ts`, when it is
 * killed outright.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { removeLab } from './remains.ts';

const alive = new Set<string>();
let installed = false;

const SIGNALS = ['SIGHUP', 'SIGINT', 'SIGTERM'] as const;

/** From now on the lab does not outlive this process. Returns how to end that care. */
export function guardLab(folder: string): () => void {
  install();
  alive.add(folder);
  const reaper = startReaper(folder);
  return () => {
    alive.delete(folder);
    reaper.stdin?.end();
  };
}

function startReaper(folder: string): ChildProcess {
  const program = fileURLToPath(new URL('./reaper.ts', import.meta.url));
  const reaper = spawn(process.execPath, [program, folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  reaper.stdin?.on('error', () => {
    // It ended before us; the sweep at the next start does its work then.
  });
  // Neither the reaper nor the pipe to it may keep the test run from ending.
  reaper.unref();
  (reaper.stdin as Socket).unref();
  return reaper;
}

function install(): void {
  if (installed) return;
  installed = true;
  process.on('exit', removeAll);
  for (const signal of SIGNALS) process.on(signal, onSignal);
}

/** A program with a better idea of how to end (a screen to restore) has a handler of its own. */
function onSignal(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return;
  removeAll();
  process.off(signal, onSignal);
  process.kill(process.pid, signal);
}

function removeAll(): void {
  for (const folder of alive) {
    alive.delete(folder);
    removeLab(folder);
  }
}
