/**
 * The control process of a node: `node src/daemon/control.ts SETUP_JSON_FILE`. See
 * `control/control-main.ts`.
 */
import { flushCompileCache } from 'node:module';
import { main } from './control/control-main.ts';

await main();
// A control that died must vote again soon: what was compiled is kept where the heart said.
flushCompileCache();
