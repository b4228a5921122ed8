// Runs a TypeScript program with the Node.js that Tako pins as a dependency, whatever Node.js the
// machine has: `node tools/start.mjs FILE [ARGUMENTS]`. Plain JavaScript, because the machine's own
// Node.js may be too old for anything else.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const pinned = join(root, 'node_modules', `node-linux-${process.arch}`, 'bin');
const node = join(pinned, 'node');
if (!existsSync(node)) {
  console.error(
    `Cannot run Tako: its Node.js was expected at ${node} and is not there.\n` +
      'Next: run `npm ci` in the project folder (supported: Linux on x64 and arm64).',
  );
  process.exit(2);
}

const child = spawn(node, process.argv.slice(2), {
  stdio: 'inherit',
  env: { ...process.env, PATH: `${pinned}:${process.env.PATH ?? ''}`, TAKO_ROOT: root },
});
child.on('error', (error) => {
  console.error(`Cannot start ${node}: ${error.message}`);
  process.exitCode = 2;
});

// Ctrl-C and a hang-up reach the whole foreground group of a terminal, the child included: passing
// them on would deliver them twice. Without a terminal they are sent to one process, so they are
// passed on, and SIGTERM always is.
const terminal = Boolean(process.stdin.isTTY);
for (const signal of ['SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGTERM']) {
  process.on(signal, () => {
    if (!terminal || signal === 'SIGTERM') child.kill(signal);
  });
}
child.on('exit', (code, signal) => {
  process.exitCode = signal === null ? (code ?? 1) : 128 + (constants.signals[signal] ?? 0);
});
