/** Real programs, real control groups, real signals. Needs root. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLog } from '../../adapters/log.ts';
import { parentDirectories } from '../../adapters/process/cgroup.ts';
import { isMarked } from '../../adapters/process/containment.ts';
import { allProcesses, findAlive, isAlive, readProcess } from '../../adapters/process/proc.ts';
import { createProcessRunner } from '../../adapters/process/process-runner.ts';
import { findUser } from '../../adapters/process/user.ts';
import { assert, must } from '../../base/assert.ts';
import type { Agent, MonitorResult } from '../../ports/agent.ts';
import type { ProgramRunner } from '../../ports/program-runner.ts';
import type { ProcessConfig } from '../../protocol/config.ts';
import type { Epoch, GroupId, ResourceId } from '../../protocol/ids.ts';
import { createProcessAgent } from './process-agent.ts';

const epoch = 1 as Epoch;
const never = new AbortController().signal;
const node = process.execPath;
const postgres = '/usr/lib/postgresql/15/bin';
const oldFreezer = '/sys/fs/cgroup/freezer';

/** A control that prepares a launch and then does nothing: arguments are the run directory and `cgroups`. */
const PREPARE = `
  import { createLog } from '../../adapters/log.ts';
  import { createProcessRunner } from '../../adapters/process/process-runner.ts';
  const [runDir, cgroups] = process.argv.slice(1);
  const log = createLog({ name: 'test', level: 'error' });
  const program = createProcessRunner({ runDir, cgroups: cgroups === 'true', log }).program('g.p');
  program.prepare({ command: ['sleep', '1000'], user: undefined, directory: '/', environment: {} });
`;

let runDir = '';
let runner: ProgramRunner;
const children: ChildProcess[] = [];

beforeEach(async () => {
  runDir = await mkdtemp(join(tmpdir(), 'tako-programs-'));
  chmodSync(runDir, 0o755);
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const { pid } of ownProcesses()) process.kill(pid, 'SIGKILL');
  await eventually(() => assert(ownProcesses().length === 0, 'no process of the test is left'));
  const left = createProcessRunner({ runDir, log: createLog({ name: 'test', level: 'silent' }) });
  const program = left.program('g.p');
  program.killAll();
  assert(await program.empty(2000, never), 'no process of the test is left');
  program.forget();
  const groups = parentDirectories().flatMap((directory) => readdirSync(directory));
  const own = groups.filter((name) => name.startsWith('tako-') && name.includes('-g.p-'));
  assert(own.length === 0, `no control group is left: ${own.join()}`);
  await rm(runDir, { recursive: true, force: true });
});

/** The marker of all launches in this run directory begins like this. */
function marker(): string {
  const { dev, ino } = statSync(runDir);
  return `${dev.toString(36)}-${ino.toString(36)}:g.p:`;
}

function ownProcesses() {
  return allProcesses().filter((info) => isAlive(info) && isMarked(info.pid, marker()));
}

/** With time enough for a machine that is busy with other things. */
function eventually(check: () => unknown): Promise<unknown> {
  return vi.waitFor(check, { timeout: 15_000, interval: 5 });
}

function configOf(over: Partial<ProcessConfig>): ProcessConfig {
  return {
    id: 'p' as ResourceId,
    agent: 'process',
    after: [],
    monitorMs: 1000,
    monitorTimeoutMs: 1000,
    deepMonitor: undefined,
    unknownLimit: 3,
    onFailure: 'failover',
    startTimeoutMs: 10_000,
    stopTimeoutMs: 2000,
    restarts: { limit: 3, windowMs: 60_000 },
    command: ['sleep', '1000'],
    user: undefined,
    directory: '/',
    environment: {},
    stopSignal: 'SIGTERM',
    readyPort: undefined,
    checkCommand: undefined,
    ...over,
  };
}

function sh(script: string, over: Partial<ProcessConfig> = {}): ProcessConfig {
  return configOf({ command: ['sh', '-c', script], ...over });
}

function byNumber(a: number, b: number): number {
  return a - b;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function tokens(text: string): readonly number[] {
  return text.trim().split(/\s+/).map(Number);
}

function output(): string {
  return readFileSync(join(runDir, 'log', 'g.p.log'), 'utf8');
}

function cgroup(): string | undefined {
  const text = readFileSync(join(runDir, 'programs', 'g.p.json'), 'utf8');
  return (JSON.parse(text) as { cgroup?: string }).cgroup;
}

describe.each([
  ['in a control group', true],
  ['found by searching /proc', false],
])('a program %s', (_, cgroups) => {
  let agent: Agent;
  let changes: MonitorResult[] = [];

  beforeEach(() => {
    changes = [];
    runner = createProcessRunner({
      runDir,
      cgroups,
      log: createLog({ name: 'test', level: 'error' }),
    });
  });

  function make(config: ProcessConfig, by: ProgramRunner = runner): Agent {
    agent = createProcessAgent('g' as GroupId, config, { runner: by });
    agent.onChange((result) => changes.push(result));
    return agent;
  }

  function mainPid(): number {
    const state = runner.program('g.p').state();
    return state.type === 'running' ? state.pid : 0;
  }

  it('starts, is watched and stops; each action is repeatable', async () => {
    make(configOf({}));
    expect(await agent.monitor(never, 'light')).toMatchObject({ state: 'stopped' });
    expect(await agent.stop(never, 'orderly')).toMatchObject({ outcome: 'ok' });
    expect(await agent.start(epoch, never)).toMatchObject({ outcome: 'ok' });
    const pid = mainPid();
    expect(readProcess(pid)).toMatchObject({ name: 'sleep', session: pid });
    expect(await agent.start(epoch, never)).toMatchObject({ outcome: 'ok' });
    expect(mainPid()).toBe(pid);
    expect(await agent.monitor(never, 'light')).toMatchObject({ state: 'online' });
    const group = cgroups ? must(cgroup(), 'this machine has control groups') : undefined;
    expect(cgroup() !== undefined).toBe(cgroups);
    const before = performance.now();
    expect(await agent.stop(never, 'orderly')).toEqual({
      outcome: 'ok',
      detail: 'ended by itself',
    });
    expect(performance.now() - before).toBeLessThan(1500);
    expect(await agent.monitor(never, 'light')).toMatchObject({ state: 'stopped' });
    expect(readdirSync(join(runDir, 'programs'))).toEqual([]);
    expect(existsSync(group ?? '/nowhere')).toBe(false);
    expect(changes).toEqual([]);
  });

  it('becomes what was prepared; before that nothing of it has run', async () => {
    make(sh('echo ran; exec sleep 1000', { directory: runDir }));
    agent.prepare?.();
    agent.prepare?.();
    await eventually(() => expect(ownProcesses()).toHaveLength(1));
    const [prepared] = ownProcesses();
    expect((await agent.monitor(never, 'light')).state).toBe('stopped');
    expect(existsSync(join(runDir, 'programs', 'g.p.json'))).toBe(false);
    expect(output()).toBe('');
    expect((await agent.start(epoch, never)).outcome).toBe('ok');
    expect(ownProcesses().map(({ pid }) => pid)).toEqual([prepared?.pid]);
    await eventually(() => expect(output()).toBe('ran\n'));
    agent.prepare?.();
    expect((await agent.stop(never, 'orderly')).outcome).toBe('ok');
    expect(ownProcesses()).toEqual([]);
  });

  it('starts although what was prepared for it has died', async () => {
    make(configOf({}));
    agent.prepare?.();
    await eventually(() => expect(ownProcesses()).toHaveLength(1));
    for (const { pid } of ownProcesses()) process.kill(pid, 'SIGKILL');
    await eventually(() => expect(ownProcesses()).toEqual([]));
    expect((await agent.start(epoch, never)).outcome).toBe('ok');
    expect((await agent.monitor(never, 'light')).state).toBe('online');
    expect((await agent.stop(never, 'orderly')).outcome).toBe('ok');
  });

  it('leaves nothing of what was prepared when its control dies', async () => {
    const control = spawn(node, ['--input-type=module', '-e', PREPARE, runDir, String(cgroups)], {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    children.push(control);
    await eventually(() => expect(ownProcesses()).toHaveLength(1));
    control.kill('SIGKILL');
    await eventually(() => expect(ownProcesses()).toEqual([]));
    // Looked at once more, as the next control does.
    make(configOf({}));
    expect((await agent.monitor(never, 'light')).state).toBe('stopped');
  });

  it('tells at once how it ended', async () => {
    make(sh('sleep 0.3; echo out of cheese >&2; exit 7'));
    expect(await agent.start(epoch, never)).toMatchObject({ outcome: 'ok' });
    await eventually(() => expect(changes.length).toBe(1));
    expect(changes[0]).toEqual({
      state: 'failed',
      detail: 'ended: exit code 7; it wrote: out of cheese',
    });
    expect(await agent.monitor(never, 'light')).toMatchObject({ state: 'failed' });
    expect(await agent.start(epoch, never)).toMatchObject({ outcome: 'ok' });
    process.kill(mainPid(), 'SIGKILL');
    const at = performance.now();
    await eventually(() => expect(changes.length).toBe(2));
    expect(performance.now() - at).toBeLessThan(500);
    expect(changes[1]?.detail).toContain('killed by SIGKILL');
    expect(await agent.stop(never, 'orderly')).toMatchObject({ outcome: 'ok' });
    expect(changes.length).toBe(2);
  });

  it.each([
    ['a program that ends at once', sh('echo no licence; exit 3'), /exit code 3.*no licence/],
    ['a daemon that goes to the background', sh('exit 0'), /must stay in the foreground/],
    [
      'a program that is not there',
      configOf({ command: ['/nowhere/x'] }),
      /exit code 127.*not found/,
    ],
    ['a directory that is not there', configOf({ directory: '/nowhere' }), /exit code 125.*cd to/],
    ['a user that is not there', configOf({ user: 'nobody-at-all' }), /no such user/],
  ])('fails to start %s', async (_name, config, detail) => {
    make(config);
    const outcome = await agent.start(epoch, never);
    expect(outcome.outcome).toBe('failed');
    expect(outcome.detail).toMatch(detail);
    expect(changes).toEqual([]);
    expect(await agent.stop(never, 'orderly')).toMatchObject({ outcome: 'ok' });
    expect(await agent.monitor(never, 'light')).toMatchObject({ state: 'stopped' });
  });

  it('kills what ignores the polite signal when the time is over, or when cancelled', async () => {
    const stubborn = sh("trap '' TERM INT; while :; do sleep 0.05; done", { stopTimeoutMs: 300 });
    make(stubborn);
    await agent.start(epoch, never);
    const before = performance.now();
    const outcome = await agent.stop(never, 'orderly');
    expect(outcome).toEqual({ outcome: 'ok', detail: 'killed, SIGTERM did not end it' });
    expect(performance.now() - before).toBeGreaterThan(230);
    expect(performance.now() - before).toBeLessThan(1500);
    const log = createLog({ name: 'test', level: 'error' });
    make({ ...stubborn, stopTimeoutMs: 60_000 }, createProcessRunner({ runDir, cgroups, log }));
    await agent.start(epoch, never);
    const cancel = new AbortController();
    const stopping = agent.stop(cancel.signal, 'orderly');
    cancel.abort();
    expect(await stopping).toMatchObject({ outcome: 'ok' });
    await agent.start(epoch, never);
    const orderly = agent.stop(never, 'orderly');
    expect(await agent.stop(never, 'abandon')).toMatchObject({ outcome: 'ok' });
    expect(await orderly).toMatchObject({ outcome: 'ok' });
    await agent.start(epoch, never);
    const abandoned = { outcome: 'ok', detail: 'killed at once' };
    expect(await agent.stop(never, 'abandon')).toEqual(abandoned);
    expect(changes).toEqual([]);
  });

  it('leaves nothing of a double fork, of forked children, of a fork storm', async () => {
    // A daemon of the old school, with a session of its own; children that ignore SIGTERM; and a
    // shell that forks all the time.
    make(
      sh(
        `setsid sh -c 'sleep 1001 & exec sleep 1002' & (setsid sleep 1003 &)
        sh -c "trap '' TERM; sleep 1004; sleep 1005" &
        (while :; do sleep 1006 & sleep 0.01; done) &
        echo started; exec sleep 1007`,
        { stopTimeoutMs: 1000 },
      ),
    );
    expect(await agent.start(epoch, never)).toMatchObject({ outcome: 'ok' });
    await eventually(() => expect(output()).toContain('started'));
    await eventually(() => expect(ownProcesses().length).toBeGreaterThan(8));
    expect(await agent.stop(never, 'orderly')).toMatchObject({ outcome: 'ok' });
    expect(ownProcesses()).toEqual([]);
  });

  it('clears away what a dead main process left before it starts again', async () => {
    make(sh('(setsid sleep 1008 & echo $! $$); exec sleep 1009'));
    await agent.start(epoch, never);
    await eventually(() => expect(tokens(output()).length).toBe(2));
    const [orphan = 0] = tokens(output());
    process.kill(mainPid(), 'SIGKILL');
    await eventually(() => expect(changes.length).toBe(1));
    expect(runner.program('g.p').state()).toMatchObject({ type: 'ended', left: [orphan] });
    expect(await agent.start(epoch, never)).toMatchObject({ outcome: 'ok' });
    expect(readProcess(orphan)?.state ?? 'Z').toBe('Z');
    await agent.stop(never, 'orderly');
  });

  it('is ready when its port accepts, and is asked there', async () => {
    const port = await freePort();
    const script = `const s = require('net').createServer();
      setTimeout(() => s.listen(${port}, '127.0.0.1'), 150);
      process.on('SIGUSR2', () => s.close());`;
    make(configOf({ command: [node, '-e', script], readyPort: port, stopTimeoutMs: 500 }));
    expect(await agent.start(epoch, never)).toMatchObject({
      outcome: 'ok',
      detail: `accepts connections on port ${port}`,
    });
    expect(await agent.monitor(never, 'light')).toMatchObject({ state: 'online' });
    process.kill(mainPid(), 'SIGUSR2');
    await eventually(async () => {
      const { state, detail } = await agent.monitor(never, 'light');
      expect([state, detail]).toEqual([expect.stringMatching('failed'), expect.any(String)]);
    });
    expect(await agent.stop(never, 'orderly')).toMatchObject({ outcome: 'ok' });
  });

  it('does not take a foreign program on its port for its own', async () => {
    const port = await freePort();
    const foreign = createServer().listen(port, '127.0.0.1');
    await new Promise((resolve) => foreign.once('listening', resolve));
    make(configOf({ readyPort: port }));
    const outcome = await agent.start(epoch, never);
    await new Promise((resolve) => foreign.close(resolve));
    expect(outcome).toMatchObject({ outcome: 'failed', detail: expect.stringMatching(/in use/) });
  });

  it('does not know how a start ends that is cancelled; a stop then ends it', async () => {
    const port = await freePort();
    make(configOf({ readyPort: port }));
    const cancel = new AbortController();
    const starting = agent.start(epoch, cancel.signal);
    await eventually(() => expect(mainPid()).toBeGreaterThan(0));
    cancel.abort();
    expect(await starting).toMatchObject({ outcome: 'unknown' });
    expect(await agent.stop(never, 'orderly')).toMatchObject({ outcome: 'ok' });
    const again = agent.start(epoch, never);
    await eventually(() => expect(mainPid()).toBeGreaterThan(0));
    expect(await agent.stop(never, 'orderly')).toMatchObject({ outcome: 'ok' });
    expect(await again).toMatchObject({ outcome: 'unknown' });
    expect(await agent.monitor(never, 'light')).toMatchObject({ state: 'stopped' });
  });

  it('has the user, groups, directory and environment that it should', async () => {
    make(
      sh(
        'id -u; id -g; id -G; pwd; echo "$HOME $COLOUR ${PATH#*:/usr/bin}"; echo x >>/dev/stderr; sleep 1010',
        {
          user: 'daemon',
          directory: '/var',
          environment: { COLOUR: 'blue' },
        },
      ),
    );
    expect(await agent.start(epoch, never)).toMatchObject({ outcome: 'ok' });
    await eventually(() => expect(output()).toContain('x\n'));
    expect(output().split('\n').slice(0, 5)).toEqual([
      '1',
      '1',
      '1',
      '/var',
      '/usr/sbin blue :/sbin:/bin',
    ]);
    await agent.stop(never, 'orderly');
  });

  it('may write a lot', async () => {
    make(
      sh(
        'for i in 1 2 3 4 5 6 7 8; do head -c 1000000 /dev/zero | tr "\\0" x; done; echo; echo end; sleep 1011',
      ),
    );
    await agent.start(epoch, never);
    const file = join(runDir, 'log', 'g.p.log');
    await eventually(() => expect(existsSync(`${file}.1`)).toBe(true));
    await eventually(() => expect(statSync(file).size).toBeLessThan(5_000_000));
    expect(await agent.monitor(never, 'light')).toMatchObject({ state: 'online' });
    expect(await agent.stop(never, 'orderly')).toMatchObject({ outcome: 'ok' });
  });

  it('is adopted by a later process, which sees its end and can stop it', async () => {
    // The first control is a process of its own, and is killed without a goodbye.
    const script = join(runDir, 'first.ts');
    const at = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
    writeFileSync(
      script,
      `import { createLog } from ${at('../../adapters/log.ts')};
      import { createProcessRunner } from ${at('../../adapters/process/process-runner.ts')};
      import { createProcessAgent } from ${at('./process-agent.ts')};
      const log = createLog({ name: 'first', level: 'error' });
      const runner = createProcessRunner({ runDir: ${JSON.stringify(runDir)}, cgroups: ${cgroups}, log });
      const config = ${JSON.stringify(sh('(setsid sleep 1012 &); exec sleep 1013'))};
      const agent = createProcessAgent('g', config, { runner });
      console.log(JSON.stringify(await agent.start(1, new AbortController().signal)));
      setInterval(() => undefined, 1000);`,
    );
    async function launchAndKill(): Promise<void> {
      const first = spawn(node, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
      children.push(first);
      const line = await new Promise<string>((resolve) =>
        first.stdout.once('data', (d) => resolve(String(d))),
      );
      expect(line).toContain('"ok"');
      first.kill('SIGKILL');
      await new Promise((resolve) => first.once('exit', resolve));
    }
    await launchAndKill();
    make(configOf({}));
    const pid = mainPid();
    expect(readProcess(pid)).toMatchObject({ name: 'sleep' });
    expect(await agent.monitor(never, 'light')).toMatchObject({ state: 'online' });
    expect(await agent.start(epoch, never)).toMatchObject({ outcome: 'ok' });
    expect(mainPid()).toBe(pid);
    process.kill(pid, 'SIGKILL');
    const killedAt = performance.now();
    await eventually(() => expect(changes.length).toBe(1));
    expect(performance.now() - killedAt).toBeLessThan(500);
    expect(changes[0]?.detail).toContain('not known');
    expect(await agent.stop(never, 'orderly')).toMatchObject({ outcome: 'ok' });
    await launchAndKill();
    const third = createProcessRunner({ runDir, log: createLog({ name: 'test', level: 'error' }) });
    make(configOf({}), third);
    const state = third.program('g.p').state();
    expect(state.type).toBe('running');
    expect(await agent.stop(never, 'orderly')).toMatchObject({
      outcome: 'ok',
      detail: expect.any(String),
    });
    expect(ownProcesses()).toEqual([]);
  });

  it('never touches another process that has got its pid', async () => {
    make(configOf({}));
    await agent.start(epoch, never);
    await agent.stop(never, 'orderly');
    const foreign = spawn('sleep', ['1014']);
    children.push(foreign);
    const pid = must(foreign.pid, 'it was started');
    const info = must(readProcess(pid), 'it runs');
    const record = { format: 1, marker: `${marker()}x`, outputFrom: 0 };
    const main = { pid, startTime: info.startTime - 1 };
    writeFileSync(join(runDir, 'programs', 'g.p.json'), JSON.stringify({ ...record, main }));
    const later = createProcessRunner({
      runDir,
      cgroups,
      log: createLog({ name: 't', level: 'error' }),
    });
    make(configOf({}), later);
    expect(await agent.monitor(never, 'light')).toMatchObject({ state: 'failed' });
    expect(await agent.stop(never, 'orderly')).toMatchObject({ outcome: 'ok' });
    expect(findAlive(info)).toBeDefined();
  });

  it('is found even when its record is lost or unreadable', async () => {
    make(configOf({}));
    await agent.start(epoch, never);
    const pid = mainPid();
    const record = join(runDir, 'programs', 'g.p.json');
    for (const text of ['{"format":', '{"format":1}']) {
      writeFileSync(record, text);
      const later = createProcessRunner({
        runDir,
        cgroups,
        log: createLog({ name: 't', level: 'silent' }),
      });
      make(configOf({}), later);
      expect(later.program('g.p').state()).toMatchObject({ type: 'ended', left: [pid] });
      expect(await agent.monitor(never, 'light')).toMatchObject({ state: 'failed' });
    }
    await rm(record);
    const last = createProcessRunner({
      runDir,
      cgroups,
      log: createLog({ name: 't', level: 'silent' }),
    });
    make(configOf({}), last);
    expect(await agent.stop(never, 'orderly')).toMatchObject({ outcome: 'ok' });
    expect(readProcess(pid)?.state ?? 'Z').toBe('Z');
  });
});

describe('a program in a control group', () => {
  beforeEach(() => {
    runner = createProcessRunner({ runDir, log: createLog({ name: 'test', level: 'error' }) });
  });

  it('can be frozen and thawed, and stopped while frozen', async () => {
    const config = sh('while :; do date +%s%N; sleep 0.01; done');
    const agent = createProcessAgent('g' as GroupId, config, { runner });
    await agent.start(epoch, never);
    const program = runner.program('g.p');
    await program.freeze();
    const frozen = output();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(output()).toBe(frozen);
    await program.thaw();
    await eventually(() => expect(output().length).toBeGreaterThan(frozen.length));
    await program.freeze();
    expect(await agent.stop(never, 'orderly')).toEqual({
      outcome: 'ok',
      detail: 'ended by itself',
    });
  });

  it.skipIf(!existsSync(postgres))(
    'may be PostgreSQL, with its own user and children',
    async () => {
      const data = join(runDir, 'data');
      mkdirSync(data, { mode: 0o700 });
      const user = await findUser('postgres');
      chownSync(data, user.uid, user.gid);
      const initialize = [
        '--reuid=postgres',
        '--regid=postgres',
        '--init-groups',
        `${postgres}/initdb`,
      ];
      execFileSync('setpriv', [...initialize, '-N', '-D', data, '-A', 'trust']);
      const port = await freePort();
      const command = [`${postgres}/postgres`, '-D', data, '-p', String(port), '-k', ''];
      const config = configOf({ command, user: 'postgres', readyPort: port, stopSignal: 'SIGINT' });
      const agent = createProcessAgent('g' as GroupId, config, { runner });
      expect(await agent.start(epoch, never)).toMatchObject({ outcome: 'ok' });
      const main = JSON.parse(readFileSync(join(runDir, 'programs', 'g.p.json'), 'utf8'));
      const groups = /^Groups:(.*)$/m.exec(
        readFileSync(`/proc/${main.main.pid}/status`, 'utf8'),
      )?.[1];
      const wanted = execFileSync('id', ['-G', 'postgres'], { encoding: 'utf8' });
      expect(tokens(groups ?? '').toSorted(byNumber)).toEqual(tokens(wanted).toSorted(byNumber));
      await eventually(() => {
        const pids = readFileSync(join(must(cgroup(), 'it has one'), 'cgroup.procs'), 'utf8');
        expect(tokens(pids).length).toBeGreaterThan(4);
      });
      expect(await agent.monitor(never, 'light')).toMatchObject({ state: 'online' });
      expect(await agent.stop(never, 'orderly')).toEqual({
        outcome: 'ok',
        detail: 'ended by itself',
      });
      expect(existsSync(join(data, 'postmaster.pid'))).toBe(false);
      expect(await agent.start(epoch, never)).toMatchObject({ outcome: 'ok' });
      expect(await agent.stop(never, 'abandon')).toMatchObject({ outcome: 'ok' });
      expect(existsSync(join(data, 'postmaster.pid'))).toBe(true);
      expect(await agent.start(epoch, never)).toMatchObject({ outcome: 'ok' });
      expect(await agent.stop(never, 'orderly')).toMatchObject({ outcome: 'ok' });
    },
  );

  // Tasks in a frozen group of the old hierarchy do not die of SIGKILL, like those in a D state.
  it.skipIf(!existsSync(oldFreezer))('is not called stopped while something is left', async () => {
    const agent = createProcessAgent('g' as GroupId, sh('sleep 1020'), { runner });
    await agent.start(epoch, never);
    const state = runner.program('g.p').state();
    const pid = state.type === 'running' ? state.pid : 0;
    const freezer = join(oldFreezer, `tako-test-${process.pid}`);
    mkdirSync(freezer);
    try {
      writeFileSync(join(freezer, 'cgroup.procs'), String(pid));
      writeFileSync(join(freezer, 'freezer.state'), 'FROZEN');
      const cancel = AbortSignal.timeout(100);
      const outcome = await agent.stop(cancel, 'orderly');
      expect(outcome.outcome).toBe('failed');
      expect(outcome.detail).toMatch(new RegExp(`cannot be killed: ${pid} \\(sh, state D\\)`));
      expect(existsSync(must(cgroup(), 'it has one'))).toBe(true);
    } finally {
      writeFileSync(join(freezer, 'freezer.state'), 'THAWED');
      await eventually(() => rmdirSync(freezer));
    }
    expect(await agent.stop(never, 'orderly')).toMatchObject({ outcome: 'ok' });
  });

  it('is there from the first instruction on and with a clean environment too', async () => {
    const config = sh('exec env -i sh -c "setsid sleep 1015 & exec sleep 1016"');
    const agent = createProcessAgent('g' as GroupId, config, { runner });
    await agent.start(epoch, never);
    await eventually(() => {
      const state = runner.program('g.p').state();
      expect(state.type).toBe('running');
      const pids = readFileSync(join(must(cgroup(), 'it has one'), 'cgroup.procs'), 'utf8');
      expect(tokens(pids).length).toBe(2);
    });
    const pids = tokens(readFileSync(join(must(cgroup(), 'it has one'), 'cgroup.procs'), 'utf8'));
    expect(await agent.stop(never, 'orderly')).toMatchObject({ outcome: 'ok' });
    for (const pid of pids) expect(readProcess(pid)?.state ?? 'Z').toBe('Z');
  });
});
