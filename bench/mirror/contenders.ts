/**
 * Directories of one test host whose files are served in different ways, all on the same disk: the
 * plain file system, C libfuse's `passthrough_ll`, Tako's file system without a copy, a mirror of Tako
 * whose copy is on another host, GlusterFS with one there, too, and lsyncd, which copies a moment later.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Cluster } from '../../test/demo/cluster.ts';
import type { Host } from '../../test/hosts/host.ts';
import { until } from '../../test/hosts/wait.ts';
import { glusterVolume } from './gluster.ts';
import { lsyncdCopy } from './lsyncd.ts';

const PASSTHROUGH = fileURLToPath(new URL('../../test/fuse/passthrough.ts', import.meta.url));
/** Debian's libfuse3-dev ships it as an example. */
const LL_SOURCE = '/usr/share/doc/libfuse3-dev/examples/passthrough_ll.c';
const MOUNT_MS = 10_000;

export interface Contender {
  readonly name: string;
  readonly directory: string;
}

/** What can be compared here; `tell` says what cannot. */
export async function prepareContenders(
  cluster: Cluster,
  host: Host,
  tell: (line: string) => void,
): Promise<readonly Contender[]> {
  const contenders: Contender[] = [await directory(host, 'native', '/srv/native')];
  const program = compiledLl(cluster.lab.folder, tell);
  if (program !== undefined) {
    contenders.push(await mountedLl(host, program, { name: 'passthrough_ll', options: [] }));
    const options = ['-o', 'writeback,cache=always'];
    contenders.push(await mountedLl(host, program, { name: 'passthrough_ll, writeback', options }));
  }
  contenders.push(await unmirrored(host));
  contenders.push(await directory(host, 'Tako, durable', '/srv/ledger/bench'));
  const pair = [host, cluster.other(host.name)] as const;
  const others = [await glusterVolume(pair, tell), await lsyncdCopy(pair, tell)];
  return [...contenders, ...others.filter((other) => other !== undefined)];
}

async function directory(host: Host, name: string, path: string): Promise<Contender> {
  await host.run(['mkdir', '-p', path]);
  return { name, directory: path };
}

function compiledLl(folder: string, tell: (line: string) => void): string | undefined {
  if (!existsSync(LL_SOURCE)) {
    tell('passthrough_ll is left out. Next: apt-get install libfuse3-dev gcc pkg-config');
    return undefined;
  }
  const program = join(folder, 'passthrough_ll');
  const flags = execFileSync('pkg-config', ['--cflags', '--libs', 'fuse3'], { encoding: 'utf8' });
  execFileSync('gcc', ['-O2', '-o', program, LL_SOURCE, ...flags.trim().split(/\s+/u)]);
  return program;
}

async function mountedLl(
  host: Host,
  program: string,
  { name, options }: { readonly name: string; readonly options: readonly string[] },
): Promise<Contender> {
  const store = `/srv/${name.replaceAll(/\W+/gu, '-')}`;
  const mount = `${store}-mount`;
  await host.run(['mkdir', '-p', store, mount]);
  host.spawn([program, '-f', '-o', `source=${store}`, ...options, mount], {});
  await mounted(host, mount);
  return { name, directory: mount };
}

async function unmirrored(host: Host): Promise<Contender> {
  const { directory: path } = await directory(host, 'Tako, no copy', '/srv/tako');
  host.spawn([process.execPath, PASSTHROUGH, path], {});
  await mounted(host, path);
  return { name: 'Tako, no copy', directory: path };
}

async function mounted(host: Host, path: string): Promise<void> {
  const isMounted = async (): Promise<true | undefined> =>
    (await host.run(['mountpoint', '-q', path], { allowFailure: true })).code === 0 || undefined;
  await until(`${path} is mounted`, isMounted, { timeoutMs: MOUNT_MS });
}
