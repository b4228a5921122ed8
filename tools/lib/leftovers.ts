/**
 * What a test run left behind. A run has a folder and an id of its own: the folder is its TMPDIR
 * and holds its labs, the id is in the environment of all its processes. With these, what another
 * run on the same machine does at the same time is told apart.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

const RUN_VARIABLE = 'TAKO_TEST_RUN';
const POLL_MS = 100;
/** Folders of an installed Tako: no test may use them on the machine itself. */
const INSTALLED = ['/run/tako', '/var/lib/tako'];

export interface TestScope {
  readonly id: string;
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  /** What was there before the run. */
  readonly before: World;
}

/** Things of the machine that a test could forget, each as one readable text. */
export interface World {
  readonly mounts: ReadonlySet<string>;
  readonly namespaces: ReadonlySet<string>;
  readonly interfaces: ReadonlySet<string>;
  readonly cgroups: ReadonlySet<string>;
  readonly folders: ReadonlySet<string>;
}

export function openScope(compileCache: string): TestScope {
  const folder = mkdtempSync(join(tmpdir(), 'tako-test-'));
  // Programs with rights of their own, like PostgreSQL, must reach what lies below it.
  chmodSync(folder, 0o755);
  const id = basename(folder);
  const environment = {
    [RUN_VARIABLE]: id,
    TMPDIR: folder,
    TAKO_LAB_DIR: folder,
    NODE_COMPILE_CACHE: compileCache,
  };
  return { id, folder, environment, before: look() };
}

/** What the run left, one line each, after giving it `patienceMs` to end. */
export async function findLeftovers(
  scope: TestScope,
  patienceMs: number,
): Promise<readonly string[]> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const found = leftoversNow(scope);
    if (found.length === 0 || performance.now() > deadline) return found;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Takes away what is known to be the run's own: processes, mounts, control groups, its folder. */
export function removeLeftovers(scope: TestScope): void {
  for (const { pid } of processesOf(scope.id)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
  for (const point of mountPoints().toReversed()) {
    if (isBelow(point, scope.folder)) execFileSync('umount', ['-l', point]);
  }
  for (const group of ownCgroups(scope, look())) {
    try {
      rmdirSync(group);
    } catch (error) {
      // Its processes may need another moment to end; an empty group does no harm.
      console.error(`Cannot remove the control group ${group}: ${String(error)}`);
    }
  }
  rmSync(scope.folder, { recursive: true, force: true });
}

function leftoversNow(scope: TestScope): readonly string[] {
  const now = look();
  const fresh = (kind: keyof World): string[] =>
    [...now[kind]].filter((each) => !scope.before[kind].has(each));
  return [
    ...processesOf(scope.id).map(({ pid, command }) => `process ${pid}: ${command}`),
    ...fresh('mounts')
      .filter((each) => isOwnMount(each, scope.folder))
      .map((each) => `mount ${each}`),
    ...fresh('namespaces').map((each) => `network namespace ${each}`),
    ...fresh('interfaces').map((each) => `network interface ${each}`),
    ...ownCgroups(scope, now).map((each) => `control group ${each}`),
    ...fresh('folders').map((each) => `folder ${each}`),
    ...readdirSync(scope.folder).map((name) => `temporary file ${join(scope.folder, name)}`),
  ];
}

function look(): World {
  return {
    mounts: new Set(mountPoints()),
    namespaces: new Set(namesIn('/run/netns')),
    interfaces: new Set(namesIn('/sys/class/net')),
    cgroups: new Set(labCgroups()),
    folders: new Set(INSTALLED.filter((path) => existsSync(path))),
  };
}

/** Below the run's folder, or outside of all temporary folders and of Tako's kind. */
function isOwnMount(point: string, folder: string): boolean {
  if (isBelow(point, folder)) return true;
  return !isBelow(point, tmpdir()) && /tako/.test(point);
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

function mountPoints(): readonly string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => (line.split(' ')[1] ?? '').replaceAll('\\040', ' '))
    .filter((point) => point !== '');
}

function labCgroups(): readonly string[] {
  const root = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .find((fields) => fields[2] === 'cgroup2')?.[1];
  if (root === undefined) return [];
  return namesIn(root)
    .filter((name) => name.startsWith('tako'))
    .map((name) => join(root, name));
}

/** New groups, but not those of a lab that another run has in its own folder at this moment. */
function ownCgroups(scope: TestScope, now: World): readonly string[] {
  return [...now.cgroups].filter(
    (group) => !scope.before.cgroups.has(group) && !isForeignLab(basename(group), scope),
  );
}

function isForeignLab(name: string, scope: TestScope): boolean {
  const places = namesIn(tmpdir())
    .filter((each) => each.startsWith('tako-test-') && each !== scope.id)
    .map((each) => join(tmpdir(), each));
  return [tmpdir(), ...places].some((place) => existsSync(join(place, name)));
}

interface RunningProcess {
  readonly pid: number;
  readonly command: string;
}

function processesOf(id: string): readonly RunningProcess[] {
  const found: RunningProcess[] = [];
  for (const name of namesIn('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const environment = tryRead(`/proc/${pid}/environ`);
    if (!environment.split('\0').includes(`${RUN_VARIABLE}=${id}`)) continue;
    const command = tryRead(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
    found.push({ pid, command });
  }
  return found;
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Not there: nothing in it.
    return [];
  }
}

function tryRead(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The process ended at this moment, or is not ours to look at.
    return '';
  }
}
