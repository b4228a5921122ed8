/** Three groups on three real nodes: one comes after another, two are apart, and room is scarce. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { createApiClient } from '../../src/adapters/api-client/api-client.ts';
import type { ClusterStatus } from '../../src/protocol/api.ts';
import { createLab, type Lab } from '../hosts/lab.ts';
import { until } from '../hosts/wait.ts';

const TAKO = fileURLToPath(new URL('../../bin/tako', import.meta.url));
const TIMEOUT_MS = 60_000;
/** What each group's program sleeps for, so that it is known by its arguments. */
const SECONDS = { db: '1000001', web: '1000002', log: '1000003' };

let lab: Lab;

afterEach(() => lab.destroy());

/** n3 has room for one group, the others for two. */
function configText(keyFile: string): string {
  const node = (name: string, slots: number): string => {
    const host = lab.host(name);
    const addresses = `mirror: ${host.address('mirror').ipv4}, lan: ${host.address('lan').ipv4}`;
    return `  ${name}: { ${addresses}, capacity: { slots: ${slots} } }`;
  };
  const group = (id: keyof typeof SECONDS, nodes: string, words: string): string =>
    `  ${id}: { nodes: [${nodes}], needs: { slots: 1 }, ${words}resources: { program: ` +
    `{ agent: process, command: [/bin/sleep, "${SECONDS[id]}"] } } }`;
  return [
    ...['cluster: placed', `key-file: ${keyFile}`, 'links:'],
    ...['  mirror: { kind: udp }', '  lan: { kind: udp }', 'nodes:'],
    ...[node('n1', 2), node('n2', 2), node('n3', 1), 'groups:'],
    group('db', 'n1, n2, n3', 'priority: 5, '),
    group('web', 'n1, n3, n2', 'after: [db], '),
    group('log', 'n2, n1, n3', 'apart: [db], '),
    '',
  ].join('\n');
}

function startTako(name: string, configFile: string): void {
  const host = lab.host(name);
  const words = ['run', '--config', configFile, '--node', name];
  host.spawn([TAKO, ...words], { logFile: join(host.folder, 'tako.log') }).unref();
}

async function status(name: string): Promise<ClusterStatus> {
  return createApiClient(lab.host(name).pathOf('/run/tako/api.sock')).status();
}

/** Waits until the groups are online on these nodes, by the word of `seenBy`. */
async function placed(seenBy: string, wanted: Readonly<Record<string, string>>): Promise<void> {
  await until(
    JSON.stringify(wanted),
    async () => {
      const { groups } = await status(seenBy);
      const where = groups.map(({ id, owner, state }) => [id, state === 'online' ? owner : state]);
      const found = Object.fromEntries(where) as Record<string, string>;
      if (JSON.stringify(found) === JSON.stringify(wanted)) return true;
      throw new Error(`found ${JSON.stringify(found)}`);
    },
    { timeoutMs: TIMEOUT_MS },
  );
}

/** Groups whose program really runs there. */
async function programsOn(name: string): Promise<readonly string[]> {
  const { stdout } = await lab.host(name).run(['ps', '-e', '-o', 'args=']);
  return Object.entries(SECONDS).flatMap(([id, seconds]) =>
    stdout.split('\n').includes(`/bin/sleep ${seconds}`) ? [id] : [],
  );
}

it('keeps order, distance and room when a node is lost, and says why', async () => {
  lab = await createLab({
    nodes: ['n1', 'n2', 'n3'],
    witness: false,
    client: false,
    mirrorLink: 'switched',
  });
  const keyFile = join(lab.folder, 'cluster.key');
  const configFile = join(lab.folder, 'tako.yaml');
  mkdirSync(lab.folder, { recursive: true });
  await lab.host('n1').run([TAKO, 'key', 'new', keyFile]);
  writeFileSync(configFile, configText(keyFile));
  for (const name of ['n1', 'n2', 'n3']) startTako(name, configFile);
  await placed('n2', { db: 'n1', web: 'n1', log: 'n2' });
  expect(await programsOn('n1')).toEqual(['db', 'web']);

  // db must not join log on n2, and leaves no room for web on n3.
  await lab.host('n1').powerOff();
  await placed('n2', { db: 'n3', web: 'n2', log: 'n2' });
  expect(await programsOn('n3')).toEqual(['db']);
  expect(await programsOn('n2')).toEqual(['web', 'log']);
  const { groups } = await status('n2');
  const shown = groups.find(({ id }) => id === 'log');
  expect(shown?.placement).toContain('n2: runs here and stays');

  const asked = await lab.host('n3').run([TAKO, 'move', 'db', 'n2'], { allowFailure: true });
  expect(`${asked.stdout}${asked.stderr}`).toContain('"log", from which it must be apart');

  // With n1 back and n3 lost, db goes home.
  await lab.host('n1').powerOn();
  startTako('n1', configFile);
  await until(
    'n1 is back',
    async () => {
      const { nodes } = await status('n2');
      return nodes.every(({ state }) => state === 'up');
    },
    { timeoutMs: TIMEOUT_MS },
  );
  await lab.host('n3').powerOff();
  await placed('n2', { db: 'n1', web: 'n2', log: 'n2' });
  expect(await programsOn('n1')).toEqual(['db']);
});
