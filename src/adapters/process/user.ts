/** Users of this machine: from /etc/passwd, or, if not there, from whatever NSS is set up. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { homedir, userInfo } from 'node:os';
import { promisify } from 'node:util';
import { TakoError } from '../../base/tako-error.ts';

/** A directory server that hangs must not hold up a start for longer. */
const LOOKUP_MS_MAX = 5000;

export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

const runFile = promisify(execFile);

/** Undefined: the user that this process runs as. Rejects with a TakoError when unknown. */
export async function findUser(name: string | undefined): Promise<User> {
  if (name === undefined) {
    const { username, uid, gid, shell } = userInfo();
    return { name: username, uid, gid, home: homedir(), shell: shell ?? '/bin/sh' };
  }
  const local = parseUser(name, await readFile('/etc/passwd', 'utf8'));
  const found = local ?? parseUser(name, await askNameService(name));
  if (found !== undefined) return found;
  throw new TakoError('agent-failed', `Cannot run a program as "${name}": no such user here`, {
    next: `Create the user on every node of the group, or correct "user"`,
  });
}

export function parseUser(name: string, passwd: string): User | undefined {
  for (const line of passwd.split('\n')) {
    const [user, , uid, gid, , home, shell] = line.split(':');
    if (user !== name || !/^\d+$/.test(uid ?? '') || !/^\d+$/.test(gid ?? '')) continue;
    return {
      name,
      uid: Number(uid),
      gid: Number(gid),
      home: home === undefined || home === '' ? '/' : home,
      shell: shell === undefined || shell === '' ? '/bin/sh' : shell,
    };
  }
  return undefined;
}

async function askNameService(name: string): Promise<string> {
  try {
    const options = { timeout: LOOKUP_MS_MAX, killSignal: 'SIGKILL' } as const;
    const { stdout } = await runFile('getent', ['passwd', '--', name], options);
    return stdout;
  } catch {
    // Exit code 2: unknown. It being absent or late comes to the same: this user was not found.
    return '';
  }
}
