/**
 * What a witness costs: memory and processor time with 1, 20 and 100 clusters of two nodes that beat
 * at the default rate, beside an empty Node.js process; and how long a vote takes, from the question
 * to the answer that rests on stable storage, alone and while other clusters vote without pause.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { must } from '../../src/base/assert.ts';
import type { GroupId } from '../../src/protocol/ids.ts';
import { pause, until } from '../../test/hosts/wait.ts';
import type { Member } from '../../test/witness/member.ts';
import { A, B, W, WitnessProcess } from '../../test/witness/process.ts';

const COUNTS = [1, 20, 100] as const;
/** Clusters that vote without pause while another one's votes are timed. */
const RIVALS = 10;
/** Beats before the look: what grows with use has grown. */
const WARM_MS = 15_000;
const LOOK_MS = 10_000;
const START_MS = 60_000;
const TICKS_PER_SECOND = 100;

interface Memory {
  readonly residentKiB: number;
  /** Its own: neither code nor constants of the program, which all processes of Node.js share. */
  readonly anonymousKiB: number;
}

export interface WitnessFigures {
  readonly empty: Memory;
  readonly witness: readonly (Memory & {
    readonly clusters: number;
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
  for (const clusters of COUNTS) {
    const figures = await measureMemory(clusters);
    witness.push(figures);
    tell(`${clusters} clusters: ${mebibytes(figures.residentKiB)}`);
  }
  const votes = await measureVotes(runs);
  return { empty, witness, votes };
}

export function witnessTable({ empty, witness, votes }: WitnessFigures): string {
  const head = '| | resident | of that its own | packets/s | processor | latest wake |';
  const rows = witness.map((figures) => {
    const { clusters, packetsPerSecond, processorPercent, latestWakeMs } = figures;
    const memory = `${mebibytes(figures.residentKiB)} | ${mebibytes(figures.anonymousKiB)}`;
    const work = `${packetsPerSecond.toFixed(0)} | ${processorPercent.toFixed(0)} %`;
    return `| witness, ${clusters} clusters | ${memory} | ${work} | ${latestWakeMs.toFixed(1)} ms |`;
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
    '|---|---|---|---|---|---|',
    `| empty Node.js process | ${own} | | | |`,
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

async function measureMemory(clusters: number): Promise<WitnessFigures['witness'][number]> {
  const witness = new WitnessProcess();
  try {
    const members = await beating(witness, clusters);
    await Promise.all(members.map((member) => member.ask(prepare(1), START_MS)));
    await pause(WARM_MS);
    const before = lookAt(witness.pid, members);
    await pause(LOOK_MS);
    const after = lookAt(witness.pid, members);
    const seconds = (after.at - before.at) / 1000;
    const status = await witness.status();
    const wakes = status.map(({ meters }) => meters?.latestWakeMs ?? 0);
    return {
      clusters,
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
    const members = await beating(witness, RIVALS + 1);
    const [timed, ...rest] = members.filter((_, index) => index % 2 === 0);
    const first = must(timed, 'there is a first cluster');
    const alone = await timeVotes(first, runs, 1);
    let over = false;
    const rivals = rest.map(async (rival) => {
      for (let counter = 1; !over; counter += 1) await rival.ask(prepare(counter));
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
    await member.ask(prepare(counter));
    ms.push(performance.now() - startedAt);
  }
  return ms;
}

/** Both nodes of each cluster, heard by the witness; in order of the clusters. */
async function beating(witness: WitnessProcess, clusters: number): Promise<readonly Member[]> {
  const numbers = Array.from({ length: clusters }, (_, index) => index + 1);
  for (const number of numbers) witness.write(`c${number}`, { number });
  await witness.start(...numbers.slice(0, 1).map((number) => `c${number}`));
  const members = numbers.flatMap((number) =>
    [A, B].map((node) => witness.member(node, { number }, { claims: false })),
  );
  await until('the nodes hear the witness', () => members.every((member) => member.hears(W)), {
    timeoutMs: START_MS,
  });
  return members;
}

function prepare(counter: number): Parameters<Member['ask']>[0] {
  return { type: 'prepare', group: 'g' as GroupId, ballot: { counter, node: A } };
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
