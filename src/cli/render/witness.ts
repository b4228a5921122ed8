/** `tako witness status` for people: a line per cluster, and for a single one all that is known. */
import type { HeartMeters } from '../../protocol/heart-ipc.ts';
import type { FromWitness, WitnessClusterStatus } from '../../protocol/witness.ts';
import { plain } from './event.ts';
import { bytes, duration } from './figures.ts';
import { createPaint, type Paint, toneOf } from './paint.ts';
import { renderTable } from './table.ts';

export interface WitnessView {
  readonly own: Extract<FromWitness, { type: 'process' }> | undefined;
  readonly clusters: readonly WitnessClusterStatus[];
  /** Votes and strangers one by one. */
  readonly detailed: boolean;
  readonly colours: boolean;
}

/** What came and did not count; `stale` has harmless causes and is not among them. */
const STRANGERS = ['unknown', 'forged', 'malformed', 'refused'] as const;

export function renderWitness({ own, clusters, detailed, colours }: WitnessView): string {
  const paint = createPaint(colours);
  const wrong = clusters.filter(({ state, fault }) => state !== 'serving' || fault !== undefined);
  const summary =
    wrong.length === 0
      ? paint('good', `✔ ${count(clusters.length, 'cluster')} served`)
      : paint('bad', `✖ ${wrong.map(({ name }) => name).join(', ')}: not as it should be`);
  const process =
    own === undefined
      ? ''
      : `Process ${own.pid}, ${bytes(own.residentBytes)} resident, files in ${own.directory}`;
  const table = renderTable({
    head: ['CLUSTER', 'STATE', 'FOR', 'NODES', 'VOTES', 'STRANGERS', 'FAILURES'],
    rows: clusters.map((cluster) => [
      paint('strong', cluster.name),
      paint(cluster.state === 'serving' ? 'good' : 'bad', cluster.state),
      duration(cluster.forMs),
      nodesOf(cluster, paint),
      String(cluster.votes.length),
      cluster.meters === undefined ? '-' : String(strangers(cluster.meters)),
      String(cluster.failures),
    ]),
    colours,
  });
  const details = clusters.flatMap((cluster) => problems(cluster, paint));
  const more = detailed ? clusters.map((cluster) => detailsOf(cluster, colours)) : [];
  return [summary, paint('faint', process), '', `${table}${details.join('')}`, ...more].join('\n');
}

function nodesOf({ nodes }: WitnessClusterStatus, paint: Paint): string {
  const words = nodes.map(({ node, state, heardMsAgo }) => {
    if (state === 'up') return paint('good', node);
    const heard = heardMsAgo === undefined ? 'never heard' : `heard ${duration(heardMsAgo)} ago`;
    return paint(toneOf(state), `${node} ${state}, ${heard}`);
  });
  return words.length === 0 ? '-' : words.join('; ');
}

function problems({ name, detail, fault }: WitnessClusterStatus, paint: Paint): readonly string[] {
  const texts = detail === fault ? [detail] : [detail, fault ?? ''];
  return texts
    .filter((text) => text !== '')
    .map((text) => paint('bad', `${name}: ${told(text)}\n`));
}

function detailsOf(cluster: WitnessClusterStatus, colours: boolean): string {
  const { cluster: id, self, seat, links, votes, meters, dropped } = cluster;
  const where = links.map(({ link, address, port }) => `${link} ${address} port ${port}`);
  const lines = [
    `Witness ${self ?? '?'} of cluster ${plain(id ?? '?')}, on ${where.join(', ')}, seat ${seat ?? '-'}`,
  ];
  if (meters !== undefined) {
    const kinds = [...STRANGERS, 'stale' as const].map((kind) => `${kind} ${meters[kind]}`);
    lines.push(`Did not count: ${kinds.join(', ')}, dropped questions ${dropped}`);
    for (const { link, received, sent, sendErrors, lastError } of meters.links) {
      const error = lastError === undefined ? '' : `, last error: ${plain(lastError)}`;
      lines.push(`Link ${link}: received ${received}, sent ${sent}, errors ${sendErrors}${error}`);
    }
  }
  const table = renderTable({
    head: ['GROUP', 'VOTED FOR', 'EPOCH'],
    rows: votes.map(({ group, owner, epoch }) => [plain(group), plain(owner), String(epoch)]),
    indent: '  ',
    colours,
  });
  return `${lines.map((line) => `${line}\n`).join('')}\n${table}`;
}

function strangers(meters: HeartMeters): number {
  return STRANGERS.reduce((sum, kind) => sum + meters[kind], 0);
}

/** Faults have several lines. */
function told(text: string): string {
  return text.split('\n').map(plain).join('\n');
}

function count(n: number, word: string): string {
  return `${n} ${word}${n === 1 ? '' : 's'}`;
}
