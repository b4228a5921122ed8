/**
 * The heart of a node: `node src/daemon/heart.ts SETUP_JSON_FILE [--no-children]`. See `heart/heart-main.ts`.
 *
 * This file imports next to nothing: first the engine's flags and the cache of compiled code are set
 * up, because a heart that died must beat again within a lease.
 */
import { dirname, join } from 'node:path';
import { prepareEngine } from './heart/engine.ts';

const [, , setupFile] = process.argv;
prepareEngine(setupFile === undefined ? undefined : join(dirname(setupFile), 'compile-cache'));
const { runDaemon } = await import('./heart/start-heart.ts');
const { main } = await import('./heart/heart-main.ts');
await runDaemon(main);
