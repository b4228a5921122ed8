/**
 * What turns the other node off, and how it is talked to: the agents of the `fence-agents` package
 * and scripts alike read `key=value` lines on standard input, `action=` among them, and answer by
 * their exit code. `off` succeeds with 0; `status` says 0 for on and 2 for off, anything else for
 * not known.
 */

/** `unknown`: it failed, hung, or gave no clear answer; never to be taken for off. */
export interface FenceAnswer {
  readonly state: 'off' | 'on' | 'unknown';
  /** What was done and found, for people. */
  readonly detail: string;
}

export type FenceAction = 'off' | 'status';

/** Names of options; `option` is an old word for `action` with some agents. */
const OPTION = /^[A-Za-z0-9_-]{1,64}$/u;
const RESERVED = ['action', 'option'];

export function isFenceOption(key: string): boolean {
  return OPTION.test(key) && !RESERVED.includes(key.toLowerCase());
}

/**
 * The lines of an options file; comments and empty lines are left out. Undefined where one is
 * neither, nor an option.
 */
export function parseFenceOptions(
  text: string,
): readonly (readonly [string, string])[] | undefined {
  const options: [string, string][] = [];
  for (const raw of text.split('\n')) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const at = line.indexOf('=');
    const key = line.slice(0, Math.max(at, 0)).trim();
    if (!isFenceOption(key)) return undefined;
    options.push([key, line.slice(at + 1)]);
  }
  return options;
}

/** The exit codes of `status`. */
const STATUS_ON = 0;
const STATUS_OFF = 2;

/** What an exit code of `status` says. */
export function stateOfStatus(code: number): FenceAnswer['state'] {
  if (code === STATUS_OFF) return 'off';
  return code === STATUS_ON ? 'on' : 'unknown';
}

/** What the agent reads. Later lines win with most agents, so the action comes last. */
export function fenceInput(
  options: readonly (readonly [string, string])[],
  action: FenceAction,
): string {
  const lines = [...options, ['action', action] as const];
  return lines.map(([key, value]) => `${key}=${value}\n`).join('');
}
