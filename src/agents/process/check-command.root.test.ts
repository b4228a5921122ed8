/** The check command of a process, with real programs. Needs root. */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLog } from '../../adapters/log.ts';
import { readProcess } from '../../adapters/process/proc.ts';
import { createProcessRunner } from '../../adapters/process/process-runner.ts';
import type { Agent } from '../../ports/agent.ts';
import type { ProgramRunner } from '../../ports/program-runner.ts';
import type { ProcessConfig } from '../../protocol/config.ts';
import type { Epoch, GroupId, ResourceId } from '../../protocol/ids.ts';
import { createProcessAgent } from './process-agent.ts';

const epoch = 1 as Epoch;
const never = new AbortController().signal;
const NAMES = ['g.p', 'g.p.check'];

let runDir = '';
let runner: ProgramRunner;
let agent: Agent;

function newRunner(): ProgramRunner {
  return createProcessRunner({ runDir, log: createLog({ name: 'test', level: 'silent' }) });
}

beforeEach(async () => {
  runDir = await mkdtemp(join(tmpdir(), 'tako-check-'));
  runner = newRunner();
});

afterEach(async () => {
  const later = newRunner();
  for (const name of NAMES) {
    const program = later.program(name);
    program.killAll();
    expect(await program.empty(5000, never)).toBe(true);
    program.forget();
  }
  await rm(runDir, { recursive: true, force: true });
});

function make(check: string, over: Partial<ProcessConfig> = {}): Agent {
  const config: ProcessConfig = {
    id: 'p' as ResourceId,
    agent: 'process',
    after: [],
    monitorMs: 1000,
    monitorTimeoutMs: 1000,
    deepMonitor: { everyMs: 30_000, timeoutMs: 20_000 },
    unknownLimit: 3,
    startTimeoutMs: 10_000,
    stopTimeoutMs: 2000,
    restarts: { limit: 3, windowMs: 60_000 },
    onFailure: 'failover',
    command: ['sleep', '1000'],
    user: undefined,
    directory: '/',
    environment: { WHERE: runDir },
    stopSignal: 'SIGTERM',
    readyPort: undefined,
    checkCommand: ['sh', '-c', check],
    ...over,
  };
  agent = createProcessAgent('g' as GroupId, config, { runner });
  return agent;
}

/** Programs that are not known to be gone. */
function records(): readonly string[] {
  return readdirSync(join(runDir, 'programs'));
}

function pidIn(name: string): number {
  return Number(readFileSync(join(runDir, name), 'utf8'));
}

async function eventually(check: () => void): Promise<void> {
  await vi.waitFor(check, { timeout: 15_000, interval: 5 });
}

describe('a deep check', () => {
  it('says what the command says, and leaves nothing behind', async () => {
    make(
      'echo $((1 + $(cat $WHERE/runs 2>/dev/null || echo 0))) > $WHERE/runs; ! test -e $WHERE/bad',
    );
    expect(await agent.start(epoch, never)).toMatchObject({ outcome: 'ok' });
    expect(pidIn('runs')).toBe(1);
    expect(await agent.monitor(never, 'deep')).toEqual({
      state: 'online',
      detail: 'sh says all is well',
    });
    writeFileSync(join(runDir, 'bad'), '');
    expect(await agent.monitor(never, 'light')).toMatchObject({ state: 'online' });
    expect(pidIn('runs')).toBe(2);
    const failed = { state: 'failed', detail: 'sh ended: exit code 1' };
    expect(await agent.monitor(never, 'deep')).toEqual(failed);
    expect(records()).toEqual(['g.p.json']);
  });

  it('tells what the command wrote', async () => {
    make('test -e $WHERE/bad || exit 0; echo connection refused >&2; exit 2');
    await agent.start(epoch, never);
    writeFileSync(join(runDir, 'bad'), '');
    const { detail } = await agent.monitor(never, 'deep');
    expect(detail).toBe('sh ended: exit code 2; it wrote: connection refused');
  });

  it('that is cancelled is killed with all that it forked, and found no answer', async () => {
    make('test -e $WHERE/hang || exit 0; sleep 1017 & echo $! > $WHERE/child; sleep 1018');
    await agent.start(epoch, never);
    writeFileSync(join(runDir, 'hang'), '');
    const canceller = new AbortController();
    const seen = agent.monitor(canceller.signal, 'deep');
    await eventually(() => expect(pidIn('child')).toBeGreaterThan(1));
    canceller.abort();
    expect(await seen).toEqual({ state: 'unknown', detail: 'sh did not end in time' });
    expect(readProcess(pidIn('child'))?.state ?? 'Z').toBe('Z');
    expect(records()).toEqual(['g.p.json']);
  });

  it('whose command is killed by somebody proves nothing', async () => {
    make('test -e $WHERE/bad || exit 0; kill -KILL $$');
    await agent.start(epoch, never);
    writeFileSync(join(runDir, 'bad'), '');
    const detail = 'sh ended: killed by SIGKILL';
    expect(await agent.monitor(never, 'deep')).toEqual({ state: 'unknown', detail });
  });

  it('of a program that does not run is not made', async () => {
    make('touch $WHERE/made');
    expect(await agent.monitor(never, 'deep')).toMatchObject({ state: 'stopped' });
    expect(existsSync(join(runDir, 'made'))).toBe(false);
  });

  it('ends what an earlier control left of one', async () => {
    make('test -e $WHERE/hang || exit 0; echo $$ > $WHERE/old; exec sleep 1019');
    await agent.start(epoch, never);
    writeFileSync(join(runDir, 'hang'), '');
    void agent.monitor(never, 'deep');
    await eventually(() => expect(pidIn('old')).toBeGreaterThan(1));
    runner = newRunner();
    make('exit 0');
    expect(await agent.monitor(never, 'deep')).toMatchObject({ state: 'online' });
    expect(readProcess(pidIn('old'))?.state ?? 'Z').toBe('Z');
  });
});

describe('a start', () => {
  it('is done when the command says so', async () => {
    make('echo x >> $WHERE/asked; test $(wc -l < $WHERE/asked) -ge 3');
    expect(await agent.start(epoch, never)).toMatchObject({
      outcome: 'ok',
      detail: expect.stringMatching(/^runs, pid \d+; sh says all is well$/u) as string,
    });
    expect(readFileSync(join(runDir, 'asked'), 'utf8')).toBe('x\nx\nx\n');
  });

  it('of which time runs out says what the command said last', async () => {
    make('exit 3');
    const canceller = new AbortController();
    const outcome = agent.start(epoch, canceller.signal);
    await eventually(() => expect(existsSync(join(runDir, 'log', 'g.p.check.log'))).toBe(true));
    canceller.abort();
    expect(await outcome).toMatchObject({ outcome: 'unknown' });
  });

  it('of a program that dies meanwhile has failed', async () => {
    make('exit 1', { command: ['sh', '-c', 'sleep 0.4; exit 9'] });
    const detail = expect.stringContaining('exit code 9') as string;
    expect(await agent.start(epoch, never)).toMatchObject({ outcome: 'failed', detail });
  });

  it('that waits for a command that hangs gives way to a stop, which ends both', async () => {
    make('echo $$ > $WHERE/pid; exec sleep 1020');
    const outcome = agent.start(epoch, never);
    await eventually(() => expect(pidIn('pid')).toBeGreaterThan(1));
    expect(await agent.stop(never, 'orderly')).toMatchObject({ outcome: 'ok' });
    expect(await outcome).toMatchObject({ outcome: 'unknown' });
    expect(readProcess(pidIn('pid'))?.state ?? 'Z').toBe('Z');
    expect(records()).toEqual([]);
  });
});
