import { expect, test } from 'vitest';
import { Command } from 'commander';
import type { ApiClient } from '../../ports/api-client.ts';
import type { CliWorld } from '../world.ts';
import { addNodeCommands } from './node.ts';

test('clear asks for that node, and tells the answer', async () => {
  const told: string[] = [];
  const client: Partial<ApiClient> = { clearNode: async (node) => `${node} is cleared` };
  const world: Partial<CliWorld> = {
    out: (text) => void told.push(text),
    environment: {},
    client: async () => client as ApiClient,
  };
  const program = new Command('tako').exitOverride();
  addNodeCommands(program, { world: world as CliWorld, result: { exitCode: 0 } });
  await program.parseAsync(['node', 'clear', 'n1'], { from: 'user' });
  expect(told).toEqual(['n1 is cleared\n']);
});
