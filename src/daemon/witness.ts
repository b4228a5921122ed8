/**
 * The witness: `node src/daemon/witness.ts SETUP_JSON_FILE`. See `heart/witness-main.ts`.
 *
 * This file imports next to nothing: first the engine's flags and the cache of compiled code are set
 * up, because a heart that died must beat again within a lease.
 */
import { prepareEngine } from './heart/engine.ts';

prepareEngine();
const { runDaemon } = await import('./heart/start-heart.ts');
const { main } = await import('./heart/witness-main.ts');
await runDaemon('witness', main);
