import { expect, test } from 'vitest';
import { Command } from 'commander';
import type { ApiClient } from '../../ports/api-client.ts';
import type { MaintenanceRequest } from '../../protocol/api.ts';
import type { CliWorld } from '../world.ts';
import { addMaintenanceCommands } from './maintenance.ts';

function run(words: readonly string[], typed: string | undefined = 'yes') {
  const told: string[] = [];
  const asked: MaintenanceRequest[] = [];
  const resources = [
    { id: 'data', state: 'online' },
    { id: 'program', state: 'failed' },
  ];
  const groups = [
    { id: 'db', owner: 'n1', want: 'online', maintenance: [{}], resources },
    { id: 'web', owner: 'n2', want: 'online', resources },
  ];
  const client: Partial<ApiClient> = {
    status: async () => ({ groups }) as never,
    maintain: async (request) => {
      asked.push(request);
      return 'recorded';
    },
  };
  const world: Partial<CliWorld> = {
    out: (text) => void told.push(text.trimEnd()),
    environment: { SUDO_USER: 'eva', USER: 'root' },
    ask: async () => typed,
    client: async () => client as ApiClient,
  };
  const program = new Command('tako').exitOverride();
  addMaintenanceCommands(program, { world: world as CliWorld, result: { exitCode: 0 } });
  const done = program.parseAsync(['maintenance', ...words], { from: 'user' });
  return { told, asked, done };
}

test('on spells out what is not done, for which groups, and records who asks and why', async () => {
  const { told, asked, done } = run([
    ...['on', '--node', 'n1', '--for', '2h', '--reason', 'new memory'],
  ]);
  await done;
  expect(asked).toEqual([
    { scope: 'node', node: 'n1', on: true, forMs: 7_200_000, by: 'eva', reason: 'new memory' },
  ]);
  expect(told[0]).toContain('left alone: "db"');
  expect(told[0]).not.toContain('"web"');
  expect(told[0]).toContain('nobody takes over');
  expect(told[0]).toContain('n1 takes nothing over');
  expect(told[0]).toContain('it ends by itself; what does not run then is started');
  expect(told[1]).toBe('recorded');
});

test('off says what will be recovered', async () => {
  const { told, asked, done } = run(['off', '--cluster']);
  await done;
  expect(asked).toEqual([{ scope: 'cluster', on: false, by: 'eva' }]);
  expect(told[0]).toContain('"db" does not run whole and is recovered: program (failed)');
  expect(told[0]).not.toContain('"web"');
});

test.each([[undefined], ['no'], ['']])('typing %s changes nothing', async (typed) => {
  const answer = typed === undefined ? undefined : typed;
  const { asked, done } = run(['on', '--group', 'db'], answer ?? 'nobody is there');
  await expect(done).rejects.toMatchObject({ code: 'bad-request' });
  expect(asked).toEqual([]);
});

test('with --yes nobody is asked', async () => {
  const { asked, done } = run(['on', '--group', 'db', '--yes'], 'no');
  await done;
  expect(asked).toEqual([{ scope: 'group', group: 'db', on: true, by: 'eva' }]);
});

test.each([
  [['on']],
  [['on', '--cluster', '--node', 'n1']],
  [['on', '--cluster', '--for', 'long']],
  [['on', '--cluster', '--for', '10ms']],
])('%j is refused before anything is asked', async (words) => {
  const { told, asked, done } = run(words);
  await expect(done).rejects.toMatchObject({ code: 'bad-request' });
  expect([told, asked]).toEqual([[], []]);
});
