/**
 * How a program comes into being: a small shell script puts itself into the control group, waits
 * for the word, then becomes setpriv(1), which takes the user's rights, and then the program. So
 * the group has the program from its first instruction on, and nothing else is left of the
 * preparation. Entering a group takes the kernel 5 to 25 ms (it waits for RCU readers), so it is
 * worth doing ahead. The word comes through a pipe: should this process die first, so does the script.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { TakoError, messageOf } from '../../base/tako-error.ts';
import type { ProgramSpec } from '../../ports/program-runner.ts';
import { MARKER_VARIABLE } from './containment.ts';
import { readArguments } from './proc.ts';
import type { User } from './user.ts';

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const SHELL = '/bin/sh';
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'];
/** Name that the script goes by until it has become the program. */
const SCRIPT_NAME = 'tako-launch';
/**
 * Here and not in Tako's process, because the directory may lie on a mirror that does not answer.
 * The score of the out-of-memory killer may have been lowered for Tako itself. `exec` reports by
 * itself what it could not execute (exit code 126 or 127).
 */
const SCRIPT = `
if [ -n "$1" ]; then echo 0 >"$1/cgroup.procs" || exit 125; fi
{ echo 0 >/proc/self/oom_score_adj; } 2>/dev/null
umask 022
read -r word || exit 0
[ "$word" = input ] || exec </dev/null
cd -- "$2" || exit 125
shift 2
exec "$@"
`;

export interface LaunchOptions {
  readonly spec: ProgramSpec;
  readonly user: User;
  readonly marker: string;
  readonly cgroup: string | undefined;
  /** Descriptor for stdout and stderr. */
  readonly output: number;
}

/**
 * Makes the process that becomes the program after {@link giveWord}; it ends by itself when its
 * stdin is closed before. Rejects with a TakoError when none was made.
 */
export async function prepareProcess(options: LaunchOptions): Promise<ChildProcess> {
  const { spec, output, cgroup } = options;
  if (spec.command.length === 0) throw new TakoError('agent-failed', 'The command is empty');
  const own = [SCRIPT_NAME, cgroup ?? '', spec.directory];
  const args = ['-c', SCRIPT, ...own, ...becomeUser(options), ...spec.command];
  try {
    const child = spawn(SHELL, args, {
      cwd: '/',
      env: environmentOf(options),
      detached: true,
      stdio: ['pipe', output, output],
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    // Of a process that died while it waited, or did not read its input, its end tells.
    child.stdin?.on('error', () => undefined);
    child.unref();
    return child;
  } catch (cause) {
    const what = JSON.stringify(spec.command[0]);
    throw new TakoError('agent-failed', `Cannot launch ${what}: ${messageOf(cause)}`, { cause });
  }
}

/** What it reads on standard input follows the word, through the same pipe. */
export function giveWord(child: ChildProcess, input: string | undefined): void {
  child.stdin?.end(input === undefined ? 'go\n' : `input\n${input}`);
}

/** False while the process with this pid still prepares. */
export function executesProgram(pid: number): boolean {
  const [first, second, , fourth] = readArguments(pid);
  const script = first === SHELL && second === '-c' && fourth === SCRIPT_NAME;
  const user = SETPRIV.includes(first ?? '') && second?.startsWith('--reuid=') === true;
  return first !== undefined && first !== '' && !script && !user;
}

function becomeUser({ spec, user }: LaunchOptions): readonly string[] {
  if (spec.user === undefined) return [];
  const setpriv = SETPRIV.find((path) => existsSync(path));
  if (setpriv === undefined) {
    throw new TakoError('agent-failed', `Cannot run as "${user.name}": there is no setpriv`, {
      next: 'Install the package util-linux',
    });
  }
  return [setpriv, `--reuid=${user.uid}`, `--regid=${user.gid}`, '--init-groups', '--'];
}

function environmentOf({ spec, user, marker }: LaunchOptions): Record<string, string> {
  return {
    PATH: DEFAULT_PATH,
    LANG: 'C.UTF-8',
    HOME: user.home,
    USER: user.name,
    LOGNAME: user.name,
    SHELL: user.shell,
    ...spec.environment,
    [MARKER_VARIABLE]: marker,
  };
}
