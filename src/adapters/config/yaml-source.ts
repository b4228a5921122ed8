/**
 * A YAML text as plain data that remembers where everything stood. Only what a configuration needs
 * is let through: one document, text keys, no tags, few aliases; everything else is a fault with
 * its place.
 */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from 'yaml';
import { messageOf } from '../../base/tako-error.ts';
import type { ConfigPath } from '../../protocol/config-finding.ts';

/** Aliases may repeat a handful of values; more is an attempt to exhaust memory, or a mistake. */
const ALIASES_MAX = 100;
/** Syntax errors breed: the first few tell everything. */
const SYNTAX_FAULTS_MAX = 10;

export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface SourceFault extends Place {
  readonly message: string;
  readonly next: string;
}

export interface YamlSource {
  readonly faults: readonly SourceFault[];
  /** Undefined when the text is too broken to be read as data. */
  readonly data: { readonly value: unknown } | undefined;
  /** Where the value at `path`, or with `atKey` its key, stands; else the nearest place around it. */
  placeOf(path: ConfigPath, atKey: boolean): Place;
}

export function readYaml(text: string): YamlSource {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    stringKeys: true,
    uniqueKeys: true,
    prettyErrors: false,
    // Not 'silent': that would let a second document pass.
    logLevel: 'error',
  });
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const faults = syntaxFaults(document, at);
  // A duplicate key leaves the rest readable, so that its faults can be told as well.
  const readable = document.errors.every(({ code }) => code === 'DUPLICATE_KEY');
  const data = readable ? toData(document, at, faults) : undefined;
  return {
    faults,
    data,
    placeOf: (path, atKey) => at(offsetOf(document, path, atKey)),
  };
}

function syntaxFaults(document: Document, at: (offset: number) => Place): SourceFault[] {
  const found = [...document.errors, ...document.warnings];
  return found.slice(0, SYNTAX_FAULTS_MAX).map(({ code, message, pos }) => ({
    ...at(pos[0]),
    message: explain(code, message),
    next: adviceFor(code),
  }));
}

function explain(code: string, message: string): string {
  if (code === 'DUPLICATE_KEY') return 'found a key for the second time, expected each key once';
  if (code === 'MULTIPLE_DOCS') return 'found a second document, expected a single one';
  if (code === 'NON_STRING_KEY') return 'found a key that is not plain text, expected a name';
  if (code === 'RESOURCE_EXHAUSTION') return 'found too many levels, expected a configuration';
  return `not YAML: ${message}`;
}

function adviceFor(code: string): string {
  if (code === 'DUPLICATE_KEY') return 'Remove or rename one of the two';
  if (code === 'MULTIPLE_DOCS') return 'Remove the line "---" and what follows';
  if (code === 'TAB_AS_INDENT') return 'Indent with spaces';
  if (code === 'TAG_RESOLVE_FAILED') return 'Remove the tag (the word after "!")';
  return 'Look at this line and the one before it: indentation, brackets, quotes, colons';
}

function toData(
  document: Document,
  at: (offset: number) => Place,
  faults: SourceFault[],
): YamlSource['data'] {
  try {
    return { value: document.toJS({ maxAliasCount: ALIASES_MAX }) as unknown };
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    const exhausting = messageOf(error).includes('Excessive');
    faults.push({
      ...at(firstAlias(document)),
      message: exhausting
        ? 'found aliases that repeat one another too often, expected a few at most'
        : `not YAML: ${messageOf(error)}`,
      next: 'Write the values out in place of the aliases (the words after "*")',
    });
    return undefined;
  }
}

function firstAlias(document: Document): number {
  let offset = 0;
  visit(document, {
    Alias: (_, alias) => {
      offset = alias.range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  return offset;
}

function offsetOf(document: Document, path: ConfigPath, atKey: boolean): number {
  let node: Node | null = document.contents;
  let offset = node?.range?.[0] ?? 0;
  for (const [depth, step] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document) ?? null;
    const child = childAt(node, step);
    if (child === undefined) return offset;
    const last = depth === path.length - 1;
    // A value that is a block of its own starts on a later line: its key says more.
    const useKey = (atKey && last) || child.value === null || isMap(child.value);
    offset = (useKey ? (child.keyOffset ?? child.offset) : child.offset) ?? offset;
    node = child.value;
  }
  return offset;
}

interface Child {
  readonly value: Node | null;
  readonly keyOffset: number | undefined;
  readonly offset: number | undefined;
}

function childAt(node: Node | null, step: string | number): Child | undefined {
  if (isSeq(node) && typeof step === 'number') {
    const value = node.items[step] as Node | undefined;
    return value === undefined
      ? undefined
      : { value, keyOffset: undefined, offset: value.range?.[0] };
  }
  if (!isMap(node)) return undefined;
  for (const { key, value } of node.items) {
    if (!isScalar(key) || String(key.value) !== String(step)) continue;
    const inner = value as Node | null;
    return { value: inner, keyOffset: key.range?.[0], offset: inner?.range?.[0] };
  }
  return undefined;
}
