/** Rows in aligned columns without lines; wide characters and colours count as what they show. */
import Table from 'cli-table3';
import { createPaint } from './paint.ts';

const NO_LINES = Object.fromEntries(
  [
    'top',
    'top-mid',
    'top-left',
    'top-right',
    'bottom',
    'bottom-mid',
    'bottom-left',
    'bottom-right',
    'left',
    'left-mid',
    'mid',
    'mid-mid',
    'right',
    'right-mid',
  ].map((part) => [part, '']),
);

export interface TableOptions {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly indent?: string | undefined;
  readonly colours: boolean;
}

export function renderTable({ head, rows, indent = '', colours }: TableOptions): string {
  const paint = createPaint(colours);
  const table = new Table({
    chars: { ...NO_LINES, middle: '  ' },
    // Its own colours go even into pipes.
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
    head: head.map((title) => paint('faint', title)),
  });
  table.push(...rows.map((row) => [...row]));
  const lines = table.toString().split('\n');
  return lines.map((line) => `${indent}${line.trimEnd()}\n`).join('');
}
