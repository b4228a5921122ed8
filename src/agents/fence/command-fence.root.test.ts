/** Fences that are programs, with real ones: good, failing, hanging, confused. Needs root. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../adapters/clock.ts';
import { readFenceOptions } from '../../adapters/fence/read-options.ts';
import { createLog } from '../../adapters/log.ts';
import { isAlive, readProcess } from '../../adapters/process/proc.ts';
import { createProcessRunner } from '../../adapters/process/process-runner.ts';
import { systemTimer } from '../../adapters/timer.ts';
import type { FenceConfig } from '../../protocol/config.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { CommandFence } from './command-fence.ts';

let folder = '';
let fence: CommandFence | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tako-fence-'));
});

afterEach(async () => {
  await fence?.end();
  await rm(folder, { recursive: true, force: true });
});

/** A shell script; `$action` is what it is asked for, `$asked` counts the questions. */
function fenceOf(script: string, given: Partial<FenceConfig> = {}): CommandFence {
  const path = join(folder, 'fence');
  const read = `cat > ${folder}/told; action=$(sed -n 's/^action=//p' ${folder}/told)`;
  const count = `echo $action >> ${folder}/asked; asked=$(wc -l < ${folder}/asked)`;
  writeFileSync(path, `#!/bin/sh\n${read}\n${count}\n${script}\n`);
  chmodSync(path, 0o755);
  const runner = createProcessRunner({
    runDir: folder,
    log: createLog({ name: 'test', level: 'silent' }),
  });
  const program = runner.program('fence.n2');
  const parts = { program, timer: systemTimer, clock: systemClock };
  const config: FenceConfig = {
    node: 'n2' as NodeId,
    command: [path],
    options: {},
    optionsFile: undefined,
    timeoutMs: 20_000,
    ...given,
  };
  fence = new CommandFence(config, { ...parts, readOptions: readFenceOptions });
  return fence;
}

const asked = (): string => readFileSync(join(folder, 'asked'), 'utf8').trim();

describe('turning a node off', () => {
  test('is done when off succeeded and status says so, also a while later', async () => {
    const slow = fenceOf('[ $action = off ] && exit 0; [ $asked -gt 3 ] && exit 2; exit 0');
    expect(await slow.turnOff()).toMatchObject({ state: 'off' });
    expect(asked()).toBe('off\nstatus\nstatus\nstatus');
  });

  test.each([
    ['off fails', '[ $action = off ] && { echo no route; exit 1; }; exit 2', 'no route'],
    ['off is killed', '[ $action = off ] && kill -9 $$; exit 2', 'SIGKILL'],
    ['status is confused', '[ $action = off ] && exit 0; exit 1', 'exit code 1'],
    ['there is no such program', undefined, 'exit code'],
  ])('is not known when %s', async (_name, script, why) => {
    const missing = { command: ['/nonexistent/fence'] };
    const tried = script === undefined ? fenceOf('', missing) : fenceOf(script);
    const answer = await tried.turnOff();
    expect(answer.state).toBe('unknown');
    expect(answer.detail).toContain(why);
  });

  test('is not known when it hangs, and nothing of it is left', async () => {
    const hanging = fenceOf(`echo $$ > ${folder}/pid; sleep 4321 & wait`, { timeoutMs: 300 });
    const answer = await hanging.turnOff();
    expect(answer).toMatchObject({ state: 'unknown' });
    expect(answer.detail).toContain('did not end within 0.3 s');
    const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
    const left = readProcess(pid);
    expect(left !== undefined && isAlive(left)).toBe(false);
  });

  test('says that it is still on when it never goes off', async () => {
    const on = fenceOf('exit 0', { timeoutMs: 1500 });
    expect(await on.turnOff()).toMatchObject({ state: 'on' });
  });
});

describe('what it is told', () => {
  test('options, those of a file that nobody else may read, and the action last', async () => {
    const optionsFile = join(folder, 'secret');
    writeFileSync(optionsFile, 'password=a b=c\n', { mode: 0o600 });
    const told = fenceOf('exit 0', { options: { ip: '10.9.0.1' }, optionsFile });
    expect(await told.status()).toMatchObject({ state: 'on' });
    const lines = readFileSync(join(folder, 'told'), 'utf8');
    expect(lines).toBe('ip=10.9.0.1\npassword=a b=c\naction=status\n');
    chmodSync(optionsFile, 0o644);
    const refused = await told.status();
    expect(refused.state).toBe('unknown');
    expect(refused.detail).toContain('can be read by others');
  });

  test('one question at a time, in order', async () => {
    const busy = fenceOf('sleep 0.2; [ $action = off ] && exit 0; exit 2');
    const answers = await Promise.all([busy.status(), busy.turnOff(), busy.status()]);
    expect(answers.map(({ state }) => state)).toEqual(['off', 'off', 'off']);
    expect(asked()).toBe('status\noff\nstatus\nstatus');
  });
});
