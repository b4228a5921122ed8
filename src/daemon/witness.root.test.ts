/**
 * One real witness process with several clusters: what one of them suffers, or does, is nothing to
 * the others; files are read again without touching who is not concerned.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdirSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../test/hosts/wait.ts';
import { type Member, MEMBER_SEAT, type Question } from '../../test/witness/member.ts';
import {
  A,
  B,
  type ClusterText,
  timingWith,
  W,
  WitnessProcess,
} from '../../test/witness/process.ts';
import { must } from '../base/assert.ts';
import type { Epoch, GroupId, NodeId, SeatId } from '../protocol/ids.ts';
import type { OwnershipRecord } from '../protocol/record.ts';
import { VOTER_GROUPS_MAX } from './witness/voter.ts';

const G = 'g' as GroupId;
const E1 = 1 as Epoch;
/** Longer than the test's own process may be held up on a busy machine. */
const LEASE_MS = 1000;
const timing = timingWith(LEASE_MS);
const ONE: ClusterText = { number: 1, timing };
const TWO: ClusterText = { number: 2, timing };
const PATIENCE = { timeoutMs: 20_000 };
/** A witness of a healthy cluster answers well within a lease. */
const ANSWER_MS_MAX = 250;

let witness: WitnessProcess;

beforeEach(() => {
  witness = new WitnessProcess();
  witness.write('one', ONE);
  witness.write('two', TWO);
});
afterEach(() => witness.destroy());

const prepare = (counter: number, group = G): Question => {
  return { type: 'prepare', group, ballot: { counter, node: A, seat: MEMBER_SEAT } };
};

function accept(counter: number, owner: NodeId, epoch: Epoch): Question {
  const voters = [{ node: A, seat: MEMBER_SEAT }];
  const record: OwnershipRecord = { epoch, owner, inSync: {}, want: 'online', voters };
  return {
    type: 'accept',
    group: G,
    ballot: { counter, node: owner, seat: MEMBER_SEAT },
    record,
    previous: undefined,
  };
}

/** A member that holds the lease of its group by the witness's vote. */
async function owner(cluster: ClusterText): Promise<Member> {
  const member = witness.member(A, cluster);
  await member.ask(prepare(1));
  const answer = await member.ask(accept(1, A, E1));
  if (answer.type !== 'accepted') throw new Error(`Refused: ${JSON.stringify(answer)}`);
  hold(member, answer.seat);
  await member.hasLease(G, true);
  return member;
}

function hold(member: Member, seat: SeatId): void {
  member.records(G, A, E1);
  const voters = [A, B].map((node) => ({ node, seat: MEMBER_SEAT }));
  member.claim(G, E1, [...voters, { node: W, seat }]);
}

async function answerMs(member: Member, counter: number): Promise<number> {
  const startedAt = performance.now();
  await member.ask(prepare(counter, 'latency' as GroupId));
  return performance.now() - startedAt;
}

describe('files that are read again', () => {
  test('add, change and remove a cluster, and leave the others alone', async () => {
    rmSync(join(witness.clustersDir, 'two.yaml'));
    await witness.start('one');
    const a = await owner(ONE);
    const held = a.lease(G);
    witness.write('two', TWO);
    expect(await witness.reload()).toMatchObject({
      done: ['one: as before', 'two: served from now on'],
      faults: [],
    });
    const two = await owner(TWO);
    witness.write('two', { ...TWO, port: 29_000 });
    expect((await witness.reload()).done).toEqual(['one: as before', 'two: changed, begins anew']);
    await two.hasLease(G, false);
    const moved = witness.member(B, { ...TWO, port: 29_000 });
    expect(await moved.ask(prepare(9))).toMatchObject({ accepted: { record: { owner: A } } });
    witness.remove('two');
    expect((await witness.reload()).done[0]).toMatch(
      /^two: not served any more; its votes stay in/,
    );
    await until('it is gone', async () => (await witness.status()).length === 1, PATIENCE);
    expect(readdirSync(join(witness.stateDir, 'two'))).toContain('acceptor.log');
    expect(a.lease(G)).toEqual(held);
  });

  test('another key is a change, and SIGHUP is a way to have it read', async () => {
    await witness.start('one', 'two');
    const before = await witness.serves('one');
    witness.writeKey('two', 77);
    witness.signal('SIGHUP');
    const again = witness.member(A, { ...TWO, key: 77 });
    expect(await again.ask(prepare(1))).toMatchObject({ type: 'prepared' });
    expect((await witness.serves('one')).forMs).toBeGreaterThan(before.forMs);
  });

  test('with a fault change nothing, and say where it is', async () => {
    await witness.start('one', 'two');
    const members = [await owner(ONE), await owner(TWO)];
    const held = members.map((member) => member.lease(G));
    witness.writeText(
      'two',
      'cluster: same\nlinks: {lan: {kind: udp}}\nnodes: {a: {lan: 1.2.3}}\n',
    );
    const { done, faults } = await witness.reload();
    expect(done).toEqual(['one: as before']);
    expect(faults.join()).toMatch(
      /^two: goes on as before: [^]*two\.yaml:3:\d+: nodes\.a\.lan: found/,
    );
    expect(witness.said).toContain('two.yaml:3:');
    expect((await witness.serves('two')).fault).toContain('two.yaml:3:');
    // A newcomer that wants the sockets of another one.
    witness.write('two', TWO);
    witness.writeText('three', '');
    witness.write('three', { ...ONE, key: 3 });
    const clash = await witness.reload();
    expect(clash.done).toEqual(['one: as before', 'two: as before']);
    expect(clash.faults.join()).toMatch(/three\.yaml:\d+:\d+: found 127\.0\.101\.3 with port/);
    rmSync(witness.clustersDir, { recursive: true });
    expect((await witness.reload()).faults.join()).toContain('Nothing is changed');
    mkdirSync(witness.clustersDir);
    expect(members.map((member) => member.lease(G))).toEqual(held);
  });

  test('with a fault at the start: served as it was last, the others as they are now', async () => {
    await witness.start('one', 'two');
    await witness.end('SIGTERM');
    witness.writeText('one', 'cluster: [');
    witness.writeText('new', 'cluster: [');
    await witness.start('one', 'two');
    expect(await witness.serves('one')).toMatchObject({ cluster: 'same', self: 'w' });
    const { state, detail } = await witness.shows('new', () => true);
    expect({ state, detail }).toMatchObject({ state: 'unusable' });
    expect(detail).toContain('new.yaml:');
  });

  test('with a shorter lease: what was promised under the longer one binds to its end', async () => {
    const leaseMs = 3000;
    const long = { ...ONE, timing: timingWith(leaseMs) };
    witness.write('one', long);
    await witness.start('one');
    await owner(long);
    const short = { ...ONE, timing: timingWith(300) };
    witness.write('one', short);
    const changedAt = performance.now();
    await witness.reload();
    const b = witness.member(B, short);
    await b.ask({ ...prepare(5), ballot: { counter: 5, node: B, seat: MEMBER_SEAT } });
    let answer = await b.ask(accept(5, B, 2 as Epoch));
    while (answer.type === 'refused') answer = await b.ask(accept(5, B, 2 as Epoch));
    expect(performance.now() - changedAt).toBeGreaterThan(leaseMs);
  });
});

describe('storage of one cluster', () => {
  test('damaged: told and named; taken up again when it is put right', async () => {
    await witness.start('one', 'two');
    await owner(ONE);
    await witness.end();
    for (const name of ['acceptor.log', 'acceptor.log.2']) {
      truncateSync(join(witness.stateDir, 'one', name), 9);
    }
    await witness.start('two');
    const { detail } = await witness.shows('one', ({ state }) => state === 'failed');
    expect(detail).toMatch(/one\/acceptor\.log": it is damaged/);
    await owner(TWO);
    for (const name of ['acceptor.log', 'acceptor.log.2']) {
      rmSync(join(witness.stateDir, 'one', name));
    }
    expect((await witness.serves('one')).votes).toEqual([]);
  });

  test('of another cluster: refused', async () => {
    await witness.start('one', 'two');
    await witness.end('SIGTERM');
    const text = join(witness.clustersDir, 'one.yaml');
    execFileSync('sed', ['-i', 's/^cluster: same/cluster: other/', text]);
    await witness.start('two');
    const { detail } = await witness.shows('one', ({ state }) => state === 'failed');
    expect(detail).toMatch(
      /the votes in it are those of w of same, and the file is about w of other/,
    );
  });

  test('full: that cluster fails, and comes back when there is room', async () => {
    const disk = join(witness.stateDir, 'one');
    mkdirSync(disk, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]);
    try {
      await witness.start('one', 'two');
      const [one, two] = [await owner(ONE), await owner(TWO)];
      const held = two.lease(G);
      expect(() => writeFileSync(join(disk, 'filler'), Buffer.alloc(1 << 20))).toThrow('ENOSPC');
      // Every vote needs a little more room than there is.
      const groups = Array.from({ length: 100 }, (_, i) => `group-${i}` as GroupId);
      for (const group of groups) one.post(prepare(1, group));
      const { detail, failures } = await witness.shows('one', ({ state }) => state === 'failed');
      expect(detail).toMatch(/one\/.*ENOSPC/);
      expect(failures).toBeGreaterThan(0);
      expect(await answerMs(two, 1)).toBeLessThan(ANSWER_MS_MAX);
      rmSync(join(disk, 'filler'));
      expect((await witness.serves('one')).votes).toEqual([{ group: G, owner: A, epoch: 1 }]);
      await one.hasLease(G, true);
      expect(two.lease(G)).toEqual(held);
    } finally {
      await witness.end();
      execFileSync('umount', [disk]);
    }
  });

  test('that hangs, of eight clusters at once: the others do not wait for it', async () => {
    const hanging = Array.from({ length: 8 }, (_, i) => `hang-${i}`);
    for (const [i, name] of hanging.entries()) {
      witness.write(name, { number: 10 + i });
      mkdirSync(join(witness.stateDir, name), { recursive: true });
      // To open a FIFO for reading waits for a writer, who never comes.
      for (const file of ['acceptor.log', 'acceptor.log.2']) {
        execFileSync('mkfifo', [join(witness.stateDir, name, file)]);
      }
    }
    await witness.start('one', 'two');
    const two = await owner(TWO);
    for (let counter = 1; counter <= 20; counter += 1) {
      expect(await answerMs(two, counter)).toBeLessThan(ANSWER_MS_MAX);
    }
    expect((await witness.status()).filter(({ state }) => state === 'opening')).toHaveLength(8);
    // Nor does the end of the process.
    await witness.end('SIGTERM');
  });
});

describe('a cluster that floods', () => {
  test('garbage, other keys and spoofed senders: counted; the others are served in time', async () => {
    await witness.start('one', 'two');
    const two = await owner(TWO);
    const held = two.lease(G);
    const stranger = witness.member(B, { ...ONE, key: 55 });
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, '127.0.101.1', resolve));
    const header = Buffer.from('TAKO\u0001\u0001', 'latin1');
    const like = Buffer.concat([
      header,
      Buffer.alloc(23),
      Buffer.from([1]),
      Buffer.from('a'),
      Buffer.alloc(200, 7),
    ]);
    let sent = 0;
    const flood = setInterval(() => {
      for (let i = 0; i < 200; i += 1)
        socket.send(i % 2 === 0 ? like : 'rubbish', 21_020, '127.0.101.3');
      sent += 200;
    }, 5);
    try {
      for (let counter = 1; counter <= 60; counter += 1) {
        expect(await answerMs(two, counter)).toBeLessThan(ANSWER_MS_MAX);
      }
      await until('a real flood', () => sent > 20_000, PATIENCE);
      const { meters } = await witness.serves('one');
      const { malformed, forged, refused } = must(meters, 'it beats');
      expect(malformed + forged + refused).toBeGreaterThan(5000);
      expect(forged).toBeGreaterThan(0);
      expect(two.lease(G)).toEqual(held);
      expect(stranger.hears(W)).toBe(false);
    } finally {
      clearInterval(flood);
      socket.close();
    }
    // Its own nodes are served again too.
    await owner(ONE);
  });

  test('questions and invented groups of its own nodes: bounded, and nobody else waits', async () => {
    await witness.start('one', 'two');
    const [one, two] = [await owner(ONE), await owner(TWO)];
    const held = two.lease(G);
    for (let round = 0; round < 40; round += 1) {
      for (let i = 0; i < 100; i += 1) {
        one.post(prepare(round + 2, `invented-${round * 100 + i}` as GroupId));
      }
      expect(await answerMs(two, round + 1)).toBeLessThan(ANSWER_MS_MAX);
    }
    const { dropped } = await witness.shows('one', (status) => status.dropped > 0);
    expect(dropped).toBeGreaterThan(0);
    await witness.end('SIGTERM');
    await witness.start('one', 'two');
    await two.hasLease(G, true);
    expect(VOTER_GROUPS_MAX).toBeLessThan(40 * 100);
    expect(held.held).toBe(true);
  });
});

describe('the process', () => {
  test('frozen for longer than a lease: goes on with what it promised, and nothing more', async () => {
    await witness.start('one', 'two');
    const members = [await owner(ONE), await owner(TWO)];
    witness.signal('SIGSTOP');
    await Promise.all(members.map((member) => member.hasLease(G, false)));
    witness.signal('SIGCONT');
    await Promise.all(members.map((member) => member.hasLease(G, true)));
    expect((await witness.status()).map(({ failures }) => failures)).toEqual([0, 0]);
  });

  test('SIGTERM ends it in order; a second one on the same directories is refused', async () => {
    await witness.start('one', 'two');
    const { runDir, stateDir, clustersDir } = witness;
    const tako = fileURLToPath(new URL('../../bin/tako', import.meta.url));
    const places = ['--run-dir', runDir, '--state-dir', stateDir, '--clusters', clustersDir];
    const second = spawn(tako, ['witness', 'run', ...places], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    second.stderr.on('data', (text: Buffer) => (said += text.toString()));
    const code = await new Promise((resolve) => second.once('close', resolve));
    expect({ code, said }).toMatchObject({ code: 78 });
    expect(said).toContain('Cannot run a witness: another one uses');
    expect(await witness.end('SIGTERM')).toBe(0);
  });

  test('shows what it knows, and that not all is well by its exit code', async () => {
    await witness.start('one', 'two');
    await owner(ONE);
    const tako = fileURLToPath(new URL('../../bin/tako', import.meta.url));
    const status = (...words: string[]): string =>
      execFileSync(tako, ['witness', 'status', '--run-dir', witness.runDir, ...words], {
        encoding: 'utf8',
      });
    expect(status()).toMatch(/✔ 2 clusters served[^]*one +serving[^]*two +serving/);
    expect(status('one')).toMatch(
      /Witness w of cluster same[^]*GROUP +VOTED FOR +EPOCH\n +g +a +1/,
    );
    witness.writeText('two', 'cluster: [');
    await witness.reload();
    expect(() => status()).toThrow('Command failed');
  });
});
