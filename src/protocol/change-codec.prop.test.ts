import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { changeBytes, decodeChange, encodeChange } from './change-codec.ts';
import type { Change } from './change.ts';

const bytes = (max: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength: max });
const path = bytes(300);
const u32 = fc.nat({ max: 0xffff_ffff });
const size = fc.maxSafeNat();
const time = fc.record({
  seconds: fc.maxSafeInteger(),
  nanoseconds: fc.nat({ max: 999_999_999 }),
});
const maybe = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(of, { nil: undefined });
const type = <T extends Change['type']>(word: T): fc.Arbitrary<T> => fc.constant(word);

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ type: type('write'), path, offset: size, data: bytes(5000) }),
  fc.record({ type: type('truncate'), path, size }),
  fc.record({ type: type('allocate'), path, mode: u32, offset: size, length: size }),
  fc.record({ type: type('create'), path, mode: u32, device: size, uid: u32, gid: u32 }),
  fc.record({ type: type('mkdir'), path, mode: u32, uid: u32, gid: u32 }),
  fc.record({ type: type('symlink'), path, target: bytes(300), uid: u32, gid: u32 }),
  fc.record({ type: type('link'), path, existing: path }),
  fc.record({ type: type('unlink'), path }),
  fc.record({ type: type('rmdir'), path }),
  fc.record({ type: type('rename'), from: path, path, flags: u32 }),
  fc.record({
    type: type('attributes'),
    path,
    mode: maybe(u32),
    uid: maybe(u32),
    gid: maybe(u32),
    accessed: maybe(time),
    modified: maybe(time),
  }),
  fc.record({ type: type('setxattr'), path, name: bytes(255), value: bytes(900), flags: u32 }),
  fc.record({ type: type('removexattr'), path, name: bytes(255) }),
  fc.record({ type: type('sync'), path, dataOnly: fc.boolean() }),
);

function encoded(value: Change): Uint8Array {
  const out = new Uint8Array(changeBytes(value));
  expect(encodeChange(value, out)).toBe(out.length);
  return out;
}

describe('change codec', () => {
  test('what is encoded is decoded alike', () => {
    fc.assert(
      fc.property(change, (value) => {
        expect(decodeChange(encoded(value))).toEqual({ ok: true, value });
      }),
    );
  });

  test('a change that is cut short is refused or is another whole one', () => {
    fc.assert(
      fc.property(change, fc.nat(), (value, cut) => {
        const whole = encoded(value);
        const part = whole.subarray(0, cut % whole.length);
        const result = decodeChange(part);
        if (result.ok) expect(encoded(result.value)).toEqual(part);
        else expect(result.reason).toMatch(/^malformed change: /u);
      }),
    );
  });

  test('arbitrary bytes never crash it, and what it takes it gives back', () => {
    const start = fc.tuple(fc.constantFrom(0, 1, 2), fc.nat({ max: 20 }), bytes(200));
    fc.assert(
      fc.property(start, ([version, code, rest]) => {
        const input = Uint8Array.from([version, code, ...rest]);
        const result = decodeChange(input);
        if (result.ok) expect(encoded(result.value)).toEqual(input);
      }),
      { numRuns: 1000 },
    );
  });
});
