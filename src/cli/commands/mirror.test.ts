import { expect, test } from 'vitest';
import { Command } from 'commander';
import type { ApiClient } from '../../ports/api-client.ts';
import type { CliWorld } from '../world.ts';
import { addMirrorCommands } from './mirror.ts';

async function run(...words: readonly string[]): Promise<readonly string[]> {
  const told: string[] = [];
  const client: Partial<ApiClient> = { verify: async (group, rate) => `${group} at ${rate}` };
  const world: Partial<CliWorld> = {
    out: (text) => void told.push(text),
    environment: {},
    client: async () => client as ApiClient,
  };
  const program = new Command('tako');
  addMirrorCommands(program, { world: world as CliWorld, result: { exitCode: 0 } });
  for (const made of [program, ...program.commands, ...(program.commands[0]?.commands ?? [])]) {
    made.exitOverride().configureOutput({ writeErr: () => undefined });
  }
  await program.parseAsync(['mirror', 'verify', ...words], { from: 'user' });
  return told;
}

test('verify asks for that group, fifty megabytes a second unless told otherwise', async () => {
  expect(await run('db')).toEqual(['db at 50000000\n']);
  expect(await run('db', '--rate', '3')).toEqual(['db at 3000000\n']);
});

test.each(['0', '-1', '1.5', 'fast', '100001'])('%s is no rate', async (rate) => {
  await expect(run('db', '--rate', rate)).rejects.toThrow('Expected megabytes a second');
});
