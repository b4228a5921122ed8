import fc from 'fast-check';
import { expect, it } from 'vitest';
import { LINE_BYTES_MAX, LineReader, encodeLine } from './line-codec.ts';

function cut(bytes: Uint8Array, at: readonly number[]): readonly Uint8Array[] {
  const points = [...new Set(at.map((n) => n % (bytes.length + 1)))].sort((a, b) => a - b);
  const ends = [...points, bytes.length];
  return ends.map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1], end));
}

it('reads what was written, however the stream is cut into pieces', () => {
  const values = fc.array(fc.jsonValue({ maxDepth: 3 }), { maxLength: 8 });
  fc.assert(
    fc.property(values, fc.array(fc.nat()), (written, at) => {
      const lines = written.map((value) => encodeLine(value));
      const bytes = Buffer.concat(lines.filter((line) => line !== undefined));
      const read: unknown[] = [];
      const reader = new LineReader((value) => read.push(value));
      for (const piece of cut(bytes, at)) expect(reader.push(piece)).toBeUndefined();
      expect(JSON.stringify(read)).toBe(JSON.stringify(written));
    }),
  );
});

it('never throws, and hands out nothing after the first thing wrong', () => {
  const noise = fc.array(fc.oneof(fc.constant(0x0a), fc.integer({ min: 0, max: 255 })));
  fc.assert(
    fc.property(noise, fc.array(fc.nat()), (numbers, at) => {
      const all = Uint8Array.from(numbers);
      let wrong = false;
      const reader = new LineReader(() => expect(wrong).toBe(false));
      for (const piece of cut(all, at)) wrong = reader.push(piece) !== undefined || wrong;
      const first = Buffer.from(all).toString('latin1').split('\n')[0];
      if (first === '' && all.length > 0) expect(wrong).toBe(true);
    }),
  );
});

it('refuses a line that is too long on both sides, wherever it is cut', () => {
  const long = 'x'.repeat(LINE_BYTES_MAX);
  expect(encodeLine(long)).toBeUndefined();
  expect(encodeLine('x'.repeat(LINE_BYTES_MAX - 2))?.length).toBe(LINE_BYTES_MAX + 1);
  const reader = new LineReader(() => undefined);
  const piece = Buffer.alloc(LINE_BYTES_MAX / 4, 0x20);
  for (let i = 0; i < 4; i += 1) expect(reader.push(piece)).toBeUndefined();
  expect(reader.push(Buffer.from(' '))).toMatch('longer than');
  expect(reader.push(Buffer.from('\n1\n'))).toBeUndefined();
});
