/**
 * A directory with the pass-through file system mounted over it, and an equal one without. Whatever
 * happens to the test run, the mount goes away: a small shell waits for the end of a pipe from this
 * process and unmounts then.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { must } from '../../src/base/assert.ts';
import type { PassthroughReport } from './passthrough.ts';

const PROGRAM = fileURLToPath(new URL('passthrough.ts', import.meta.url));
/** Forced first: what a failed test left open must not keep the server alive. */
const GUARD = `cat >/dev/null
for how in -f -l; do umount $how "$0/mount" 2>/dev/null; done
rm -rf "$0"`;

export interface Mounted {
  /** Served by FUSE. */
  readonly mount: string;
  /** The same file system, without FUSE. */
  readonly plain: string;
  /** As `mount` was before it was mounted. */
  readonly start: string;
  /** All changes, for `replay`. */
  readonly record: string;
  /** After that `mount` shows the store itself. */
  unmount(): Promise<PassthroughReport>;
  /** Repeatable. */
  remove(): Promise<void>;
}

export interface MountedOptions {
  /** Fills the store before it is mounted, and `plain` alike. */
  readonly prepare?: ((directory: string) => void) | undefined;
  readonly record?: boolean | undefined;
  readonly check?: boolean | undefined;
  /** Where to make the directories; the system's temporary directory by default. */
  readonly parent?: string | undefined;
}

export async function mountPassthrough(options: MountedOptions = {}): Promise<Mounted> {
  const base = mkdtempSync(join(options.parent ?? tmpdir(), 'tako-fuse-'));
  chmodSync(base, 0o755);
  const guard = spawn('sh', ['-c', GUARD, base], { stdio: ['pipe', 'ignore', 'ignore'] });
  const [mount, plain, start] = ['mount', 'plain', 'start'].map((name) => join(base, name));
  const paths = {
    mount: must(mount, 'three names'),
    plain: must(plain, 'three names'),
    start: must(start, 'three names'),
    record: join(base, 'record'),
  };
  mkdirSync(paths.mount);
  options.prepare?.(paths.mount);
  for (const copy of [paths.plain, paths.start]) {
    cpSync(paths.mount, copy, { recursive: true, preserveTimestamps: true });
  }
  const server = serve(paths, options);
  await server.ready;
  return {
    ...paths,
    unmount: async () => {
      spawnSync('umount', [paths.mount]);
      return await server.report;
    },
    remove: async () => {
      guard.stdin?.end();
      await new Promise((resolve) => {
        if (guard.exitCode !== null) resolve(undefined);
        else guard.on('exit', resolve);
      });
      await server.report.catch(() => undefined);
      rmSync(base, { recursive: true, force: true });
    },
  };
}

interface Server {
  readonly ready: Promise<void>;
  readonly report: Promise<PassthroughReport>;
}

function serve(paths: { mount: string; record: string }, options: MountedOptions): Server {
  const args = [PROGRAM, paths.mount];
  if (options.record === true) args.push('--record', paths.record);
  if (options.check === true) args.push('--check');
  const child: ChildProcess = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: must(child.stdout, 'stdout is a pipe') });
  let onReady: () => void = () => undefined;
  let onFailed: (error: Error) => void = () => undefined;
  const ready = new Promise<void>((resolve, reject) => {
    onReady = resolve;
    onFailed = reject;
  });
  const report = new Promise<PassthroughReport>((resolve, reject) => {
    lines.on('line', (line) => {
      if (line === 'ready') onReady();
      else resolve(JSON.parse(line) as PassthroughReport);
    });
    child.on('close', (code) => {
      const error = new Error(`the pass-through program ended with ${code}`);
      onFailed(error);
      reject(error);
    });
  });
  // Whoever waits for it learns of the failure; nobody has to.
  report.catch(() => undefined);
  return { ready, report };
}
