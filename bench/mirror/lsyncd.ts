/**
 * lsyncd, as far as writers are concerned: it hears of changes by inotify and has rsync copy them a moment
 * later, to a daemon on another host. No write waits for it, and none that it acknowledged is safe.
 */
import { existsSync } from 'node:fs';
import type { Host } from '../../test/hosts/host.ts';
import type { Contender } from './contenders.ts';

const PROGRAM = '/usr/bin/lsyncd';
const RSYNC = '/usr/bin/rsync';
const SOURCE = '/srv/lsyncd';
const DELAY_SECONDS = '1';

/** Undefined, and `tell` says why, where Debian's packages are not installed. */
export async function lsyncdCopy(
  [first, second]: readonly [Host, Host],
  tell: (line: string) => void,
): Promise<Contender | undefined> {
  if (!existsSync(PROGRAM) || !existsSync(RSYNC)) {
    tell('lsyncd is left out. Next: apt-get install lsyncd rsync');
    return undefined;
  }
  for (const host of [first, second]) await host.run(['mkdir', '-p', SOURCE]);
  const config = '/tmp/rsyncd.conf';
  const lines = ['use chroot = no', '[copy]', `path = ${SOURCE}`, 'read only = no', 'uid = root'];
  await second.run(['sh', '-c', `printf '%s\\n' "$@" > ${config}`, 'sh', ...lines]);
  second.spawn([RSYNC, '--daemon', '--no-detach', `--config=${config}`], {});
  const target = `${second.address('mirror').ipv4}::copy`;
  const words = ['-nodaemon', '-delay', DELAY_SECONDS, '-rsync', SOURCE, target];
  first.spawn([PROGRAM, ...words], {});
  return { name: 'lsyncd', directory: SOURCE };
}
