/** `tako key new FILE`: a new cluster key. */
import type { Command } from 'commander';
import type { CommandContext } from '../command-context.ts';

export function addKeyCommands(program: Command, { world }: CommandContext): void {
  program
    .command('key')
    .description('make a cluster key')
    .command('new')
    .description('write a new random cluster key, readable by its owner only')
    .argument('<file>', 'file that does not exist yet')
    .action(async (file: string) => {
      await world.createKey(file);
      world.out(`Wrote a new cluster key to ${file} (mode 0600).\n`);
      world.out(
        'Next: copy the file to the same place on every machine, by a secure way, as root\n',
      );
    });
}
