/** Hooks that are programs, with real ones: polite, failing, hanging, forking, noisy. Needs root. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLog } from '../../adapters/log.ts';
import { findAlive, isAlive, readProcess } from '../../adapters/process/proc.ts';
import { createProcessRunner } from '../../adapters/process/process-runner.ts';
import { systemTimer } from '../../adapters/timer.ts';
import { must } from '../../base/assert.ts';
import type { ProgramRunner } from '../../ports/program-runner.ts';
import { type HookAnswer, type HookCall, answersAt } from '../../protocol/hook.ts';
import type { Epoch, GroupId, NodeId } from '../../protocol/ids.ts';
import { CommandHook } from './command-hook.ts';

const NAME = 'g.hook.before-start';
const WAIT = { timeout: 5000, interval: 5 };

let runDir = '';
let hook: CommandHook;

function newHook(): CommandHook {
  const log = createLog({ name: 'test', level: 'silent' });
  const runner: ProgramRunner = createProcessRunner({ runDir, log });
  return new CommandHook(runner.program(NAME), systemTimer);
}

beforeEach(async () => {
  runDir = await mkdtemp(join(tmpdir(), 'tako-hook-'));
  hook = newHook();
});

afterEach(async () => {
  await hook.end();
  await newHook().end();
  await rm(runDir, { recursive: true, force: true });
});

function call(timeoutMs = 5000): HookCall {
  return {
    event: 'before-start',
    group: 'g' as GroupId,
    node: 'n1' as NodeId,
    epoch: 7 as Epoch,
    cause: 'failover',
    from: 'n2' as NodeId,
    to: 'n1' as NodeId,
    reason: 'n2 is lost',
    answers: answersAt('before-start', true),
    timeoutMs,
  };
}

function sh(script: string, timeoutMs?: number): Promise<HookAnswer> {
  const command = ['sh', '-c', script];
  return hook.run({ command, user: undefined }, call(timeoutMs));
}

function pidIn(file: string): number | undefined {
  const path = join(runDir, file);
  const pid = existsSync(path) ? Number(readFileSync(path, 'utf8')) : 0;
  return pid > 0 ? pid : undefined;
}

function lives(pid: number): boolean {
  const info = readProcess(pid);
  return info !== undefined && isAlive(info);
}

describe('a program that is asked', () => {
  it('gets the variables and the JSON, and answers by its exit code', async () => {
    const script = `cat >${runDir}/in; echo "$TAKO_EVENT $TAKO_FROM $TAKO_REASON" >${runDir}/env; exit 10`;
    expect(await sh(script)).toMatchObject({ word: 'veto' });
    expect(JSON.parse(readFileSync(join(runDir, 'in'), 'utf8'))).toEqual(call());
    expect(readFileSync(join(runDir, 'env'), 'utf8')).toBe('before-start n2 n2 is lost\n');
  });

  it('says more with a line of JSON, whatever else it writes', async () => {
    const script = `echo looking; echo '{"answer":"veto","reason":"no licence"}'; echo bye >&2`;
    expect(await sh(script)).toMatchObject({ word: 'veto', reason: 'no licence' });
  });

  it('does not have to read what it is told', async () => {
    expect((await sh('exec 0<&-; exit 0')).word).toBe('go');
  });

  it('is no answer when it fails, is not there, or is killed', async () => {
    expect(await sh('echo broken >&2; exit 3')).toMatchObject({ word: 'none', output: 'broken' });
    const command = ['/no/such/hook'];
    const missing = await hook.run({ command, user: undefined }, call());
    expect(missing).toMatchObject({ word: 'none', reason: 'it ended with exit code 127' });
    expect(await sh('kill -9 $$')).toMatchObject({ word: 'none', reason: 'killed by SIGKILL' });
    const nobody = await hook.run({ command: ['true'], user: 'no-such-user' }, call());
    expect(nobody).toMatchObject({ word: 'none' });
    expect(nobody.reason).toContain('no such user');
  });

  it('may run as another user', async () => {
    const what = { command: ['sh', '-c', 'id -un'], user: 'nobody' };
    expect(await hook.run(what, call())).toMatchObject({ word: 'go', output: 'nobody' });
  });

  it('may write more than counts', async () => {
    const script = `head -c 300000 /dev/zero | tr '\\0' x; echo; exit 10`;
    const { word, output } = await sh(script);
    expect([word, output.length]).toEqual(['veto', 1003]);
  });
});

describe('a program that does not end', () => {
  it('is killed at its limit with all that it forked, also out of its session', async () => {
    const script = `echo asked; trap '' TERM; setsid sleep 1000 & echo $! >${runDir}/child; wait`;
    const begun = performance.now();
    const answer = await sh(script, 400);
    const tookMs = performance.now() - begun;
    expect(answer).toMatchObject({ word: 'none', output: 'asked' });
    expect(answer.reason).toBe('it did not end within 400 ms and is killed');
    expect(tookMs).toBeLessThan(3000);
    const pid = must(pidIn('child'), 'it forked');
    await vi.waitFor(() => expect(lives(pid)).toBe(false), WAIT);
  });

  it('gives way to a later call, which runs when nothing is left of it', async () => {
    const first = sh(`echo $$ >${runDir}/first; exec sleep 1000`);
    await vi.waitFor(() => expect(pidIn('first')).toBeDefined(), WAIT);
    const pid = must(pidIn('first'), 'it runs');
    // A process that has ended but was not waited for yet is no rest of it.
    const second = await sh(
      `grep -qs '^State:[[:space:]]*[^XZ]' /proc/${pid}/status && exit 1; exit 10`,
    );
    expect(await first).toMatchObject({ word: 'none', reason: 'a later call took its place' });
    expect(second.word).toBe('veto');
  });

  it('is ended by the next control when the one that called it is gone', async () => {
    void sh(`echo $$ >${runDir}/left; exec sleep 1000`, 60_000);
    await vi.waitFor(() => expect(pidIn('left')).toBeDefined(), WAIT);
    const main = must(readProcess(must(pidIn('left'), 'it runs')), 'it lives');
    await newHook().end();
    expect(findAlive(main)).toBeUndefined();
  });

  it('leaves nothing in the background when it has answered', async () => {
    writeFileSync(join(runDir, 'child'), '');
    const script = `sleep 1000 & echo $! >${runDir}/child; exit 0`;
    expect((await sh(script)).word).toBe('go');
    expect(lives(must(pidIn('child'), 'it forked'))).toBe(false);
  });
});
