/**
 * Marks of what a life came through: counted by name, from what nodes said and what befell them, so
 * that the cores know nothing of it. A longer run must reach all of {@link MUST_REACH}.
 */
export class Coverage {
  readonly #marks = new Map<string, number>();

  hit(mark: string): void {
    this.#marks.set(mark, (this.#marks.get(mark) ?? 0) + 1);
  }

  marks(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#marks);
  }
}

/** What a run of {@link LONG_RUN} lives or more must have come through. */
export const MUST_REACH: readonly string[] = [
  ...[
    'adopted',
    'claim-ended',
    'copy-admitted',
    'copy-expelled',
    'copy-stale',
    'failback',
    'failover',
  ],
  ...['no-majority', 'resource-failed', 'restarted', 'resumed', 'stop-failed', 'stopped'],
  ...['suspended', 'switchover', 'taking-over', 'yielding'],
]
  .map((kind) => `event ${kind}`)
  .concat(
    ['power', 'freeze', 'sleep', 'control', 'heart', 'hang', 'mirror', 'isolate', 'pair'].map(
      (kind) => `fault ${kind}`,
    ),
    ['lag', 'drop', 'clock', 'slowDisk', 'fullDisk', 'kill', 'leave'].map(
      (kind) => `fault ${kind}`,
    ),
    ['peace survivable', 'peace not survivable'],
  );

export const LONG_RUN = 400;

/** Adds `more` to `sum`. */
export function addMarks(
  sum: Readonly<Record<string, number>>,
  more: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  const added: Record<string, number> = { ...sum };
  for (const [mark, count] of Object.entries(more)) added[mark] = (added[mark] ?? 0) + count;
  return added;
}
