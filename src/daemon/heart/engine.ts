/**
 * The JavaScript engine of a heart: one thread only, and code that is compiled once per machine
 * start. Imports nothing of Tako, so that everything else can come from the cache.
 */
import { enableCompileCache, flushCompileCache } from 'node:module';
import process from 'node:process';

/**
 * Helper threads of the engine would run beside the heart at another priority. And a collection
 * that gives memory back to the kernel ends a process whose memory is locked: the kernel refuses
 * the madvise(2), which V8 takes for a fatal error.
 */
export const ENGINE_FLAGS: readonly string[] = ['--single-threaded', '--no-memory-reducer'];

/** What takes the types off the sources, in development: some 30 MB that are never given back. */
const TYPE_STRIPPER = 'NativeModule internal/deps/amaro/dist/index';

/** Replaces the process by itself with the right flags, unless it has them. */
export function prepareEngine(cacheDir: string | undefined): void {
  const missing = ENGINE_FLAGS.filter((flag) => !process.execArgv.includes(flag));
  if (missing.length > 0) startAnew([...missing, ...process.execArgv], process.env);
  // RUNDIR is private to its owner: nobody else can put code there.
  if (cacheDir === undefined) return;
  enableCompileCache(cacheDir);
  // For the programs that it starts, and their threads.
  process.env['NODE_COMPILE_CACHE'] ??= cacheDir;
}

/** Everything that will be needed is loaded: keep it for the next start. */
export function keepCompiledCode(): void {
  flushCompileCache();
}

/** True when a source was not in the cache, so that the process carries the type stripper. */
export function carriesTypeStripper(): boolean {
  const { moduleLoadList } = process as unknown as { readonly moduleLoadList?: readonly string[] };
  return moduleLoadList?.includes(TYPE_STRIPPER) ?? false;
}

/** The same program in the same process, from its beginning. Comes back only where impossible. */
export function startAnew(flags: readonly string[], environment: NodeJS.ProcessEnv): void {
  const args = [process.execPath, ...flags, ...process.argv.slice(1)];
  process.execve?.(process.execPath, args, environment);
}
