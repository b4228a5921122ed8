import { expect, test } from 'vitest';
import { Command } from 'commander';
import type { ApiClient } from '../../ports/api-client.ts';
import type { GroupStatus } from '../../protocol/api.ts';
import type { CliWorld } from '../world.ts';
import { addBanCommands } from './ban.ts';
import { addStandbyCommands } from './standby.ts';

type Seen = Partial<GroupStatus>;

/** Each look at the status sees the next of these, the last one for ever. */
function run(words: string, looks: readonly (readonly Seen[])[] = [[]]) {
  const told: string[] = [];
  let look = 0;
  const client: Partial<ApiClient> = {
    standby: async (node, on) => `${node} ${on}`,
    ban: async (group, node, on) => `${group} ${node} ${on}`,
    status: async () => {
      const groups = looks[Math.min(look, looks.length - 1)];
      look += 1;
      return { groups } as never;
    },
  };
  const world: Partial<CliWorld> = {
    out: (text) => void told.push(text.trimEnd()),
    environment: {},
    interrupted: new AbortController().signal,
    pause: () => Promise.resolve(),
    client: async () => client as ApiClient,
  };
  const context = { world: world as CliWorld, result: { exitCode: 0 } };
  const program = new Command('tako').exitOverride();
  addStandbyCommands(program, context);
  addBanCommands(program, context);
  return { told, done: program.parseAsync(words.split(' '), { from: 'user' }) };
}

function group(id: string, owner: string, state = 'online', cannotLeave?: string): Seen {
  return { id, owner, state, cannotLeave, want: 'online' } as unknown as Seen;
}

test('standby tells how each group leaves, and ends when all are online elsewhere', async () => {
  const other = group('mail', 'n2');
  const { told, done } = run('standby n1', [
    [group('db', 'n1'), group('web', 'n1'), other],
    [group('db', 'n1'), group('web', 'n1'), other],
    [group('db', 'n1', 'stopping'), group('web', 'n1'), other],
    [group('db', 'n2', 'starting'), group('web', 'n1', 'stopping'), other],
    [group('db', 'n2'), group('web', 'n2', 'starting'), other],
    [group('db', 'n2'), group('web', 'n2'), other],
  ]);
  await done;
  expect(told).toEqual([
    'n1 true',
    '  "db" is online on n1',
    '  "web" is online on n1',
    '  "db" is stopping on n1',
    '  "db" is starting on n2',
    '  "web" is stopping on n1',
    '  "db" is online on n2',
    '  "web" is starting on n2',
    '  "web" is online on n2',
    'n1 has nothing left to run',
  ]);
});

test('standby waits for what had moved before it looked again', async () => {
  const { told, done } = run('standby n1', [
    [group('db', 'n1')],
    [group('db', 'n2', 'starting')],
    [group('db', 'n2')],
  ]);
  await done;
  expect(told.slice(1)).toEqual([
    '  "db" is starting on n2',
    '  "db" is online on n2',
    'n1 has nothing left to run',
  ]);
});

test('standby fails when all that is left has to stay', async () => {
  const stays = group('db', 'n1', 'online', 'nobody can take over: n2 does not answer');
  const { told, done } = run('standby n1', [[stays]]);
  await expect(done).rejects.toMatchObject({ code: 'no-node' });
  expect(told.at(-1)).toBe('  "db" stays: nobody can take over: n2 does not answer');
});

test('standby does not wait for ever for what hangs', async () => {
  const { done } = run('standby n1', [[group('db', 'n1', 'stopping')]]);
  await expect(done).rejects.toMatchObject({ code: 'timed-out' });
});

test('standby does not look when told not to wait, nor for what is wanted offline', async () => {
  const hangs = group('db', 'n1', 'stopping');
  const { told, done } = run('standby n1 --no-wait', [[hangs]]);
  await done;
  expect(told).toEqual(['n1 true']);
  await run('standby n1', [[{ ...hangs, want: 'offline' }]]).done;
});

test.each([
  ['unstandby n1', 'n1 false'],
  ['ban db n1', 'db n1 true'],
  ['unban db n1', 'db n1 false'],
])('%s', async (words, answer) => {
  const { told, done } = run(words);
  await done;
  expect(told).toEqual([answer]);
});
