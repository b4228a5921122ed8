import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { mountAt } from '../adapters/system/mount-info.ts';
import type { Epoch, NodeId } from '../protocol/ids.ts';
import { Rig, type RigNode } from '../../test/mirror/rig.ts';
import { TcpProxy } from '../../test/mirror/tcp-proxy.ts';

let rig: Rig;
const proxies = new Set<TcpProxy>();
const children = new Set<ReturnType<typeof spawn>>();

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
  for (const proxy of proxies) proxy.close();
  proxies.clear();
  await rig.close();
});

const epoch = (value: number): Epoch => value as Epoch;

/** Primary on the first node, a caught-up and admitted secondary on the second. */
async function pair(
  basePort: number,
  mode: 'durable' | 'every-write' = 'durable',
): Promise<[RigNode, RigNode]> {
  rig = new Rig({ nodes: 2, basePort, mode });
  return begin();
}

async function begin(): Promise<[RigNode, RigNode]> {
  const [a, b] = [rig.node(0), rig.node(1)];
  await Promise.all([a.start(), b.start()]);
  a.grantLease(1);
  await a.ok({ type: 'serve', epoch: epoch(1), inSync: [a.id] });
  await b.ok({ type: 'follow', epoch: epoch(1), primary: a.id });
  await catchUp(a, b);
  return [a, b];
}

/** A pair whose first link goes through a proxy and whose second link carries nothing as yet. */
async function proxiedPair(
  basePort: number,
  secondaryLostMs = 400,
): Promise<[RigNode, RigNode, TcpProxy]> {
  rig = new Rig({ nodes: 2, basePort, proxied: true, secondaryLostMs });
  const proxy = proxyTo(basePort, { from: '127.0.2.2', to: '127.0.1.2' });
  const [a, b] = await begin();
  return [a, b, proxy];
}

function proxyTo(basePort: number, hosts: { from: string; to: string }): TcpProxy {
  const port = basePort + 10;
  const proxy = new TcpProxy({ host: hosts.from, port }, { host: hosts.to, port });
  proxies.add(proxy);
  return proxy;
}

/**
 * Opens a file for writing as often as it can, and ends with code 1 when one was not on the mirror's
 * own file system.
 */
const OPENER = `
  const fs = require('node:fs');
  const path = process.argv[1] + '/opened';
  let going = true;
  process.stdin.on('end', () => { going = false; }).resume();
  const again = () => {
    if (!going) return;
    setImmediate(again);
    let fd;
    try { fd = fs.openSync(path, 'a'); } catch { return; }
    const id = /mnt_id:\\s*(\\d+)/.exec(fs.readFileSync('/proc/self/fdinfo/' + fd, 'utf8'))[1];
    const mounts = fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\\n');
    const mount = mounts.find((line) => line.startsWith(id + ' '));
    // Of a mount that has died since, it is closed all the same.
    try { fs.closeSync(fd); } catch {}
    if (mount === undefined || mount.includes(' - fuse.tako ')) return;
    process.stderr.write('opened below the mirror: ' + mount + '\\n');
    process.exit(1);
  };
  again();
`;

/** Nobody can write into the directory, and nothing of the primary role lies over it. */
function isGuarded(node: RigNode): boolean {
  const mount = mountAt(node.path);
  return mount !== undefined && !mount.type.startsWith('fuse') && mount.options.includes('ro');
}

async function catchUp(a: RigNode, b: RigNode): Promise<void> {
  await a.until(() => a.heard('peerCaughtUp').length > 0, 'the copy has caught up');
  await a.ok({ type: 'admit', peer: b.id });
  await a.until(() => peerState(a, b.id) === 'in-sync', 'the copy counts as in sync');
}

function peerState(node: RigNode, peer: NodeId): string | undefined {
  return node.status.peers.find((status) => status.node === peer)?.state;
}

interface Running {
  readonly ended: () => boolean;
  readonly done: Promise<number | null>;
}

/** A program that writes `text` to `path` in the background, with fsync or without. */
function write(path: string, text: string, fsync = true): Running {
  const script = `const fs=require('fs');const f=fs.openSync(process.argv[1],'a');
    fs.writeSync(f,process.argv[2]);if(process.argv[3]==='1')fs.fsyncSync(f);`;
  const child = spawn(process.execPath, ['-e', script, path, text, fsync ? '1' : '0'], {
    stdio: 'inherit',
  });
  children.add(child);
  let ended = false;
  const done = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => {
      ended = true;
      resolve(code);
    });
  });
  return { ended: () => ended, done };
}

const HELD_MS = 700;

describe('two mirrors', () => {
  test('what is written on the primary is on the secondary', async () => {
    const [a, b] = await pair(41100);
    mkdirSync(`${a.path}/dir`);
    writeFileSync(`${a.path}/dir/file`, Buffer.alloc(3_000_000, 'tako'), { flush: true });
    execFileSync('ln', ['-s', 'file', `${a.path}/dir/link`]);
    execFileSync('mv', [`${a.path}/dir/file`, `${a.path}/dir/other`]);
    await write(`${a.path}/last`, 'end').done;
    execFileSync('diff', ['-r', '--no-dereference', a.path, b.path]);
    await a.until(() => a.status.frozen === undefined, 'nothing waits any more');
  });

  test('an fsync waits for the secondary until it is expelled', async () => {
    const [a, b] = await pair(41120);
    b.signal('SIGSTOP');
    const writer = write(`${a.path}/f`, 'waits');
    await a.until(() => a.heard('peerSilent').length > 0, 'the silence is reported');
    await delay(HELD_MS);
    expect(writer.ended()).toBe(false);
    expect(a.status.frozen).toContain('n2');
    await a.ok({ type: 'expel', peer: b.id });
    expect(await writer.done).toBe(0);
    expect(a.heard('peerSilent')).toHaveLength(1);
    b.signal('SIGCONT');
    await a.until(() => a.heard('peerCaughtUp').length > 1, 'it comes in again by itself');
    expect(readFileSync(`${b.path}/f`, 'utf8')).toBe('waits');
  });

  test('a secondary that was frozen for a moment goes on without resync', async () => {
    const [a, b] = await pair(41140);
    b.signal('SIGSTOP');
    const writer = write(`${a.path}/f`, 'waits');
    await a.until(() => a.heard('peerSilent').length > 0, 'the silence is reported');
    b.signal('SIGCONT');
    expect(await writer.done).toBe(0);
    await a.until(() => a.heard('peerAnswers').length > 0, 'it answers again');
    expect(a.logs.join('')).not.toMatch(/"type":"resync".*"type":"resync"/su);
    expect(readFileSync(`${b.path}/f`, 'utf8')).toBe('waits');
  });

  test('without a fresh lease no write is acknowledged', async () => {
    const [a] = await pair(41160);
    a.expireLease();
    a.writeLease(1, 1);
    // The mirror trusts the mark that it read last; the granted one lasts. A new epoch would not.
    await a.ok({ type: 'abort' });
    a.writeLease(2, 50);
    await a.ok({ type: 'serve', epoch: epoch(2), inSync: [a.id] });
    await delay(100);
    const writer = write(`${a.path}/held`, 'x', false);
    await delay(HELD_MS);
    expect(writer.ended()).toBe(false);
    a.writeLease(1, 60_000);
    await delay(100);
    expect(writer.ended()).toBe(false);
    a.writeLease(2, 60_000);
    expect(await writer.done).toBe(0);
  });

  test('a killed secondary is brought up to date while the primary serves', async () => {
    const [a, b] = await pair(41180);
    writeFileSync(`${a.path}/before`, 'before', { flush: true });
    await b.kill();
    const writer = write(`${a.path}/meanwhile`, 'meanwhile');
    await a.until(() => a.heard('peerSilent').length > 0, 'the loss is reported');
    expect(writer.ended()).toBe(false);
    await a.ok({ type: 'expel', peer: b.id });
    expect(await writer.done).toBe(0);
    execFileSync('rm', [`${a.path}/before`]);
    a.news.length = 0;
    await b.start();
    await b.ok({ type: 'follow', epoch: epoch(1), primary: a.id });
    await catchUp(a, b);
    await write(`${a.path}/after`, 'after').done;
    execFileSync('diff', ['-r', a.path, b.path]);
    expect(existsSync(`${b.path}/before`)).toBe(false);
  });

  test('a switchover and back needs no resync', async () => {
    const [a, b] = await pair(41200);
    writeFileSync(`${a.path}/one`, '1', { flush: true });
    await a.ok({ type: 'drain' });
    expect(isGuarded(a)).toBe(true);
    expect(await a.cleanNote()).toEqual(await b.cleanNote());
    await b.ok({ type: 'seal', epoch: epoch(1) });
    b.grantLease(2);
    await b.ok({ type: 'serve', epoch: epoch(2), inSync: [a.id, b.id] });
    await a.ok({ type: 'follow', epoch: epoch(2), primary: b.id });
    await write(`${b.path}/two`, '2').done;
    expect(readFileSync(`${a.path}/two`, 'utf8')).toBe('2');
    await b.ok({ type: 'drain' });
    a.grantLease(3);
    await a.ok({ type: 'serve', epoch: epoch(3), inSync: [a.id, b.id] });
    await b.ok({ type: 'follow', epoch: epoch(3), primary: a.id });
    await write(`${a.path}/three`, '3').done;
    execFileSync('diff', ['-r', a.path, b.path]);
    expect(b.logs.join('')).not.toContain('"type":"resync"');
  });

  test('a takeover: sealed, then serving, the old primary refused', async () => {
    const [a, b] = await pair(41220);
    await write(`${a.path}/acknowledged`, 'yes').done;
    await b.ok({ type: 'seal', epoch: epoch(1) });
    expect(b.status.role).toBe('sealed');
    const writer = write(`${a.path}/late`, 'late');
    await a.until(() => a.status.frozen?.includes('n2') === true, 'the old primary waits');
    expect(a.heard('peerSilent')).toHaveLength(1);
    b.grantLease(2);
    const before = performance.now();
    await b.ok({ type: 'serve', epoch: epoch(2), inSync: [b.id] });
    process.stdout.write(`takeover: mounted after ${(performance.now() - before).toFixed(1)} ms\n`);
    expect(readFileSync(`${b.path}/acknowledged`, 'utf8')).toBe('yes');
    await write(`${b.path}/new`, 'new').done;
    expect(writer.ended()).toBe(false);
    await a.ok({ type: 'abort' });
    expect(await writer.done).not.toBe(0);
    expect(isGuarded(a)).toBe(true);
    expect(() => writeFileSync(`${a.path}/stray`, 'x')).toThrow('EROFS');
    await a.ok({ type: 'follow', epoch: epoch(2), primary: b.id });
    await catchUp(b, a);
    await write(`${b.path}/end`, 'end').done;
    execFileSync('diff', ['-r', a.path, b.path]);
  });

  test('a seal that came to nothing is undone', async () => {
    const [a, b] = await pair(41240);
    await b.ok({ type: 'seal', epoch: epoch(1) });
    const writer = write(`${a.path}/f`, 'x');
    await a.until(() => a.heard('peerSilent').length > 0, 'the primary notices');
    await b.ok({ type: 'unseal' });
    expect(await writer.done).toBe(0);
    expect(a.heard('peerFailed')).toHaveLength(0);
    expect(readFileSync(`${b.path}/f`, 'utf8')).toBe('x');
  });

  test('so is one of a copy that followed nobody at the time', async () => {
    const [a, b] = await pair(41380);
    await b.kill();
    await b.start();
    await a.until(() => a.heard('peerSilent').length > 0, 'the copy is missed');
    await a.ok({ type: 'expel', peer: b.id });
    await b.ok({ type: 'seal', epoch: epoch(2) });
    const serve = { type: 'serve', epoch: epoch(1), inSync: [] } as const;
    await expect(b.command(serve)).resolves.toMatchObject({ ok: false });
    await b.ok({ type: 'follow', epoch: epoch(1), primary: a.id });
    const isRefused = (): boolean => a.status.peers[0]?.detail.includes('sealed') === true;
    await a.until(isRefused, 'it lets no primary in');
    await b.ok({ type: 'unseal' });
    await a.until(() => a.heard('peerCaughtUp').length > 1, 'the copy has caught up');
  });

  test('in mode every-write each write waits for the copy', async () => {
    const [a, b] = await pair(41260, 'every-write');
    b.signal('SIGSTOP');
    const writer = write(`${a.path}/f`, 'waits', false);
    await delay(HELD_MS);
    expect(writer.ended()).toBe(false);
    b.signal('SIGCONT');
    expect(await writer.done).toBe(0);
    expect(readFileSync(`${b.path}/f`, 'utf8')).toBe('waits');
  });

  test('a mount in use is not drained and goes on', async () => {
    const [a] = await pair(41280);
    const user = spawn('sleep', ['60'], { cwd: a.path });
    children.add(user);
    await new Promise((resolve) => user.once('spawn', resolve));
    const done = await a.command({ type: 'drain' });
    expect(done).toMatchObject({ ok: false, code: 'busy' });
    expect(await write(`${a.path}/f`, 'goes on').done).toBe(0);
    user.kill('SIGKILL');
    await new Promise((resolve) => user.once('exit', resolve));
    await a.ok({ type: 'drain' });
  });
});

describe('positions and connections', () => {
  test('a drain whose switchover came to nothing: the same epoch is served again', async () => {
    const [a, b] = await pair(41400);
    await a.ok({ type: 'drain' });
    const first = await a.cleanNote();
    await a.ok({ type: 'serve', epoch: epoch(1), inSync: [a.id, b.id] });
    expect(await write(`${a.path}/again`, 'x').done).toBe(0);
    await a.ok({ type: 'drain' });
    const second = await a.cleanNote();
    expect(second).not.toEqual(first);
    expect(second).toEqual(await b.cleanNote());
    expect(a.logs.join('')).not.toMatch(/"type":"resync".*"type":"resync"/su);
  });

  test('a drain waits for a dead copy until it is expelled', async () => {
    const [a, b] = await pair(41420);
    await b.kill();
    const drained = a.command({ type: 'drain' });
    await a.until(() => a.heard('peerSilent').length > 0, 'the loss is reported');
    await a.ok({ type: 'expel', peer: b.id });
    expect(await drained).toMatchObject({ ok: true });
    await a.cleanNote();
    expect(JSON.parse(b.note()).state).toBe('dirty');
  });

  test('an abort ends a drain that waits', async () => {
    const [a, b] = await pair(41440);
    b.signal('SIGSTOP');
    const drained = a.command({ type: 'drain' });
    await a.until(() => a.status.frozen?.includes('drained') === true, 'it is draining');
    await a.ok({ type: 'abort' });
    expect(await drained).toMatchObject({ ok: false });
    expect(JSON.parse(a.note()).state).toBe('dirty');
    b.signal('SIGCONT');
  });

  test('a copy that was in sync and lost its state is voted out before its resync', async () => {
    const [a, b] = await pair(41460);
    await b.kill();
    await b.start();
    await b.ok({ type: 'follow', epoch: epoch(1), primary: a.id });
    await a.until(() => a.heard('peerFailed').length > 0, 'the primary says so');
    a.news.length = 0;
    await a.ok({ type: 'expel', peer: b.id });
    await catchUp(a, b);
  });

  test('a lost connection is made again without resync', async () => {
    const [a, b, proxy] = await proxiedPair(41480);
    const writer = write(`${a.path}/before`, 'x');
    proxy.cut();
    expect(await writer.done).toBe(0);
    expect(await write(`${a.path}/f`, 'x').done).toBe(0);
    await a.until(() => a.logs.join('').includes('"type":"resume"'), 'the stream goes on');
    execFileSync('diff', ['-r', a.path, b.path]);
    expect(a.heard('peerFailed')).toHaveLength(0);
  });

  test('a link that swallows everything: the next one goes on, and nothing is reported', async () => {
    const [a, b, proxy] = await proxiedPair(41540, 5000);
    expect(a.status.peers[0]?.detail).toBe('over mirror');
    proxyTo(41540, { from: '127.0.3.2', to: '127.0.0.2' });
    proxy.swallow(true);
    const before = performance.now();
    expect(await write(`${a.path}/f`, 'x').done).toBe(0);
    process.stdout.write(
      `other link: written after ${(performance.now() - before).toFixed(0)} ms\n`,
    );
    expect(readFileSync(`${b.path}/f`, 'utf8')).toBe('x');
    await a.until(() => a.status.peers[0]?.detail === 'over lan', 'the other link is in use');
    expect(a.heard('peerSilent')).toHaveLength(0);
  });
});

describe('a mirror alone', () => {
  test('a mount that somebody took away is reported, and can be served again', async () => {
    rig = new Rig({ nodes: 1, basePort: 41500 });
    const a = rig.node(0);
    await a.start();
    a.grantLease(1);
    await a.ok({ type: 'serve', epoch: epoch(1), inSync: [a.id] });
    execFileSync('umount', [a.path]);
    await a.until(() => a.heard('failed').length > 0, 'it is reported');
    await a.until(() => a.status.role === 'idle', 'it no longer serves');
    await a.ok({ type: 'serve', epoch: epoch(1), inSync: [a.id] });
    writeFileSync(`${a.path}/f`, 'x', { flush: true });
  });

  test('a foreign file system over the path is not touched', async () => {
    rig = new Rig({ nodes: 1, basePort: 41520 });
    const a = rig.node(0);
    await a.start();
    a.grantLease(1);
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', a.path]);
    const refused = await a.command({ type: 'serve', epoch: epoch(1), inSync: [a.id] });
    expect(refused).toMatchObject({ ok: false, code: 'mirror-path' });
    expect(mountAt(a.path)?.type).toBe('tmpfs');
    execFileSync('umount', [a.path]);
    await a.ok({ type: 'serve', epoch: epoch(1), inSync: [a.id] });
  });

  test('no program ever gets a file below the mirror, also while its process is restarted', async () => {
    rig = new Rig({ nodes: 1, basePort: 41560 });
    const a = rig.node(0);
    await a.start();
    a.grantLease(1);
    const serve = { type: 'serve', epoch: epoch(1), inSync: [a.id] } as const;
    await a.ok(serve);
    const opener = spawn(process.execPath, ['-e', OPENER, a.path], {
      stdio: ['pipe', 'inherit', 'inherit'],
    });
    children.add(opener);
    const ended = new Promise<number | null>((resolve) => opener.once('exit', resolve));
    for (let round = 0; round < 3; round += 1) {
      await a.kill();
      await a.start();
      a.grantLease(1);
      await a.ok(serve);
    }
    opener.stdin?.end();
    expect(await ended).toBe(0);
  });

  test('a program that had a file open before the mount is named', async () => {
    rig = new Rig({ nodes: 1, basePort: 41580 });
    const a = rig.node(0);
    const file = `${a.path}/before`;
    const writer = spawn('sh', ['-c', `exec 3>${file}; echo open >&3; exec sleep 60`]);
    children.add(writer);
    await a.until(() => existsSync(file) && readFileSync(file, 'utf8') !== '', 'the file is open');
    await a.start();
    a.grantLease(1);
    await a.ok({ type: 'serve', epoch: epoch(1), inSync: [a.id] });
    writeFileSync(`${a.path}/after`, 'x');
    await a.until(() => a.heard('bypassed').length > 0, 'it is told');
    const by = [`process ${writer.pid} (sleep) has ${file}`];
    expect(a.heard('bypassed')).toEqual([{ type: 'bypassed', by }]);
  });

  test('a killed process leaves a dead mount, which the next one removes', async () => {
    rig = new Rig({ nodes: 1, basePort: 41300 });
    const a = rig.node(0);
    await a.start();
    a.grantLease(1);
    await a.ok({ type: 'serve', epoch: epoch(1), inSync: [a.id] });
    writeFileSync(`${a.path}/f`, 'there', { flush: true });
    await a.kill();
    expect(() => readFileSync(`${a.path}/f`)).toThrow('ENOTCONN');
    await a.start();
    await a.until(() => isGuarded(a), 'the dead mount is taken away, and nobody can write');
    expect(readFileSync(`${a.path}/f`, 'utf8')).toBe('there');
    a.grantLease(2);
    await a.ok({ type: 'serve', epoch: epoch(2), inSync: [a.id] });
    expect(readFileSync(`${a.path}/f`, 'utf8')).toBe('there');
    expect(await a.terminate()).toBe(0);
    expect(mountAt(a.path)).toBeUndefined();
    expect(readFileSync(`${a.path}/f`, 'utf8')).toBe('there');
  });

  test('a directory that cannot be used is named before anything is touched', async () => {
    rig = new Rig({ nodes: 1, basePort: 41320 });
    const a = rig.node(0);
    execFileSync('rmdir', [a.path]);
    await a.start();
    a.grantLease(1);
    const missing = await a.command({ type: 'serve', epoch: epoch(1), inSync: [a.id] });
    expect(missing).toMatchObject({ ok: false, code: 'mirror-path' });
    expect(JSON.stringify(missing)).toContain('does not exist');
    writeFileSync(a.path, 'a file');
    const file = await a.command({ type: 'serve', epoch: epoch(1), inSync: [a.id] });
    expect(file).toMatchObject({ ok: false, code: 'mirror-path' });
    expect(JSON.stringify(file)).toContain('not a directory');
  });

  test('without its disk it neither serves nor follows; with another one as a person says', async () => {
    rig = new Rig({ nodes: 2, basePort: 41360 });
    const a = rig.node(0);
    const disk = (): void => void execFileSync('mount', ['-t', 'tmpfs', 'disk', a.path]);
    const serve = { type: 'serve', epoch: epoch(2), inSync: [a.id] } as const;
    const follow = { type: 'follow', epoch: epoch(2), primary: 'n2' as NodeId } as const;
    disk();
    await a.start();
    a.grantLease(1);
    await a.ok({ ...serve, epoch: epoch(1) });
    writeFileSync(`${a.path}/f`, 'there', { flush: true });
    expect(await a.terminate()).toBe(0);
    execFileSync('umount', [a.path]);
    await a.start();
    a.grantLease(2);
    for (const command of [serve, follow, { type: 'seal', epoch: epoch(1) } as const]) {
      const answer = await a.command(command);
      expect(answer).toMatchObject({ ok: false, code: 'mirror-path' });
      expect(JSON.stringify(answer)).toContain('may not be mounted');
    }
    // Nothing lies over the path: the disk can be mounted there now.
    expect(mountAt(a.path)).toBeUndefined();
    disk();
    const word = `${a.runDir}/../state/mirrors/g.data.new-directory`;
    writeFileSync(word, 'refill');
    for (const command of [{ type: 'seal', epoch: epoch(1) } as const, serve]) {
      expect(await a.command(command)).toMatchObject({ ok: false, code: 'copy-stale' });
    }
    expect(await a.terminate()).toBe(0);
    execFileSync('umount', [a.path]);
    disk();
    writeFileSync(`${a.path}/f`, 'restored');
    writeFileSync(word, 'complete');
    await a.start();
    await a.ok(serve);
    expect(readFileSync(`${a.path}/f`, 'utf8')).toBe('restored');
  });

  test('commands that make no sense are refused', async () => {
    rig = new Rig({ nodes: 2, basePort: 41340 });
    const a = rig.node(0);
    await a.start();
    a.grantLease(2);
    expect(await a.command({ type: 'drain' })).toMatchObject({ ok: false });
    expect(await a.command({ type: 'expel', peer: 'n2' as NodeId })).toMatchObject({ ok: false });
    expect(await a.command({ type: 'unseal' })).toMatchObject({ ok: true });
    expect(await a.command({ type: 'abort' })).toMatchObject({ ok: true });
    await a.ok({ type: 'serve', epoch: epoch(2), inSync: [a.id] });
    await a.ok({ type: 'serve', epoch: epoch(2), inSync: [a.id] });
    for (const command of [
      { type: 'serve', epoch: epoch(3), inSync: [a.id] },
      { type: 'follow', epoch: epoch(3), primary: 'n2' as NodeId },
      { type: 'seal', epoch: epoch(2) },
    ] as const) {
      expect(await a.command(command)).toMatchObject({ ok: false });
    }
    await a.ok({ type: 'abort' });
    expect(
      await a.command({ type: 'follow', epoch: epoch(1), primary: 'n2' as NodeId }),
    ).toMatchObject({ ok: false });
    await a.ok({ type: 'follow', epoch: epoch(3), primary: 'n2' as NodeId });
    expect(a.status.role).toBe('secondary');
  });
});
