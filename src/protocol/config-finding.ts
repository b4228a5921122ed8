/** What the checks of a configuration find, for people: where, what, what was expected, what to do. */

/** Keys from the top of the file; numbers count list entries. */
export type ConfigPath = readonly (string | number)[];

export interface ConfigFinding {
  readonly severity: 'error' | 'warning';
  readonly path: ConfigPath;
  /** The finding is about the key itself, not about its value. */
  readonly atKey?: boolean | undefined;
  readonly found: string;
  readonly expected: string;
  readonly next: string;
}

export type AddFinding = (finding: Omit<ConfigFinding, 'severity'>) => void;

export interface Findings {
  readonly error: AddFinding;
  readonly warning: AddFinding;
}

/** The candidate that `word` was probably meant to be, or undefined. */
export function closest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.floor(word.length / 3) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word, candidate);
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** `Did you mean "x"?` before the general advice, when something is close. */
export function suggest(word: string, candidates: readonly string[], otherwise: string): string {
  const meant = closest(word, candidates);
  return meant === undefined ? otherwise : `Did you mean "${meant}"? ${otherwise}`;
}

/** Insertions, deletions, replacements and swaps of neighbours that lead from one to the other. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row[j] = Math.min(
        (last[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (last[j - 1] ?? 0) + (same ? 0 : 1),
        swapped ? (beforeLast[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    [beforeLast, last] = [last, row];
  }
  return last[b.length] ?? 0;
}
