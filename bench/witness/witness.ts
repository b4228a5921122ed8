/**
 * What a witness costs: memory and processor time with 1, 20 and 100 clusters of two nodes that beat
 * beside an empty Node.js process; and how long a vote takes, from the question
 * to the answer that rests on stable storage, alone and while other clusters vote without pause.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { must } from '../../src/base/assert.ts';
import type { GroupId } from '../../src/protocol/ids.ts';
import { pause, until } from '../../test/hosts/wait.ts';
import { MEMBER_SEAT, type Member } from '../../test/witness/member.ts';
import { A, B, W, WitnessProcess } from '../../test/witness/process.ts';

/** The default rate where one process can play all the nodes; a fifth of it for the most clusters. */
const SIZES: readonly Size[] = [
  { clusters: 1, heartbeatMs: 50 },
  { clusters: 20, heartbeatMs: 50 },
  { clusters: 100, heartbeatMs: 250 },
];
/** Clusters that vote without pause while another one's votes are timed. */
const RIVALS = 10;
/** Beats before the look: what grows with use has grown. */
const WARM_MS = 15_000;
const LOOK_MS = 10_000;
const START_MS = 30_000;
const TICKS_PER_SECOND = 100;

interface Size {
  readonly clusters: number;
  readonly heartbeatMs: number;
}

interface Memory {
  readonly residentKiB: number;
  /** Its own: neither code nor constants of the program, which all processes of Node.js share. */
  readonly anonymousKiB: number;
}

export interface WitnessFigures {
  readonly empty: Memory;
  readonly witness: readonly (Memory &
    Size & {
      /** Nodes that were in touch: fewer than twice the clusters on a machine that is too busy. */
      readonly heard: number;
      readonly packetsPerSecond: number;
      readonly processorPercent: number;
      readonly latestWakeMs: number;
    })[];
  readonly votes: readonly { readonly rivals: number; readonly ms: readonly number[] }[];
}

export async function measureWitness(
  runs: number,
  tell: (line: string) => void,
): Promise<WitnessFigures> {
  const empty = await measureEmpty();
  tell(`empty Node.js: ${mebibytes(empty.residentKiB)}`);
  const witness: WitnessFigures['witness'][number][] = [];
  for (const size of SIZES) {
    const figures = await measureMemory(size);
    witness.push(figures);
    tell(`${size.clusters} clusters: ${mebibytes(figures.residentKiB)}`);
  }
  const votes = await measureVotes(runs);
  return { empty, witness, votes };
}

export function witnessTable({ empty, witness, votes }: WitnessFigures): string {
  const head = '| | resident | of that its own | nodes | packets/s | processor | latest wake |';
  const rows = witness.map((figures) => {
    const { clusters, heartbeatMs, heard, packetsPerSecond, processorPercent } = figures;
    const name = `${clusters} ${clusters === 1 ? 'cluster' : 'clusters'}`;
    const cells = [
      `${name}, a heartbeat each ${heartbeatMs} ms`,
      mebibytes(figures.residentKiB),
      mebibytes(figures.anonymousKiB),
      String(heard),
      packetsPerSecond.toFixed(0),
      `${processorPercent.toFixed(0)} %`,
      `${figures.latestWakeMs.toFixed(1)} ms`,
    ];
    return `| ${cells.join(' | ')} |`;
  });
  const own = `${mebibytes(empty.residentKiB)} | ${mebibytes(empty.anonymousKiB)}`;
  const times = votes.map(({ rivals, ms }) => {
    const sorted = ms.toSorted((a, b) => a - b);
    const at = (part: number): string =>
      must(sorted[Math.floor((sorted.length - 1) * part)], 'at least one run').toFixed(1);
    const beside = rivals === 0 ? 'alone' : `beside ${rivals} clusters that vote without pause`;
    return `| a vote, ${beside} | ${at(0.5)} ms | ${at(0.95)} ms | ${at(1)} ms |`;
  });
  return [
    head,
    '|---|---|---|---|---|---|---|',
    `| empty Node.js process | ${own} | | | | |`,
    ...rows,
    '',
    '| | median | 95 of 100 | most |',
    '|---|---|---|---|',
    ...times,
  ].join('\n');
}

async function measureEmpty(): Promise<Memory> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  try {
    await pause(LOOK_MS / 5);
    return memoryOf(must(child.pid, 'it was started'));
  } finally {
    child.kill('SIGKILL');
  }
}

async function measureMemory(size: Size): Promise<WitnessFigures['witness'][number]> {
  const witness = new WitnessProcess();
  try {
    const members = await beating(witness, size);
    const heard = await heardBy(members);
    await pause(WARM_MS);
    const before = lookAt(witness.pid, members);
    await pause(LOOK_MS);
    const after = lookAt(witness.pid, members);
    const seconds = (after.at - before.at) / 1000;
    const status = await witness.status();
    const wakes = status.map(({ meters }) => meters?.latestWakeMs ?? 0);
    return {
      ...size,
      heard,
      ...memoryOf(witness.pid),
      packetsPerSecond: (after.received - before.received) / seconds,
      processorPercent: ((after.ticks - before.ticks) / TICKS_PER_SECOND / seconds) * 100,
      latestWakeMs: Math.max(...wakes),
    };
  } finally {
    await witness.destroy();
  }
}

async function measureVotes(runs: number): Promise<WitnessFigures['votes']> {
  const witness = new WitnessProcess();
  try {
    const members = await beating(witness, { clusters: RIVALS + 1, heartbeatMs: 50 });
    await heardBy(members);
    const [timed, ...rest] = members.filter((_, index) => index % 2 === 0);
    const first = must(timed, 'there is a first cluster');
    const alone = await timeVotes(first, runs, 1);
    let over = false;
    const rivals = rest.map(async (rival) => {
      for (let counter = 1; !over; counter += 1) await rival.ask(prepare(counter), START_MS);
    });
    const beside = await timeVotes(first, runs, runs + 1);
    over = true;
    await Promise.all(rivals);
    return [
      { rivals: 0, ms: alone },
      { rivals: RIVALS, ms: beside },
    ];
  } finally {
    await witness.destroy();
  }
}

async function timeVotes(member: Member, runs: number, from: number): Promise<readonly number[]> {
  const ms: number[] = [];
  for (let counter = from; counter < from + runs; counter += 1) {
    const startedAt = performance.now();
    await member.ask(prepare(counter), START_MS);
    ms.push(performance.now() - startedAt);
  }
  return ms;
}

/** Both nodes of each cluster, heard by the witness; in order of the clusters. */
async function beating(
  witness: WitnessProcess,
  { clusters, heartbeatMs }: Size,
): Promise<readonly Member[]> {
  const leaseMs = Math.max(300, 4 * heartbeatMs);
  const timing = `{ heartbeat: ${heartbeatMs}ms, lease: ${leaseMs}ms, node-lost: 2s }`;
  const texts = Array.from({ length: clusters }, (_, index) => ({ number: index + 1, timing }));
  for (const text of texts) witness.write(`c${text.number}`, text);
  await witness.start('c1');
  const members = texts.flatMap((text) =>
    [A, B].map((node) => witness.member(node, text, { claims: false })),
  );
  return members;
}

/** How many hear the witness, once all do or the time for that is over. */
async function heardBy(members: readonly Member[]): Promise<number> {
  const inTouch = new Set<Member>();
  const all = (): boolean => {
    for (const member of members) if (member.hears(W)) inTouch.add(member);
    return inTouch.size === members.length;
  };
  await until('all nodes hear the witness', all, { timeoutMs: START_MS }).catch(() => false);
  return inTouch.size;
}

function prepare(counter: number): Parameters<Member['ask']>[0] {
  return {
    type: 'prepare',
    group: 'g' as GroupId,
    ballot: { counter, node: A, seat: MEMBER_SEAT },
  };
}

function lookAt(
  pid: number,
  members: readonly Member[],
): { readonly at: number; readonly received: number; readonly ticks: number } {
  const received = members
    .flatMap((member) => member.meters().links)
    .reduce((sum, link) => sum + link.received + link.sent, 0);
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { at: performance.now(), received, ticks: Number(fields[11]) + Number(fields[12]) };
}

function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/status`, 'latin1');
  const field = (name: string): number =>
    Number(must(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'mu').exec(text)?.[1], `${name} is there`));
  return { residentKiB: field('VmRSS'), anonymousKiB: field('RssAnon') };
}

function mebibytes(kibibytes: number): string {
  return `${(kibibytes / 1024).toFixed(1)} MiB`;
}
