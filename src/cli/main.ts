/** Entry point of the command `tako`. */
import { createRealWorld } from './real-world.ts';
import { runCli } from './run-cli.ts';

const interrupt = new AbortController();
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader has gone, as in `tako events | head`: there is nothing left to do.
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});
// `tako run` has its own way of stopping.
if (process.argv[2] !== 'run') process.once('SIGINT', () => interrupt.abort());
process.exitCode = await runCli(process.argv.slice(2), createRealWorld(interrupt.signal));
