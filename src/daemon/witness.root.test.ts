/** A real witness process beside a heart: it votes, keeps its votes, and is bound by its promises. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { G, HeartNode, SEAT } from '../../test/heart/heart-node.ts';
import { must } from '../base/assert.ts';
import type { NodeSetup } from '../protocol/config.ts';
import type { Epoch, LinkId, NodeId, SeatId } from '../protocol/ids.ts';
import type { Ballot, OwnershipRecord, RegistryMessage } from '../protocol/record.ts';
import { ENGINE_FLAGS } from './heart/engine.ts';

const [A, B, W] = ['a', 'b', 'w'] as NodeId[] as [NodeId, NodeId, NodeId];
const LAN = 'lan' as LinkId;
const PORT = 17_855;
const E1 = 1 as Epoch;
const program = fileURLToPath(new URL('witness.ts', import.meta.url));

let dir = '';
let a: HeartNode;
let witness: ChildProcess;
let questions = 0;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tako-witness-'));
  writeFileSync(join(dir, 'key'), Buffer.alloc(32, 9).toString('base64'), { mode: 0o600 });
  witness = startWitness();
  a = new HeartNode(A, setupOf(A));
  await a.hears(W);
});
afterEach(async () => {
  await a.end();
  await killWitness();
  rmSync(dir, { recursive: true, force: true });
});

function setupOf(node: NodeId): NodeSetup {
  const at = (id: NodeId, last: number) => ({ id, addresses: { [LAN]: `127.0.110.${last}` } });
  return {
    node,
    runDir: join(dir, node),
    stateDir: join(dir, `${node}-state`),
    configFile: 'none',
    config: {
      cluster: 'test',
      keyFile: join(dir, 'key'),
      basePort: PORT,
      timing: {
        heartbeatMs: 50,
        leaseMs: 300,
        nodeLostMs: 1000,
        secondaryLostMs: 400,
        clockDrift: 0.01,
        addressLifeSeconds: 3,
        suspendGraceMs: 10_000,
      },
      links: [{ id: LAN, kind: 'udp', direct: false }],
      nodes: [at(A, 1), at(B, 2)],
      witness: at(W, 3),
      groups: [],
    },
  };
}

function startWitness(): ChildProcess {
  const setup = setupOf(W);
  mkdirSync(setup.runDir, { recursive: true });
  const file = join(setup.runDir, 'setup.json');
  writeFileSync(file, JSON.stringify(setup));
  return spawn(process.execPath, [...ENGINE_FLAGS, program, file], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

async function killWitness(): Promise<void> {
  if (witness.exitCode !== null || witness.signalCode !== null) return;
  const gone = new Promise((resolve) => witness.once('exit', resolve));
  witness.kill('SIGKILL');
  await gone;
}

const ballot = (counter: number, node: NodeId = A): Ballot => ({
  counter,
  node,
  seat: `${node}-1` as SeatId,
});
const record = (owner: NodeId, epoch: number): OwnershipRecord => ({
  epoch: epoch as Epoch,
  owner,
  inSync: {},
  want: 'online',
  voters: [{ node: A, seat: SEAT }],
});

/** The memory of the witness that gave this answer. */
function seatIn(answer: RegistryMessage): SeatId {
  expect(answer.type).toBe('accepted');
  return answer.type === 'accepted' ? answer.seat : SEAT;
}

const votersWith = (seat: SeatId) => [
  { node: A, seat: SEAT },
  { node: B, seat: SEAT },
  { node: W, seat },
];

type Question =
  | { readonly type: 'prepare'; readonly ballot: Ballot }
  | { readonly type: 'accept'; readonly ballot: Ballot; readonly record: OwnershipRecord };

/** Asks until it is answered: datagrams may be lost. */
async function ask(question: Question): Promise<RegistryMessage> {
  questions += 1;
  const id = `q${questions}`;
  const body: object = { ...question, id, group: G, previous: undefined };
  const again = setInterval(() => a.send({ type: 'send', to: W, body }), 100);
  try {
    const answer = await a.next('message', ({ body: said }) => (said as { id: string }).id === id);
    return answer.body as RegistryMessage;
  } finally {
    clearInterval(again);
  }
}

test('votes, remembers its votes over a kill, and promises the owner that it voted for', async () => {
  expect(await ask({ type: 'prepare', ballot: ballot(1) })).toMatchObject({ type: 'prepared' });
  const vote = { type: 'accept', ballot: ballot(1), record: record(A, 1) } as const;
  const seat = seatIn(await ask(vote));
  a.records(A, E1);
  a.claim(E1, votersWith(seat));
  const lease = await a.next('lease', (m) => m.held);
  expect(lease.reason).toContain('2 of 3 voters uphold it: a, w');

  await killWitness();
  await a.next('lease', (m) => !m.held);
  witness = startWitness();
  await a.next('lease', (m) => m.held);
  const prepared = await ask({ type: 'prepare', ballot: ballot(2) });
  expect(prepared).toMatchObject({ seat, accepted: { record: { owner: A, epoch: 1 } } });
});

test('refuses to vote against the owner that it is bound to, and does so afterwards', async () => {
  // A proposes B as the owner: the first vote, nothing to revoke.
  await ask({ type: 'prepare', ballot: ballot(1, B) });
  await ask({ type: 'accept', ballot: ballot(1, B), record: record(B, 1) });
  // B never claims, so nothing binds the witness once its start is over.
  await ask({ type: 'prepare', ballot: ballot(2) });
  const take = { type: 'accept', ballot: ballot(2), record: record(A, 2) } as const;
  let answer = await ask(take);
  while (answer.type === 'refused') {
    expect(answer.why).toBe('starting');
    answer = await ask(take);
  }
  expect(answer.type).toBe('accepted');
  a.records(A, 2 as Epoch);
  a.claim(2 as Epoch, votersWith(seatIn(answer)));
  await a.next('lease', (m) => m.held);
});

test('SIGTERM ends it in order', async () => {
  // Whoever answers has started; before that a signal ends it as it ends any program.
  await ask({ type: 'prepare', ballot: ballot(1) });
  const code = new Promise((resolve) => witness.once('exit', resolve));
  must(witness, 'started').kill('SIGTERM');
  expect(await code).toBe(0);
});
