/**
 * Blanks out comments and the insides of strings, so that a rule about code does not trip over
 * prose. Lines and columns stay where they are. It knows enough of TypeScript for tidy rules, not
 * all of it: a regular expression is told from a division by what stands before it.
 */
type State = 'code' | 'line' | 'block' | 'single' | 'double' | 'template' | 'regex';

const QUOTES: Readonly<Record<string, State>> = { "'": 'single', '"': 'double', '`': 'template' };
const CLOSERS: Readonly<Partial<Record<State, string>>> = {
  single: "'",
  double: '"',
  template: '`',
  regex: '/',
};
/** After one of these a slash begins a regular expression. */
const BEFORE_REGEX = /(^|[=(,:;!&|?{}[+\-*%<>~^]|\breturn|\bcase|\btypeof)$/;

export function codeOnly(text: string): string {
  let out = '';
  let state: State = 'code';
  let inClass = false;
  for (let i = 0; i < text.length; i += 1) {
    const char = text.charAt(i);
    const pair = text.slice(i, i + 2);
    if (state === 'code') {
      state = opens(char, pair, out);
      inClass = false;
      out += state === 'line' || state === 'block' ? ' ' : char;
      continue;
    }
    if (char === '\n') {
      out += char;
      if (state !== 'block' && state !== 'template') state = 'code';
      continue;
    }
    if (state === 'block') {
      out += ' ';
      if (pair === '*/') {
        out += ' ';
        i += 1;
        state = 'code';
      }
      continue;
    }
    if (char === '\\' && state !== 'line') {
      out += '  ';
      i += 1;
      continue;
    }
    if (state === 'regex' && (char === '[' || char === ']')) inClass = char === '[';
    const closes = char === CLOSERS[state] && !(state === 'regex' && inClass);
    out += closes ? char : ' ';
    if (closes) state = 'code';
  }
  return out;
}

function opens(char: string, pair: string, before: string): State {
  if (pair === '//') return 'line';
  if (pair === '/*') return 'block';
  const quote = QUOTES[char];
  if (quote !== undefined) return quote;
  if (char === '/' && BEFORE_REGEX.test(before.slice(-40).trimEnd())) return 'regex';
  return 'code';
}
