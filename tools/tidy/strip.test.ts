import { expect, test } from 'vitest';
import { codeOnly } from './strip.ts';

test.each([
  ['a // await b', 'a           '],
  ["f('await', x)", "f('     ', x)"],
  ['f("a\\"b", x)', 'f("    ", x)'],
  ['`await ${x}`', '`          `'],
  ['/* await\nx */ y', '        \n     y'],
  ['x = /await[/]/.test(y)', 'x = /        /.test(y)'],
  ['a / b / c', 'a / b / c'],
  ["'it''s' // '", "'  '' '     "],
])('%s', (text, expected) => {
  expect(codeOnly(text)).toBe(expected);
});

test('keeps lines and columns', () => {
  const text = "const a = 'x';\n/** y\n * z */\nconst b = `q\nr`;\n";
  const code = codeOnly(text);
  expect(code.length).toBe(text.length);
  expect(code.split('\n').map((line) => line.length)).toEqual(
    text.split('\n').map((line) => line.length),
  );
});
