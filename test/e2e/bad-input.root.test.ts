/** What an administrator can get wrong, given to the real `tako run` on a real host. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { configText } from '../demo/config-text.ts';
import { ledgerApp } from '../demo/ledger-app.ts';
import type { RunResult } from '../hosts/exec.ts';
import type { Host } from '../hosts/host.ts';
import { type Lab, createLab } from '../hosts/lab.ts';
import { until } from '../hosts/wait.ts';

const TAKO = fileURLToPath(new URL('../../bin/tako', import.meta.url));

let lab: Lab;
let n1: Host;
let file: string;
let keyFile: string;
let good: string;

beforeAll(async () => {
  lab = await createLab({ client: false });
  n1 = lab.host('n1');
  file = join(lab.folder, 'tako.yaml');
  keyFile = join(lab.folder, 'cluster.key');
  await n1.run([TAKO, 'key', 'new', keyFile]);
  good = configText(lab, ledgerApp, {
    nodes: lab.hosts.slice(0, 2),
    witness: lab.host('w1'),
    keyFile,
  });
});
afterAll(() => lab.destroy());
beforeEach(async () => {
  chmodSync(keyFile, 0o600);
  await n1.run(['sh', '-c', 'umount -l /srv/ledger 2> /dev/null; rm -rf /srv/* /var/lib/tako/*']);
  await n1.run(['mkdir', '/srv/ledger']);
});

/** Starts Tako in the foreground and waits for it to give up by itself. */
function runTako(text: string, as: readonly string[] = []): Promise<RunResult> {
  writeFileSync(file, text);
  const words = ['run', '--config', file, '--node', 'n1'];
  return n1.run([...as, TAKO, ...words], { allowFailure: true, timeoutMs: 20_000 });
}

describe('a configuration that cannot be used', () => {
  it.each([
    ['an unknown word', 'agent: mirror', 'agent: miror', /tako\.yaml:\d+:\d+/],
    ['a wrong address', '10.90.1.11', '10.90.1.311', /tako\.yaml:\d+:\d+/],
    ['an unknown node', 'nodes: [n1, n2]', 'nodes: [n1, n9]', /tako\.yaml:\d+:\d+[^]*n9/],
    ['broken YAML', 'links:', 'links: [', /tako\.yaml:\d+:\d+/],
  ])('%s: said with line and column, and what next', async (_what, from, to, words) => {
    expect(good).toContain(from);
    const said = await runTako(good.replace(from, to));
    expect(said.code).not.toBe(0);
    expect(said.stderr).toMatch(words);
    expect(said.stderr).not.toContain('    at ');
  });

  it('does not stop a node that has run before: the last good one is used', async () => {
    writeFileSync(file, good);
    const log = join(n1.folder, 'tako.log');
    const words = [TAKO, 'run', '--config', file, '--node', 'n1'];
    n1.spawn(words, { logFile: log });
    await until('Tako runs', () => readFileSync(log, 'utf8').includes('heart runs'), {
      timeoutMs: 20_000,
    });
    await n1.powerOff();
    await n1.powerOn();
    writeFileSync(file, good.replace('agent: mirror', 'agent: miror'));
    writeFileSync(log, '');
    n1.spawn(words, { logFile: log });
    await until('Tako runs all the same', () => readFileSync(log, 'utf8').includes('heart runs'), {
      timeoutMs: 20_000,
    });
    expect(readFileSync(log, 'utf8')).toMatch(/tako\.yaml:\d+:\d+/);
    await n1.powerOff();
    await n1.powerOn();
  });
});

describe('what is said at once', () => {
  it('not root', async () => {
    const said = await runTako(good, [
      'setpriv',
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
    ]);
    expect(said.code).not.toBe(0);
    expect(said.stderr).toMatch(/without root/);
  });

  it('a key that others may read, and one that is not there', async () => {
    chmodSync(keyFile, 0o644);
    const readable = await runTako(good);
    expect(readable.code).not.toBe(0);
    expect(readable.stderr).toContain(keyFile);
    const missing = await runTako(good.replace(keyFile, `${keyFile}.none`));
    expect(missing.code).not.toBe(0);
    expect(missing.stderr).toContain(`${keyFile}.none`);
  });
});
