/** What a tier of tests needs of the machine, found out by trying it. */
import { accessSync, constants, readFileSync } from 'node:fs';
import { runCommand } from './run-command.ts';

export interface Lack {
  readonly what: string;
  /** The command that gets it, or what else to do. */
  readonly next: string;
}

export interface Needs {
  readonly fuse: boolean;
  readonly hosts: boolean;
}

/** What the machine or the user lacks; empty when the tests can run. */
export async function findLacks(needs: Needs): Promise<readonly Lack[]> {
  if (process.getuid?.() !== 0) {
    return [{ what: 'not root', next: 'run it as root: sudo npm test' }];
  }
  const lacks: Lack[] = [];
  if (needs.fuse && !canOpenFuse()) {
    lacks.push({
      what: '/dev/fuse cannot be opened',
      next: 'modprobe fuse (in a container: start it with --privileged --device /dev/fuse)',
    });
  }
  const unshared = await runCommand(
    ['unshare', '--mount', '--net', '--pid', '--uts', '--ipc', '--fork', 'true'],
    { output: 'keep' },
  );
  if (unshared.code !== 0) {
    lacks.push({
      what: `namespaces cannot be made: ${unshared.output.trim()}`,
      next: 'in a container: start it with --privileged',
    });
  }
  if (needs.hosts && !hasCgroup2()) {
    lacks.push({
      what: 'no cgroup2 file system is mounted',
      next: 'mount -t cgroup2 none /sys/fs/cgroup',
    });
  }
  return lacks;
}

function canOpenFuse(): boolean {
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
    return true;
  } catch {
    // Absent or forbidden: the same to us.
    return false;
  }
}

function hasCgroup2(): boolean {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .some((line) => line.split(' ')[2] === 'cgroup2');
}
