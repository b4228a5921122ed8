// Runs a TypeScript program with the Node.js that Tako pins as a dependency, whatever Node.js the
// machine has: `node tools/start.mjs FILE [ARGUMENTS]`. Plain JavaScript, because the machine's own
// Node.js may be too old for anything else.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
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
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => child.kill(signal));
}
child.on('exit', (code, signal) => {
  process.exitCode = signal === null ? (code ?? 1) : 1;
});
