/** What the command line says of groups that run everywhere. */
import { expect, test } from 'vitest';
import { Command } from 'commander';
import type { ApiClient } from '../ports/api-client.ts';
import type { ClusterStatus, GroupStatus, InstanceStatus } from '../protocol/api.ts';
import { addGroupCommands } from './commands/group.ts';
import { addStandbyCommands } from './commands/standby.ts';
import { renderPrediction } from './render/prediction.ts';
import type { CliWorld } from './world.ts';

function instance(node: string, state: InstanceStatus['state'], reason: string): InstanceStatus {
  const detail = state === 'online' ? 'pid 12' : 'exit code 1';
  const nginx = { id: 'nginx', agent: 'process', state, detail, restarts: 0, mirror: undefined };
  return { node, state, reason, resources: [nginx] } as unknown as InstanceStatus;
}

function web(...states: InstanceStatus['state'][]): GroupStatus {
  const instances = states.map((state, at) => instance(`n${at + 1}`, state, `it is ${state}`));
  const reason = 'runs on n1; not on n2 (failed): it is failed';
  const voters = ['n1', 'n2'];
  return {
    ...{ id: 'web', type: 'everywhere', state: 'failed', want: 'online', reason, instances },
    ...{ owner: undefined, epoch: 1, inSync: {}, voters, standby: [], banned: ['n2'] },
    ...{ cannotLeave: undefined, resources: [] },
  } as unknown as GroupStatus;
}

/** Each look at the status sees the next of these, the last one for ever. */
async function run(words: string, looks: readonly GroupStatus[]): Promise<string> {
  let [told, look] = ['', 0];
  const client: Partial<ApiClient> = {
    standby: async (node) => `${node} is in standby`,
    startGroup: async (group, node) => `start ${group} ${node}`,
    stopGroup: async (group, node) => `stop ${group} ${node}`,
    status: async () => {
      const group = looks[Math.min(look, looks.length - 1)];
      look += 1;
      const nodes = [{ id: 'n1' }, { id: 'n2' }];
      return { nodes, groups: [group] } as unknown as ClusterStatus;
    },
  };
  const world: Partial<CliWorld> = {
    out: (text) => (told += text),
    ...{ colours: false, environment: {}, pause: () => Promise.resolve() },
    interrupted: new AbortController().signal,
    client: async () => client as ApiClient,
  };
  const context = { world: world as CliWorld, result: { exitCode: 0 } };
  const program = new Command('tako').exitOverride();
  addGroupCommands(program, context);
  addStandbyCommands(program, context);
  await program.parseAsync(words.split(' '), { from: 'user' });
  return told;
}

test('a group is shown with each of its instances', async () => {
  expect(await run('group show web', [web('online', 'failed')])).toMatchInlineSnapshot(`
    "GROUP  STATE   OWNER
    web    failed  everywhere
      runs on n1; not on n2 (failed): it is failed
      banned from: n2

      NODE  RESOURCE  AGENT    STATE   DETAIL
      n1                       online  it is online
            nginx     process  online  pid 12
      n2                       failed  it is failed
            nginx     process  failed  exit code 1
    "
  `);
  await expect(run('group show mail', [web('online')])).rejects.toMatchObject({
    code: 'no-such-group',
  });
  const json = JSON.parse(await run('group show web --json', [web('online')])) as GroupStatus;
  expect(json.instances).toHaveLength(1);
});

test('one instance is started and stopped by naming its node', async () => {
  expect(await run('group stop web --node n2', [])).toBe('stop web n2\n');
  expect(await run('group start web', [])).toBe('start web undefined\n');
});

test('a node in standby is done when its instance has stopped', async () => {
  const looks = [web('online', 'online'), web('stopping', 'online'), web('stopped', 'online')];
  expect(await run('standby n1', looks)).toBe(
    [
      'n1 is in standby',
      '  "web" is stopping on n1',
      '  "web" is stopped on n1',
      'n1 has nothing left to run',
      '',
    ].join('\n'),
  );
});

test('a prediction says where it runs and why not elsewhere', () => {
  const why = 'n2: it is off';
  const outcome = { group: 'web', before: undefined, after: undefined, awayMs: 0, why };
  const instances = { before: ['n1', 'n2'], after: ['n1'] };
  const step = { step: 'lose n2', lookedAtMs: 1, happenings: [] };
  const prediction = { seenBy: 'n1', seenAt: 'now', differences: [], unknown: [] };
  const text = renderPrediction({
    ...prediction,
    steps: [{ ...step, outcomes: [{ ...outcome, instances }] }],
  } as unknown as Parameters<typeof renderPrediction>[0]);
  expect(text).toContain('web runs on n1 (before: n1, n2); not on n2: it is off');
});
