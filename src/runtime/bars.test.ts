/** What a person is told when asking for standby and bans, and what the status says of them. */
import { expect, test } from 'vitest';
import { TakoError } from '../base/tako-error.ts';
import type { OperatorRequest } from '../core/node/node-io.ts';
import type { GroupStatus, NodeStatus } from '../protocol/api.ts';
import type { Config, GroupConfig } from '../protocol/config.ts';
import type { GroupId, NodeId } from '../protocol/ids.ts';
import { type BarParts, setBan, setStandby } from './bar-steering.ts';
import { barWarnings, standbyOf } from './bar-view.ts';

const [n1, n2, n3] = ['n1', 'n2', 'n3'] as [NodeId, NodeId, NodeId];
const db = { id: 'db', nodes: [n1, n2] } as unknown as GroupConfig;
const web = { id: 'web', nodes: [n1, n2, n3] } as unknown as GroupConfig;
const lone = { id: 'lone', nodes: [n3] } as unknown as GroupConfig;
const config = { groups: [db, web, lone] } as unknown as Config;

function status(id: string, over: object = {}): GroupStatus {
  const common = { id, owner: n1, epoch: 3, want: 'online', standby: [], banned: [] };
  return { ...common, ...over } as unknown as GroupStatus;
}

function parts(broken: readonly string[] = []): BarParts & { readonly asked: string[] } {
  const asked: string[] = [];
  const ask = async (group: GroupId, request: OperatorRequest): Promise<string> => {
    asked.push(`${group} ${JSON.stringify(request)}`);
    if (broken.includes(group)) throw new TakoError('no-quorum', 'too few votes');
    return 'done';
  };
  const groups = [status('db'), status('web', { owner: n2 }), status('lone', { owner: n3 })];
  return { groups: config.groups, status: () => ({ groups }) as never, ask, asked };
}

test('standby is recorded for each group that names the node', async () => {
  const given = parts();
  expect(await setStandby(given, n1, true)).toBe(
    'n1 is in standby: leaving it, one after the other: "db"',
  );
  const change = '{"type":"bar","kind":"standby","node":"n1","on":true}';
  expect(given.asked).toEqual([`db ${change}`, `web ${change}`]);
});

test('standby that was recorded for some groups only says for which not', async () => {
  await expect(setStandby(parts(['web']), n1, true)).rejects.toMatchObject({
    code: 'no-quorum',
    message: 'Cannot record "standby n1" for 1 of its 2 groups ("web": too few votes); done for 1',
  });
});

test('a ban concerns one group, and a node of it', async () => {
  const given = parts();
  await setBan(given, { group: db, node: n2, on: false });
  expect(given.asked).toEqual(['db {"type":"bar","kind":"ban","node":"n2","on":false}']);
  const foreign = setBan(given, { group: db, node: n3, on: true });
  await expect(foreign).rejects.toMatchObject({ code: 'no-such-node' });
});

function node(id: NodeId, over: Partial<NodeStatus> = {}): NodeStatus {
  return { id, role: 'node', state: 'up', reason: '', standby: 'no', links: [], ...over };
}

test('a node is in standby for all of its groups, or for some', () => {
  const all = [status('db', { standby: [n1] }), status('web', { standby: [n1] }), status('lone')];
  expect([n1, n2, n3].map((id) => standbyOf(id, config, all))).toEqual(['yes', 'no', 'no']);
  const some = [status('db', { standby: [n1] }), status('web')];
  expect(standbyOf(n1, config, some)).toBe('partly');
  // Nothing is known of one of them, or its owner is of an older version.
  const unknown = [status('db', { standby: [n1] }), status('web', { epoch: undefined })];
  expect(standbyOf(n1, config, unknown)).toBe('yes');
  expect(standbyOf(n1, config, [status('db', { standby: undefined })])).toBe('no');
});

test('the status says plainly that nobody can take over', () => {
  const nodes = [node(n1), node(n2, { standby: 'yes' }), node(n3)];
  const groups = [status('db', { standby: [n2] }), status('web', { standby: [n2] })];
  expect(barWarnings(nodes, groups, config)).toEqual([
    'node n2 is in standby',
    'nobody can take over group "db" from n1',
  ]);
  const without = [node(n1), node(n2), node(n3, { state: 'lost' })];
  const banned = [status('web', { banned: [n2] })];
  expect(barWarnings(without, banned, config)).toEqual([
    'nobody can take over group "web" from n1',
  ]);
  expect(barWarnings(without, [status('web'), status('lone')], config)).toEqual([]);
});
