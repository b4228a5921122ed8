/** A volume of GlusterFS with two copies, one on each of two test hosts, mounted on the first. */
import { existsSync } from 'node:fs';
import { must } from '../../src/base/assert.ts';
import type { Host } from '../../test/hosts/host.ts';
import { until } from '../../test/hosts/wait.ts';
import type { Contender } from './contenders.ts';

const DAEMON = '/usr/sbin/glusterd';
const BRICK = '/srv/gluster';
const MOUNT = '/srv/gluster-mount';
const START_MS = 60_000;

/** Undefined, and `tell` says why, where Debian's package is not installed. */
export async function glusterVolume(
  hosts: readonly [Host, Host],
  tell: (line: string) => void,
): Promise<Contender | undefined> {
  if (!existsSync(DAEMON)) {
    tell('GlusterFS is left out. Next: apt-get install glusterfs-server');
    return undefined;
  }
  for (const host of hosts) {
    await host.run(['mkdir', '-p', BRICK, MOUNT, '/var/lib/glusterd', '/var/run/gluster']);
    host.spawn([DAEMON, '--no-daemon', '--log-file=/var/log/glusterd.log'], {});
  }
  const [first, second] = hosts.map((host) => host.address('mirror').ipv4);
  const [here] = hosts;
  await until(
    'GlusterFS answers',
    () => answers(here, ['peer', 'probe', must(second, 'two hosts')]),
    {
      timeoutMs: START_MS,
    },
  );
  const bricks = [first, second].map((address) => `${address}:${BRICK}`);
  const create = ['volume', 'create', 'bench', 'replica', '2', ...bricks, 'force'];
  await until('GlusterFS has a volume', () => answers(here, create), { timeoutMs: START_MS });
  await gluster(here, ['volume', 'start', 'bench']);
  await here.run(['mount', '-t', 'glusterfs', `${first}:/bench`, MOUNT], { timeoutMs: START_MS });
  return { name: 'GlusterFS, 2 copies', directory: MOUNT };
}

async function answers(host: Host, words: readonly string[]): Promise<true | undefined> {
  return (await gluster(host, words, true)).code === 0 || undefined;
}

function gluster(
  host: Host,
  words: readonly string[],
  allowFailure = false,
): ReturnType<Host['run']> {
  const how = { allowFailure, timeoutMs: START_MS };
  return host.run(['gluster', '--mode=script', ...words], how);
}
