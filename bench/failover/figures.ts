/** What was measured, and how it is told: median, least and most, and ratios of medians. */
export const SITUATIONS = ['power-off', 'power-off-silent', 'program-kill', 'move'] as const;
/** The client's patience with one question: what it adds to a gap must be small beside the gap. */
export const ANSWER_MS = 50;
export type Situation = (typeof SITUATIONS)[number];

export const TITLES: Readonly<Record<Situation, string>> = {
  'power-off': 'power-off, carrier of the direct link gone',
  'power-off-silent': 'power-off, silence alone',
  'program-kill': 'program killed, restarted on the same node',
  move: 'planned move',
};

export interface Contender {
  readonly name: string;
  /** Seconds without an answer, per situation; those that it does not know are left out. */
  readonly gaps: Partial<Record<Situation, readonly number[]>>;
}

export interface Summary {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  readonly count: number;
}

export function summarize(values: readonly number[]): Summary | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const [least, most] = [sorted[0], sorted.at(-1)];
  const [low, high] = [
    sorted[Math.floor((sorted.length - 1) / 2)],
    sorted[Math.ceil((sorted.length - 1) / 2)],
  ];
  if (least === undefined || most === undefined) return undefined;
  return { least, most, median: ((low ?? 0) + (high ?? 0)) / 2, count: sorted.length };
}

/** A Markdown table; with two contenders the last column is the ratio of their medians. */
export function table(contenders: readonly Contender[]): string {
  const [first, second] = contenders;
  const heads = ['seconds', ...contenders.map(({ name }) => name)];
  if (second !== undefined) heads.push(`${first?.name} / ${second.name}`);
  const rows = SITUATIONS.map((situation) => {
    const all = contenders.map(({ gaps }) => summarize(gaps[situation] ?? []));
    const cells = [TITLES[situation], ...all.map(cell)];
    const [a, b] = all;
    if (second !== undefined) {
      cells.push(a === undefined || b === undefined ? '-' : (a.median / b.median).toFixed(2));
    }
    return `| ${cells.join(' | ')} |`;
  });
  return [`| ${heads.join(' | ')} |`, `|${'---|'.repeat(heads.length)}`, ...rows].join('\n');
}

function cell(summary: Summary | undefined): string {
  if (summary === undefined) return '-';
  const [median, least, most] = [summary.median, summary.least, summary.most].map((seconds) =>
    seconds.toFixed(3),
  );
  return `${median} (${least} to ${most})`;
}
