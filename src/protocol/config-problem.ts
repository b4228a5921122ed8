/** Faults and risks of a configuration file, with their places, for people and for programs. */
import type { Config } from './config.ts';

export interface ConfigProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** `groups.ledger.nodes.0`; empty for the file as a whole. */
  readonly path: string;
  /** What was found, what was expected. */
  readonly message: string;
  readonly next: string;
}

export interface ConfigReport {
  /** Undefined when there are errors. */
  readonly config: Config | undefined;
  readonly errors: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
}

/** `FILE:LINE:COL: path: found ..., expected ...` and the next step on a line of its own. */
export function formatProblem(problem: ConfigProblem): string {
  const { file, line, column, path, message, next } = problem;
  const where = path === '' ? '' : `${path}: `;
  return `${file}:${line}:${column}: ${where}${message}\n  Next: ${next}`;
}
