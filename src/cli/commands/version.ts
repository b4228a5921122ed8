/** `tako version`. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { CommandContext } from '../command-context.ts';

export function addVersionCommand(program: Command, { world }: CommandContext): void {
  program
    .command('version')
    .description('show the versions of Tako and of its Node.js')
    .action(() => {
      world.out(`tako ${readVersion()} (Node.js ${process.versions.node})\n`);
    });
}

/** The package's own file, two folders above this one's, as sources and as built code alike. */
export function readVersion(): string {
  const file = new URL('../../../package.json', import.meta.url);
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string };
  return version;
}
