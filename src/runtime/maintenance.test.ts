/** What a person is told when asking for maintenance, and what the status says of it. */
import { expect, test } from 'vitest';
import { TakoError } from '../base/tako-error.ts';
import type { OperatorRequest } from '../core/node/node-io.ts';
import type { GroupStatus, MaintenanceRequest } from '../protocol/api.ts';
import type { Config, GroupConfig } from '../protocol/config.ts';
import type { GroupId, NodeId } from '../protocol/ids.ts';
import type { Maintenance } from '../protocol/record.ts';
import { setMaintenance } from './maintenance-steering.ts';
import { isNodeMaintained, maintenanceWarnings } from './maintenance-view.ts';

const [n1, n2, n3] = ['n1', 'n2', 'n3'] as [NodeId, NodeId, NodeId];
const db = { id: 'db', nodes: [n1, n2] } as unknown as GroupConfig;
const web = { id: 'web', nodes: [n2, n3] } as unknown as GroupConfig;
const config = { groups: [db, web], maintenanceWarnMs: 3_600_000 } as unknown as Config;
const NOON = Date.UTC(2026, 0, 31, 12);
const asked = { me: n2, nowMs: NOON };
const since: Maintenance = { scope: 'cluster', sinceMs: NOON, by: 'root at n2' };

function parts(broken: readonly string[] = []) {
  const told: string[] = [];
  const ask = async (group: GroupId, request: OperatorRequest): Promise<string> => {
    told.push(`${group} ${JSON.stringify(request)}`);
    if (broken.includes(group)) throw new TakoError('no-quorum', 'too few votes');
    return 'in maintenance since noon';
  };
  return { groups: config.groups, ask, told };
}

test.each<[MaintenanceRequest, readonly string[]]>([
  [{ scope: 'group', group: 'db' as GroupId, on: true }, ['db']],
  [{ scope: 'node', node: n2, on: true }, ['db', 'web']],
  [{ scope: 'node', node: n3, on: true }, ['web']],
  [{ scope: 'cluster', on: false }, ['db', 'web']],
])('%j is recorded for each group that it concerns', async (request, groups) => {
  const given = parts();
  await setMaintenance(given, request, asked);
  expect(given.told.map((text) => text.split(' ')[0])).toEqual(groups);
});

test('who asked, where, until when and why is recorded', async () => {
  const given = parts();
  const request = { scope: 'cluster', on: true, forMs: 1000, by: 'eva', reason: 'memory' } as const;
  expect(await setMaintenance(given, request, asked)).toBe(
    'the cluster is in maintenance since noon',
  );
  expect(given.told[0]).toBe(
    `db {"type":"maintain","scope":"cluster","entry":{"scope":"cluster","sinceMs":${NOON},` +
      `"by":"eva at n2","untilMs":${NOON + 1000},"reason":"memory"}}`,
  );
});

test('what was recorded for some groups only says for which not, and how to go on', async () => {
  await expect(
    setMaintenance(parts(['web']), { scope: 'node', node: n2, on: true }, asked),
  ).rejects.toMatchObject({
    code: 'no-quorum',
    message: 'Cannot record it for 1 of 2 groups ("web": too few votes); done for 1',
    next: 'Run "tako maintenance on --node n2" again when "tako status" shows a majority of voters',
  });
});

test.each<MaintenanceRequest>([
  { scope: 'group', on: true },
  { scope: 'node', on: true },
  { scope: 'cluster', group: 'db' as GroupId, on: true },
  { scope: 'group', node: n1, on: true },
])('%j is refused', async (request) => {
  await expect(setMaintenance(parts(), request, asked)).rejects.toMatchObject({
    code: 'bad-request',
  });
});

function status(id: string, maintenance?: readonly Maintenance[]): GroupStatus {
  return { id, epoch: 3, maintenance } as unknown as GroupStatus;
}

test('the status warns once of each, and of one that is recorded for some groups only', () => {
  const all = [status('db', [since]), status('web', [since])];
  expect(maintenanceWarnings(all, config, NOON + 60_000)).toEqual([
    'the cluster is in maintenance since 2026-01-31 12:00 UTC, by root at n2, and left alone',
  ]);
  const of: Maintenance = { scope: 'node', node: n2, sinceMs: NOON, by: 'eva at n2' };
  const own: Maintenance = { scope: 'group', sinceMs: NOON, by: 'eva at n2', reason: 'memory' };
  const some = [status('db', [of]), status('web', [own])];
  expect(maintenanceWarnings(some, config, NOON)).toEqual([
    'node n2 is in maintenance since 2026-01-31 12:00 UTC, by eva at n2 (some of its groups only), and left alone',
    'group "web" is in maintenance since 2026-01-31 12:00 UTC, by eva at n2: memory, and left alone',
  ]);
  expect([n1, n2, n3].map((node) => isNodeMaintained(node, some))).toEqual([false, true, false]);
  expect([n1, n2, n3].map((node) => isNodeMaintained(node, all))).toEqual([true, true, true]);
});

test('one that lasts longer than the set time says so, and how to end it', () => {
  const groups = [status('db', [{ ...since, scope: 'group' }])];
  const [text] = maintenanceWarnings(groups, config, NOON + 3_600_001);
  expect(text).toContain('longer than 1h, end it with "tako maintenance off --group db"');
  const never = { ...config, maintenanceWarnMs: undefined };
  expect(maintenanceWarnings(groups, never, NOON + 1e10)[0]).not.toContain('longer');
});
