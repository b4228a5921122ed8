/**
 * Two real nodes whose witness is a share. The share is one file system on a loop device that both
 * mount: the kernel freezes it, so that writes hang in the kernel as they do on a share whose
 * server has stopped.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createApiClient } from '../../src/adapters/api-client/api-client.ts';
import type { GroupStatus, NodeStatus } from '../../src/protocol/api.ts';
import { type Lab, createLab } from '../hosts/lab.ts';
import { until } from '../hosts/wait.ts';

const TAKO = fileURLToPath(new URL('../../bin/tako', import.meta.url));
const RUN_DIR = '/run/tako';
const SHARE = '/run/share';
const TIMEOUT_MS = 60_000;
const NODES = ['n1', 'n2'] as const;

let lab: Lab;
let device: string;
/** Outside of the lab's folder, which the lab clears away by itself. */
let folder: string;
let mounted: string;
let frozen = false;

beforeEach(async () => {
  lab = await createLab({ nodes: [...NODES], client: false, mirrorLink: 'switched' });
  frozen = false;
  folder = mkdtempSync(join(tmpdir(), 'tako-share-'));
  const image = join(folder, 'share.img');
  mounted = join(folder, 'mounted');
  mkdirSync(mounted);
  execFileSync('truncate', ['-s', '32M', image]);
  execFileSync('mkfs.ext4', ['-q', image]);
  device = execFileSync('losetup', ['-f', '--show', image], { encoding: 'utf8' }).trim();
  execFileSync('mount', [device, mounted]);
  await lab.host('n1').run([TAKO, 'key', 'new', join(lab.folder, 'cluster.key')]);
  writeFileSync(join(lab.folder, 'tako.yaml'), configText());
  for (const node of NODES) await mount(node);
  await lab.host('n1').run([TAKO, 'witness', 'prepare', '--config', join(lab.folder, 'tako.yaml')]);
  for (const node of NODES) start(node);
  await settled();
});
afterEach(() => {
  thaw();
  lab.destroy();
  execFileSync('umount', [mounted]);
  execFileSync('losetup', ['-d', device]);
  rmSync(folder, { recursive: true });
});

function configText(): string {
  const at = (host: string): string => `{ lan: ${lab.host(host).address('lan').ipv4} }`;
  return `cluster: shop
key-file: ${join(lab.folder, 'cluster.key')}
links: { lan: { kind: udp } }
nodes: { n1: ${at('n1')}, n2: ${at('n2')} }
witness: { w1: { share: ${SHARE}, any-file-system: true } }
groups:
  service:
    nodes: [n1, n2]
    resources:
      address: { agent: virtual-ip, address: ${lab.virtualAddress(0)}/24, link: lan }
      program: { agent: process, command: [/bin/sleep, infinity] }
`;
}

async function mount(node: string): Promise<void> {
  await lab.host(node).run(['mkdir', '-p', SHARE]);
  await lab.host(node).run(['mount', device, SHARE]);
}

function start(node: string): void {
  const host = lab.host(node);
  const file = join(lab.folder, 'tako.yaml');
  const places = ['--run-dir', RUN_DIR, '--state-dir', '/var/lib/tako'];
  const logFile = join(host.folder, 'tako.log');
  host.spawn([TAKO, 'run', '--config', file, '--node', node, ...places], { logFile }).unref();
}

function freeze(): void {
  execFileSync('fsfreeze', ['-f', mounted]);
  frozen = true;
}

function thaw(): void {
  if (frozen) execFileSync('fsfreeze', ['-u', mounted]);
  frozen = false;
}

interface Seen {
  readonly group: GroupStatus | undefined;
  readonly share: NodeStatus | undefined;
}

async function seenBy(node: string): Promise<Seen> {
  const host = lab.host(node);
  if (!host.powered) return { group: undefined, share: undefined };
  const status = await createApiClient(host.pathOf(`${RUN_DIR}/api.sock`))
    .status()
    .catch(() => undefined);
  return {
    group: status?.groups[0],
    share: status?.nodes.find(({ role }) => role === 'witness'),
  };
}

async function settled(): Promise<void> {
  await until(
    'the group is online on n1, by three votes',
    async () => {
      const { group } = await seenBy('n1');
      return group?.state === 'online' && group.voters.join() === 'n1,n2,w1';
    },
    { timeoutMs: TIMEOUT_MS },
  );
}

function ownerIs(node: string): Promise<unknown> {
  return until(
    `the group is online on ${node}`,
    async () => {
      const { group } = await seenBy(node);
      return group?.owner === node && group.state === 'online';
    },
    { timeoutMs: TIMEOUT_MS },
  );
}

function shareIs(state: string): Promise<unknown> {
  return until(
    `n1 sees the share ${state}`,
    async () => {
      const { share } = await seenBy('n1');
      return share?.state === state;
    },
    { timeoutMs: TIMEOUT_MS },
  );
}

it('a node that dies is replaced, by the vote of the share', async () => {
  await lab.host('n1').powerOff();
  await ownerIs('n2');
  await lab.host('n1').powerOn();
  await mount('n1');
  start('n1');
  await settledOn('n2');
});

async function settledOn(node: string): Promise<void> {
  await until(
    'all three vote again',
    async () => {
      const { group } = await seenBy(node);
      return group?.owner === node && group.voters.join() === 'n1,n2,w1';
    },
    { timeoutMs: TIMEOUT_MS },
  );
}

it('a share that hangs stops nothing: who runs goes on, and says why it has two votes only', async () => {
  const epoch = (await seenBy('n1')).group?.epoch;
  freeze();
  await shareIs('lost');
  const hanging = await seenBy('n1');
  expect(hanging.group).toMatchObject({ owner: 'n1', state: 'online', epoch });
  await until(
    'the status says why',
    async () => {
      const { share } = await seenBy('n1');
      return share?.reason.includes('does not answer') === true;
    },
    { timeoutMs: TIMEOUT_MS },
  );
  thaw();
  await shareIs('up');
  await settledOn('n1');
  expect((await seenBy('n1')).group).toMatchObject({ owner: 'n1', state: 'online', epoch });
});
