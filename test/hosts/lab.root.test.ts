import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { labCgroup } from './remains.ts';
import type { Host } from './host.ts';
import { type Lab, createLab } from './lab.ts';
import { until } from './wait.ts';

const root = process.getuid?.() === 0;
const NODE = process.execPath;

/** Exits 0 when a TCP connection to the address is answered with "hello" within half a second. */
const ASK = `
const s = require('net').connect({ host: process.argv[1], port: 4000 });
const end = (code) => process.exit(code);
setTimeout(end, 500, 1);
s.on('error', () => end(2));
s.on('data', (d) => end(String(d) === 'hello' ? 0 : 3));
`;
const GREET = `require('net').createServer((s) => s.end('hello')).listen(4000, '::')`;

/** Datagrams: what one side sends needs no answer of the other. */
const LISTEN = `
const s = require('dgram').createSocket('udp4');
s.on('message', (m) => require('fs').appendFileSync('/tmp/heard', m));
s.bind(4001, () => console.log('listening'));
`;
const TELL = `
const s = require('dgram').createSocket('udp4');
s.send(process.argv[2], 4001, process.argv[1], () => s.close());
`;

async function reaches(from: Host, address: string): Promise<boolean> {
  const result = await from.run([NODE, '-e', ASK, address], { allowFailure: true });
  return result.code === 0;
}

async function greeter(host: Host): Promise<void> {
  host.spawn([NODE, '-e', GREET], { logFile: join(host.folder, 'greeter.log') });
  const own = host.address('lan').ipv4;
  await until(`greeter on ${host.name}`, () => reaches(host, own), { timeoutMs: 5000 });
}

async function carrier(host: Host, link: string): Promise<string> {
  return (await host.run(['cat', `/sys/class/net/${link}/carrier`])).stdout.trim();
}

describe.skipIf(!root)('test hosts (need root)', () => {
  let lab: Lab;
  let n1: Host;
  let n2: Host;

  beforeAll(async () => {
    lab = await createLab({ disks: { n2: 32 } });
    n1 = lab.host('n1');
    n2 = lab.host('n2');
    await greeter(n1);
    await greeter(n2);
  });
  afterAll(() => lab.destroy());

  it('are machines of their own', async () => {
    const said = await n1.run([
      'sh',
      '-c',
      'hostname; ls /sys/class/net; cat /proc/1/comm; ls /srv',
    ]);
    expect(said.stdout).toBe('n1\nlan\nlo\nmirror\nsleep\n');
    const client = await lab.host('client').run(['ls', '/sys/class/net']);
    expect(client.stdout).toBe('lan\nlo\n');
    expect((await n1.run(['cat', '/proc/self/cgroup'])).stdout).toMatch(/^0::\/$/m);
  });

  it('reach each other on every link, by IPv4 and IPv6', async () => {
    for (const link of ['lan', 'mirror']) {
      expect(await reaches(n1, n2.address(link).ipv4)).toBe(true);
      expect(await reaches(n2, n1.address(link).ipv6)).toBe(true);
    }
    expect(await reaches(lab.host('client'), n1.address('lan').ipv4)).toBe(true);
    expect(await reaches(lab.host('client'), n1.address('mirror').ipv4)).toBe(false);
  });

  it('lose the carrier of an unplugged link, and only of that', async () => {
    await n1.cut('lan', 'unplug');
    expect(await carrier(n1, 'lan')).toBe('0');
    expect(await carrier(n2, 'lan')).toBe('1');
    expect(await reaches(n2, n1.address('lan').ipv4)).toBe(false);
    expect(await reaches(n2, n1.address('mirror').ipv4)).toBe(true);
    await n1.mend('lan');
    expect(await reaches(n2, n1.address('lan').ipv4)).toBe(true);
  });

  it('lose the carrier of a direct link together', async () => {
    await n1.cut('mirror', 'unplug');
    expect([await carrier(n1, 'mirror'), await carrier(n2, 'mirror')]).toEqual(['0', '0']);
    await n1.mend('mirror');
    expect([await carrier(n1, 'mirror'), await carrier(n2, 'mirror')]).toEqual(['1', '1']);
  });

  it('do not notice a muted link', async () => {
    await n1.cut('mirror', 'mute');
    expect([await carrier(n1, 'mirror'), await carrier(n2, 'mirror')]).toEqual(['1', '1']);
    expect(await reaches(n2, n1.address('mirror').ipv4)).toBe(false);
    expect(await reaches(n1, n2.address('mirror').ipv4)).toBe(false);
    await n1.mend('mirror');
    expect(await reaches(n2, n1.address('mirror').ipv4)).toBe(true);
  });

  it('hear and are not heard, or the other way round, on a link cut one way', async () => {
    for (const host of [n1, n2]) {
      const [log, heard] = [join(host.folder, 'listener.log'), join(host.folder, 'tmp/heard')];
      writeFileSync(heard, '');
      host.spawn([NODE, '-e', LISTEN], { logFile: log });
      await until('it listens', () => existsSync(log) && readFileSync(log, 'utf8') !== '', {
        timeoutMs: 5000,
      });
    }
    const tell = async (from: Host, to: Host, word: string): Promise<void> => {
      const { ipv4, mac } = to.address('mirror');
      await from.run(['ip', 'neigh', 'replace', ipv4, 'lladdr', mac, 'dev', 'mirror']);
      await from.run([NODE, '-e', TELL, ipv4, word]);
    };
    const heard = (host: Host): string => readFileSync(join(host.folder, 'tmp/heard'), 'utf8');
    const hears = (host: Host, words: string): Promise<boolean> =>
      until(`${host.name} hears`, () => heard(host) === words, { timeoutMs: 5000 });
    await n1.cut('mirror', 'deafen');
    await tell(n2, n1, 'lost ');
    await tell(n1, n2, 'one ');
    await hears(n2, 'one ');
    await n1.cut('mirror', 'gag');
    await tell(n1, n2, 'lost ');
    await tell(n2, n1, 'two ');
    await hears(n1, 'two ');
    await n1.mend('mirror');
    await tell(n1, n2, 'three');
    await hears(n2, 'one three');
  });

  it('stand still while frozen, with whatever groups their programs made', async () => {
    const count =
      'mkdir -p /sys/fs/cgroup/own; echo $$ > /sys/fs/cgroup/own/cgroup.procs; ' +
      'while :; do echo x >> /tmp/count; sleep 0.01; done';
    n1.spawn(['sh', '-c', count], { logFile: join(n1.folder, 'count.log') });
    const size = (): number => readFileSync(join(n1.folder, 'tmp/count'), 'utf8').length;
    await until('it counts', () => existsSync(join(n1.folder, 'tmp/count')) && size() > 4, {
      timeoutMs: 5000,
    });
    await n1.freeze();
    const frozenAt = size();
    await n2.run(['sleep', '0.2']);
    expect(size()).toBe(frozenAt);
    n1.thaw();
    await until('it counts on', () => size() > frozenAt, { timeoutMs: 5000 });
  });

  it('fill up and have room again', async () => {
    await n2.fillDisk();
    const full = await n2.run(['sh', '-c', 'head -c 9000 /dev/zero | cat > /srv/file'], {
      allowFailure: true,
    });
    expect(full.stderr).toContain('No space left');
    await n2.freeDisk();
    await n2.run(['sh', '-c', 'echo x > /srv/file && sync /srv/file']);
  });

  it('lose power: all programs at once, memory empty, disks as they were', async () => {
    await n2.run(['sh', '-c', 'echo kept > /srv/file; echo gone > /run/file']);
    await n2.powerOff();
    expect(await carrier(n1, 'mirror')).toBe('0');
    expect(await reaches(n1, n2.address('lan').ipv4)).toBe(false);
    await n2.powerOn();
    expect(await carrier(n1, 'mirror')).toBe('1');
    expect(
      (await n2.run(['sh', '-c', 'cat /srv/file; ls /run; ls /sys/fs/cgroup'])).stdout,
    ).toMatch(/^kept\nlock\nmount\ntako\ncgroup/);
    expect(await reaches(n1, n2.address('lan').ipv4)).toBe(false);
    await greeter(n2);
    expect(await reaches(n1, n2.address('mirror').ipv6)).toBe(true);
  });

  it('lose power without a sign where the network card lives on', async () => {
    await n2.powerOff({ carrier: 'stays' });
    expect(await carrier(n1, 'mirror')).toBe('1');
    await n2.powerOn();
  });

  it('lose power while frozen, and keep a muted link muted', async () => {
    await n1.cut('mirror', 'mute');
    await n1.freeze();
    await n1.powerOff();
    await n1.powerOn();
    await greeter(n1);
    expect(await reaches(n2, n1.address('mirror').ipv4)).toBe(false);
    await n1.mend('mirror');
    expect(await reaches(n2, n1.address('mirror').ipv4)).toBe(true);
  });
});

describe.skipIf(!root)('what test hosts leave behind (needs root)', () => {
  /** Makes a lab with a busy mount in it, says where, and waits. */
  const program = fileURLToPath(new URL('./fixtures/hold-lab.ts', import.meta.url));

  async function hold(): Promise<{
    readonly folder: string;
    readonly kill: (signal: NodeJS.Signals) => void;
    readonly closed: Promise<unknown>;
  }> {
    const child = spawn(NODE, [program], { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
    const closed = once(child, 'close');
    const folder = await new Promise<string>((resolve, reject) => {
      child.stdout.once('data', (data: Buffer) => resolve(data.toString().trim()));
      child.once('close', () => reject(new Error('hold-lab.ts ended too early')));
    });
    return { folder, kill: (signal) => child.kill(signal), closed };
  }

  function remains(folder: string): string[] {
    const left = [folder, labCgroup(folder)].filter((path) => existsSync(path));
    const loops = execFileSync('losetup', ['--list']).toString();
    const mounts = readFileSync('/proc/self/mounts', 'utf8');
    if (loops.includes(folder)) left.push('a loop device');
    if (mounts.includes(folder)) left.push('a mount');
    for (const pid of readdirSync('/proc')) {
      if (/^\d+$/.test(pid) && commandLine(pid).includes(folder)) left.push(`process ${pid}`);
    }
    return left;
  }

  function commandLine(pid: string): string {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    } catch {
      return '';
    }
  }

  it.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)('is nothing after %s', async (signal) => {
    const { folder, kill } = await hold();
    expect(remains(folder).length).toBeGreaterThan(2);
    kill(signal);
    await until('nothing is left', () => remains(folder).length === 0, { timeoutMs: 10_000 });
  });

  it('is swept at the next start, when the reaper was killed too', async () => {
    const { folder, kill, closed } = await hold();
    for (const pid of readdirSync('/proc')) {
      if (commandLine(pid).includes('reaper.ts') && commandLine(pid).includes(folder)) {
        process.kill(Number(pid), 'SIGKILL');
      }
    }
    kill('SIGKILL');
    await closed;
    writeFileSync(join(folder, 'more'), 'files');
    const lab = await createLab({ nodes: ['n1'], witness: false, client: false });
    lab.destroy();
    expect(remains(folder)).toEqual([]);
    await until('its reaper ends', () => remains(lab.folder).length === 0, { timeoutMs: 10_000 });
  });
});
