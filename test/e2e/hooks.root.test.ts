/** Hooks and reports on a real cluster: one vetoes, one delays, one hangs, and a program is sick. */
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster } from '../demo/cluster.ts';
import { ledgerApp } from '../demo/ledger-app.ts';
import { monotonicMs } from '../hosts/host.ts';
import type { Lab } from '../hosts/lab.ts';
import { until } from '../hosts/wait.ts';

const TIMEOUT_MS = 30_000;
const HANG_LIMIT_MS = 1000;
const SLOW_MS = 4000;
/** What a takeover may take beside its hooks. */
const TAKEOVER_MS = 2500;
/** Unlike any other program of this machine, to be found again. */
const HANG_SECONDS = '86396';

/** Behaves at each point as the file `POINT` beside it says, and notes each call. */
function script(folder: string): string {
  return [
    '#!/bin/sh',
    `echo "$TAKO_NODE $TAKO_EVENT $TAKO_CAUSE $TAKO_FROM $TAKO_TO" >>${folder}/calls`,
    `case "$(cat ${folder}/$TAKO_EVENT 2>/dev/null)" in`,
    `veto) echo '{"reason": "the nightly run is under way"}'; exit 10 ;;`,
    `slow) sleep ${SLOW_MS / 1000} ;;`,
    `hang) trap '' TERM; setsid sleep ${HANG_SECONDS} & sleep ${HANG_SECONDS} ;;`,
    'esac',
    '',
  ].join('\n');
}

function hooks(lab: Lab): readonly string[] {
  const program = join(lab.folder, 'hook.sh');
  writeFileSync(program, script(lab.folder));
  chmodSync(program, 0o755);
  const points = ['before-failback', 'before-stop', 'after-stop', 'after-start', 'after-failover'];
  return [
    ...points.map((point) => `${point}: { command: [${program}], timeout: 8s }`),
    `before-start: { command: [${program}], timeout: ${HANG_LIMIT_MS}ms }`,
  ];
}

let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.start({ app: ledgerApp, hooks, restarts: 'never' });
});
afterAll(() => cluster.destroy());

function behave(point: string, how: 'veto' | 'slow' | 'hang' | 'well'): void {
  const file = join(cluster.lab.folder, point);
  if (how === 'well') rmSync(file, { force: true });
  else writeFileSync(file, how);
}

function calls(): readonly string[] {
  const file = join(cluster.lab.folder, 'calls');
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
}

async function called(line: string): Promise<void> {
  await until(`the hook was called: ${line}`, () => calls().includes(line), {
    timeoutMs: TIMEOUT_MS,
  });
}

async function eventTexts(kind: string): Promise<readonly string[]> {
  const events = await cluster.events('n1', 200);
  return events.filter((event) => event.kind === kind).map(({ text }) => text);
}

describe('hooks on a real cluster', () => {
  it('are told of the first start', async () => {
    expect((await cluster.settled()).owner).toBe('n1');
    await called('n1 after-start first-start  n1');
    expect(calls()[0]).toBe('n1 before-start first-start  n1');
  });

  it('veto a planned move and a planned stop, and say why', async () => {
    behave('before-stop', 'veto');
    const moved = await cluster.tako('n2', 'move', 'ledger', 'n2');
    expect(moved.code).toBe(1);
    expect(moved.stderr).toContain('The hook before-stop says no: the nightly run is under way');
    expect((await cluster.tako('n1', 'group', 'stop', 'ledger')).code).toBe(1);
    behave('before-stop', 'well');
    expect((await cluster.settled()).owner).toBe('n1');
    const why = await cluster.tako('n1', 'why', 'ledger');
    expect(why.stdout).toContain('says no after');
  });

  it('delay a planned move, during which the service goes on', async () => {
    behave('before-stop', 'slow');
    await cluster.client.mark();
    const begun = monotonicMs();
    expect((await cluster.tako('n1', 'move', 'ledger', 'n2')).code).toBe(0);
    expect(monotonicMs() - begun).toBeGreaterThan(SLOW_MS);
    behave('before-stop', 'well');
    expect((await cluster.settled()).owner).toBe('n2');
    await called('n1 after-stop move n1 n2');
    const { longestGapMs } = await cluster.client.report();
    expect(longestGapMs).toBeLessThan(SLOW_MS);
  });

  it('cost their time limit when they hang, and leave nothing', async () => {
    behave('before-start', 'hang');
    await cluster.client.mark();
    expect((await cluster.tako('n1', 'move', 'ledger', 'n1')).code).toBe(0);
    behave('before-start', 'well');
    expect((await cluster.settled()).owner).toBe('n1');
    const { longestGapMs } = await cluster.client.report();
    expect(longestGapMs).toBeGreaterThan(HANG_LIMIT_MS - 100);
    expect(longestGapMs).toBeLessThan(HANG_LIMIT_MS + TAKEOVER_MS);
    await called('n2 before-failback failback n2 n1');
    const failed = await eventTexts('hook-failed');
    expect(failed.join()).toContain('the hook before-start gave no answer: it did not end within');
    const gone = async (): Promise<boolean> => {
      const words = ['pgrep', '-f', `sleep ${HANG_SECONDS}`];
      return (await cluster.lab.host('n1').run(words, { allowFailure: true })).code !== 0;
    };
    await until('nothing of the hook is left', gone, { timeoutMs: TIMEOUT_MS });
  });

  it('a program that reports itself sick is moved', async () => {
    const away = await cluster.tako('n2', 'report', 'ledger/service', 'failed');
    expect([away.code, away.stderr]).toEqual([1, expect.stringContaining('is not online here')]);
    const promised = await cluster.tako('n1', 'report', 'ledger/service', 'ok');
    expect(promised.stdout).toBe('heard\n');
    const words = ['report', 'ledger/service', 'failed', '--detail', 'the index is damaged'];
    expect((await cluster.tako('n1', ...words)).code).toBe(0);
    await called('n2 after-failover failover n1 n2');
    expect((await cluster.settled()).owner).toBe('n2');
    const failures = await eventTexts('resource-failed');
    expect(failures.join()).toContain('it reports that it is not well: the index is damaged');
  });

  it('a program that asks to go is refused where it came from lately, with the reason', async () => {
    const words = ['report', 'ledger/service', 'away', '--detail', 'the disk is slow'];
    const { code, stderr } = await cluster.tako('n2', ...words);
    expect(code).toBe(1);
    expect(stderr).toContain('n1 failed to run it a short while ago');
  });

  it('nothing that was acknowledged is lost', async () => {
    const { lost, duplicates, violations } = await cluster.client.audit();
    expect({ lost, duplicates, violations }).toEqual({ lost: 0, duplicates: 0, violations: [] });
  });
});
