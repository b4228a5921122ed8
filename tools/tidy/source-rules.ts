/** Tidy rules that look at one file at a time. Each message carries its reason. */
import { type Finding, isSource, isTest, type TextFile } from './files.ts';
import { codeOnly } from './strip.ts';

/** The formatter keeps code within 100; comments and texts are left as they are. */
const LINE_COLUMNS_MAX = 110;
const FILE_LINES_MAX = 800;
const TEST_LINES_MAX = 1500;

/** Written apart, so that the rule does not find itself. */
const MARKERS = new RegExp(`\\b(${['FIX' + 'ME', 'TO' + 'DO', 'X' + 'XX'].join('|')})\\b`);
const HOMES = ['home/[a-z]', 'root/', 'Users/', 'work/'].map((each) => `/${each}`).join('|');
const PRIVATE_HOSTS = '[a-z0-9-]+\\.(?:internal|corp)\\b';
const BUILD_MACHINE = new RegExp(`(^|[^\\w.])(?:${HOMES}|${PRIVATE_HOSTS})`);

export function checkFile(file: TextFile): readonly Finding[] {
  const findings: Finding[] = [...anyText(file)];
  if (isSource(file.path)) findings.push(...source(file));
  return findings;
}

function anyText(file: TextFile): readonly Finding[] {
  return eachLine(file.path, file.lines, (line) => {
    const messages: string[] = [];
    if (MARKERS.test(line)) {
      messages.push('marks unfinished work: finish it, or open an issue that has an owner');
    }
    if (BUILD_MACHINE.test(line)) {
      messages.push("names a path or host of somebody's machine: it means nothing anywhere else");
    }
    return messages;
  });
}

function source(file: TextFile): readonly Finding[] {
  const findings: Finding[] = [];
  const { path, lines } = file;
  const limit = isTest(path) ? TEST_LINES_MAX : FILE_LINES_MAX;
  if (lines.length - 1 > limit) {
    findings.push({
      path,
      line: 0,
      message: `has ${lines.length - 1} lines, at most ${limit}: split it, one thing per file`,
    });
  }
  if (!path.endsWith('.test.ts') && !hasHeader(file.text)) {
    findings.push({
      path,
      line: 1,
      message: 'lacks a header comment: say what the file is for, why, and its invariants',
    });
  }
  findings.push(
    ...eachLine(path, lines, (line) =>
      line.length > LINE_COLUMNS_MAX && !isUnbreakable(line)
        ? [`is longer than ${LINE_COLUMNS_MAX} columns: it must fit beside another file`]
        : [],
    ),
  );
  const code = codeOnly(file.text);
  findings.push(...eachLine(path, code.split('\n'), (line) => codeLine(path, line)));
  findings.push(...emptyCatches(file, code));
  return findings;
}

function codeLine(path: string, line: string): readonly string[] {
  const messages: string[] = [];
  const core = path.startsWith('src/core/') && !isTest(path);
  if (core && /\b(async|await|Promise)\b/.test(line)) {
    messages.push('waits: decisions in core are synchronous, so that nothing can interleave');
  }
  if (core && /\b(localeCompare|Intl|toLocale\w*)\b/.test(line)) {
    messages.push('depends on the locale: nodes with other settings would decide otherwise');
  }
  if (isTest(path) && /\.(skip|only)\s*\(/.test(line)) {
    messages.push(
      'leaves tests out by hand: delete it, or skip on a condition that says why (skipIf, runIf)',
    );
  }
  return messages;
}

/** A catch block must act, or say in a comment why there is nothing to do. */
function emptyCatches(file: TextFile, code: string): readonly Finding[] {
  const findings: Finding[] = [];
  for (const match of code.matchAll(/\bcatch\s*(\([^)]*\))?\s*\{\s*\}/g)) {
    const original = file.text.slice(match.index, match.index + match[0].length);
    if (/\/[/*]/.test(original)) continue;
    findings.push({
      path: file.path,
      line: file.text.slice(0, match.index).split('\n').length,
      message: 'swallows an error: act on it, or say in a comment why nothing needs to be done',
    });
  }
  return findings;
}

/** At the very top, or right below the imports of a file that holds one thing. */
function hasHeader(text: string): boolean {
  const start = text.replace(/^((#!|\/\/\/).*\n)+/, '').trimStart();
  const belowImports = start.replace(/^(import\s[^;]*;\s*)+/, '');
  return [start, belowImports].some((each) => /^(\/\*\*|\/\/ )/.test(each));
}

/** A long address, or a text on a line of its own, which the formatter leaves whole. */
function isUnbreakable(line: string): boolean {
  return /https?:\/\/\S{60,}/.test(line) || /^\s*(['"`]).*\1[,;)]*$/.test(line);
}

function eachLine(
  path: string,
  lines: readonly string[],
  check: (line: string) => readonly string[],
): readonly Finding[] {
  return lines.flatMap((line, index) =>
    check(line).map((message) => ({ path, line: index + 1, message })),
  );
}
