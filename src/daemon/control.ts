/**
 * The control process of a node: `node src/daemon/control.ts SETUP_JSON_FILE`. See
 * `control/control-main.ts`.
 *
 * This file imports next to nothing: first the cache of compiled code is set up, because a control
 * that died must vote again soon.
 */
import { enableCompileCache, flushCompileCache } from 'node:module';
import { dirname, join } from 'node:path';

const setupFile = process.argv[2];
// RUNDIR is private to root: nobody else can put code there.
if (setupFile !== undefined) enableCompileCache(join(dirname(setupFile), 'compile-cache'));
const { main } = await import('./control/control-main.ts');
await main();
flushCompileCache();
