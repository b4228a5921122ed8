/**
 * The JavaScript engine of a heart: one thread only, and code that is compiled once per machine
 * start. Imports nothing of Tako, so that everything else can come from the cache.
 */
import { enableCompileCache, flushCompileCache } from 'node:module';
import { dirname, join } from 'node:path';
import process from 'node:process';

/**
 * Helper threads of the engine would run beside the heart at another priority. And a collection
 * that gives memory back to the kernel ends a process whose memory is locked: the kernel refuses
 * the madvise(2), which V8 takes for a fatal error.
 */
export const ENGINE_FLAGS: readonly string[] = ['--single-threaded', '--no-memory-reducer'];

/** Replaces the process by itself with the right flags, unless it has them. */
export function prepareEngine(): void {
  const missing = ENGINE_FLAGS.filter((flag) => !process.execArgv.includes(flag));
  if (missing.length > 0 && process.execve !== undefined) {
    const args = [process.execPath, ...missing, ...process.execArgv, ...process.argv.slice(1)];
    process.execve(process.execPath, args, process.env);
  }
  const setupFile = process.argv[2];
  if (setupFile === undefined) return;
  // RUNDIR is private to root: nobody else can put code there.
  const cache = join(dirname(setupFile), 'compile-cache');
  enableCompileCache(cache);
  // For control, the mirrors and their threads.
  process.env['NODE_COMPILE_CACHE'] ??= cache;
}

/** Everything that will be needed is loaded: keep it for the next start. */
export function keepCompiledCode(): void {
  flushCompileCache();
}
