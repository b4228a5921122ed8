/** How the engine of a witness is set up, so that it stays small. Imports next to nothing. */
import { join } from 'node:path';
import { ENGINE_FLAGS } from '../heart/engine.ts';

/**
 * Half-spaces of 1 MiB for young objects: what a datagram leaves behind is dead a moment later, and
 * without a bound these spaces grow to 48 MiB of memory that, being locked, is never given back.
 */
export const WITNESS_FLAGS: readonly string[] = [...ENGINE_FLAGS, '--max-semi-space-size=1'];

/**
 * Threads that wait for storage: a cluster keeps at most two of them waiting (its two files), so
 * that 31 clusters whose storage hangs leave two for the others. They share two of the C library's
 * heaps, where each would otherwise take one of its own. Compiled code is kept from the first line
 * on, in RUNDIR: that is private to its owner, nobody else can put code there.
 */
export function witnessEnvironment(runDir: string): Readonly<Record<string, string>> {
  return {
    UV_THREADPOOL_SIZE: '64',
    MALLOC_ARENA_MAX: '2',
    NODE_COMPILE_CACHE: join(runDir, 'compile-cache'),
  };
}

/** Set in the environment of a process that began anew once, so that it does so only once. */
export const BEGAN_ANEW = 'TAKO_WITNESS_ANEW';
