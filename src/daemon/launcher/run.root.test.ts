/** The launcher as a real process with real signals, and a small program in place of the heart. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createApi } from '../../api/create-api.ts';
import type { NodeSetup } from '../../protocol/config.ts';
import type { Steering } from '../../ports/steering.ts';

const HEART = `
import { appendFileSync, readFileSync } from 'node:fs';
const setup = JSON.parse(readFileSync(process.argv[2], 'utf8'));
appendFileSync(setup.stateDir + '/starts', process.pid + '\\n');
if (setup.config.cluster === 'dying') process.exit(3);
process.on('SIGTERM', () => setTimeout(() => process.exit(0), 100));
// A test run that is cut off leaves nothing behind for long.
setTimeout(() => process.exit(0), 60_000);
`;
const config = (cluster: string): string => `cluster: ${cluster}
key-file: ${folder}/key
links: { lan: { kind: udp } }
nodes: { n1: { lan: 127.0.0.1 }, n2: { lan: 127.54.0.2 } }
witness: { w1: { lan: 127.54.0.3 } }
groups: {}
`;

let folder: string;
const launchers: Launcher[] = [];

interface Launcher {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  output(): string;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tako-run-'));
  writeFileSync(join(folder, 'key'), Buffer.alloc(32, 7).toString('base64'), { mode: 0o600 });
  writeFileSync(join(folder, 'heart.mjs'), HEART);
  writeFileSync(join(folder, 'tako.yaml'), config('test'));
});

afterEach(async () => {
  for (const { child, ended } of launchers.splice(0)) {
    child.kill('SIGKILL');
    await ended;
  }
  for (const pid of starts()) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  await eventually(() => expect(starts().some(isAlive)).toBe(false));
  rmSync(folder, { recursive: true });
});

function startLauncher(node: string | undefined = 'n1', asUser?: number): Launcher {
  const options = {
    configFile: `${folder}/tako.yaml`,
    node,
    runDir: `${folder}/run`,
    stateDir: `${folder}/state`,
    program: `${folder}/heart.mjs`,
  };
  const script = `import { launch } from ${JSON.stringify(new URL('../run.ts', import.meta.url).href)};
    process.stdin.on('end', () => process.exit(8)).resume().unref();
    launch(${JSON.stringify(options)}).then(
      (code) => { process.exitCode = code; },
      (error) => { console.error(error.code + ': ' + error.message); process.exitCode = 9; },
    );`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    // The launcher ends with the test run, whose end of this pipe closes then.
    stdio: ['pipe', 'ignore', 'pipe'],
    ...(asUser === undefined ? {} : { uid: asUser }),
  });
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const ended = new Promise<number | null>((resolve) => {
    // Not `close`: a heart that outlives its launcher keeps the pipe open.
    child.on('exit', (code) => resolve(code));
  });
  const launcher = { child, ended, output: () => text };
  launchers.push(launcher);
  return launcher;
}

function starts(): number[] {
  try {
    return readFileSync(join(folder, 'state/starts'), 'utf8').trim().split('\n').map(Number);
  } catch {
    return [];
  }
}

function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

const eventually = (check: () => void): Promise<void> =>
  vi.waitFor(check, { timeout: 10_000, interval: 20 });
const started = (count: number): Promise<void> =>
  eventually(() => expect(starts()).toHaveLength(count));

describe('a start', () => {
  test('gives the heart its set-up, in private directories, and a stop waits for its end', async () => {
    const { child, ended, output } = startLauncher();
    await started(1);
    const setup = JSON.parse(readFileSync(join(folder, 'run/setup.json'), 'utf8')) as NodeSetup;
    expect(setup).toMatchObject({
      node: 'n1',
      runDir: `${folder}/run`,
      stateDir: `${folder}/state`,
      configFile: `${folder}/tako.yaml`,
      config: { cluster: 'test', timing: { leaseMs: 300 } },
    });
    expect(JSON.parse(readFileSync(join(folder, 'state/config.json'), 'utf8'))).toEqual(
      setup.config,
    );
    expect(statSync(join(folder, 'run')).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, 'state')).mode & 0o777).toBe(0o700);
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(starts().some(isAlive)).toBe(false);
    expect(output()).toContain('Tako has stopped.');
  });

  test('is refused beside another with the same run directory', async () => {
    startLauncher();
    await started(1);
    const second = startLauncher();
    expect(await second.ended).toBe(9);
    await eventually(() => expect(second.output()).not.toBe(''));
    expect(second.output()).toContain('busy: Cannot run Tako: another "tako run" uses');
    expect(starts()).toHaveLength(1);
  });

  test('is refused to a name that the configuration does not have', async () => {
    const { ended, output } = startLauncher('n7');
    expect(await ended).toBe(9);
    await eventually(() => expect(output()).not.toBe(''));
    expect(output()).toContain('no-such-node: Cannot run Tako as "n7" (given with --node)');
  });

  test('is refused to others than root', async () => {
    chmodSync(folder, 0o755);
    const { ended, output } = startLauncher('n1', 65_534);
    expect(await ended).toBe(9);
    await eventually(() => expect(output()).not.toBe(''));
    expect(output()).toContain('not-root: Cannot run Tako');
  });

  test('is refused with a key that others can read', async () => {
    chmodSync(join(folder, 'key'), 0o644);
    const { ended, output } = startLauncher();
    expect(await ended).toBe(9);
    await eventually(() => expect(output()).not.toBe(''));
    expect(output()).toContain('key-unusable');
  });
});

describe('a heart that dies', () => {
  test('is started again at once', async () => {
    const { output } = startLauncher();
    await started(1);
    const [first = 0] = starts();
    const killedAt = performance.now();
    process.kill(first, 'SIGKILL');
    await started(2);
    expect(performance.now() - killedAt).toBeLessThan(2000);
    expect(output()).toContain('The heart was ended by SIGKILL: starting it again at once.');
  });

  test('at its start, again and again, is given time', async () => {
    writeFileSync(join(folder, 'tako.yaml'), config('dying'));
    const { child, ended, output } = startLauncher();
    await eventually(() => expect(output()).toContain('starting it again in 1 s'));
    expect(starts()).toHaveLength(6);
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  });

  test('after its launcher was killed is kept by the next one, not doubled', async () => {
    const first = startLauncher();
    await started(1);
    await eventually(() => expect(first.output()).toContain('The heart runs'));
    first.child.kill('SIGKILL');
    await first.ended;
    const [heart = 0] = starts();
    expect(isAlive(heart)).toBe(true);
    const second = startLauncher();
    await eventually(() => expect(second.output()).toContain(`still runs (process ${heart})`));
    process.kill(heart, 'SIGKILL');
    await started(2);
    second.child.kill('SIGTERM');
    expect(await second.ended).toBe(0);
    expect(starts().some(isAlive)).toBe(false);
  });
});

describe('a broken configuration', () => {
  test('at the first start forbids it, with its place', async () => {
    writeFileSync(join(folder, 'tako.yaml'), 'cluster: [\n');
    const { ended, output } = startLauncher();
    expect(await ended).toBe(9);
    await eventually(() => expect(output()).not.toBe(''));
    expect(output()).toContain(`${folder}/tako.yaml:2:1: not YAML`);
  });

  test('later gives way to the last good one, loudly', async () => {
    const first = startLauncher();
    await started(1);
    first.child.kill('SIGTERM');
    await first.ended;
    writeFileSync(join(folder, 'tako.yaml'), config('Wrong'));
    const second = startLauncher();
    await started(2);
    expect(second.output()).toContain(`${folder}/tako.yaml:1:10: cluster: found "Wrong"`);
    expect(second.output()).toContain('GOING ON WITH THE LAST GOOD CONFIGURATION');
  });

  test('at SIGHUP is told, a good one handed to control', async () => {
    let reloads = 0;
    const reload = (): Promise<string> => {
      reloads += 1;
      return Promise.resolve('Reloaded: nothing changed');
    };
    const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
    const { child, output } = startLauncher();
    await started(1);
    await eventually(() => expect(output()).toContain('The heart runs'));
    const api = createApi({ reload } as unknown as Steering, log);
    try {
      await api.listen(join(folder, 'run/api.sock'));
      writeFileSync(join(folder, 'tako.yaml'), config('Wrong'));
      child.kill('SIGHUP');
      await eventually(() => expect(output()).toContain('Keeping the running configuration'));
      expect(reloads).toBe(0);
      writeFileSync(join(folder, 'tako.yaml'), config('test'));
      child.kill('SIGHUP');
      await eventually(() => expect(output()).toContain('Reloaded: nothing changed'));
      expect(reloads).toBe(1);
    } finally {
      await api.close();
    }
  });
});
