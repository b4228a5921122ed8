/**
 * The witness: `node src/daemon/witness.ts CLUSTERS_DIR RUN_DIR STATE_DIR`, with the flags and the
 * environment of `witness/engine-choices.ts`, as `tako witness run` starts it. See
 * `witness/witness-main.ts`.
 *
 * What is loaded stays in memory. So a start that had to strip types from a source, because it is
 * not in the cache of compiled code yet, fills the cache and begins anew in the same process.
 */
import { carriesTypeStripper, keepCompiledCode, startAnew } from './heart/engine.ts';
import { BEGAN_ANEW } from './witness/engine-choices.ts';

const [, , clustersDir = '', runDir = '', stateDir = ''] = process.argv;
const { runWitness } = await import('./witness/witness-main.ts');
keepCompiledCode();
if (carriesTypeStripper() && process.env[BEGAN_ANEW] === undefined) {
  startAnew(process.execArgv, { ...process.env, [BEGAN_ANEW]: '1' });
}
await runWitness({ clustersDir, runDir, stateDir });
