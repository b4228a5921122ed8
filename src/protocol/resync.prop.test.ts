import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DIGEST_BYTES,
  type ResyncAnswer,
  type ResyncFrame,
  decodeAnswer,
  decodeFrame,
  encodeAnswer,
  encodeFrame,
} from './resync.ts';

const bytes = fc.uint8Array({ maxLength: 40 });
const count = fc.maxSafeNat();
const word = fc.nat(0xffff_ffff);
const time = fc.record({ seconds: fc.maxSafeInteger(), nanoseconds: fc.nat(999_999_999) });
const entry = fc.record({
  name: bytes,
  ino: count,
  links: word,
  mode: word,
  uid: word,
  gid: word,
  device: count,
  size: count,
  accessed: time,
  modified: time,
  target: bytes,
  xattrs: fc.array(fc.record({ name: bytes, value: bytes }), { maxLength: 3 }),
});
const optional = fc.option(entry, { nil: undefined });
const frame: fc.Arbitrary<ResyncFrame> = fc.oneof(
  fc.record({ type: fc.constant('begin' as const), version: fc.nat(255), blockBytes: word }),
  fc.record({
    type: fc.constant('directory' as const),
    path: bytes,
    first: fc.boolean(),
    self: optional,
    entries: fc.array(entry, { maxLength: 4 }),
    names: fc.array(bytes, { maxLength: 4 }),
  }),
  fc.record({ type: fc.constant('path' as const), path: bytes, entry: optional }),
  fc.record({ type: fc.constant('resize' as const), path: bytes, size: count }),
  fc.record({ type: fc.constant('data' as const), path: bytes, offset: count, data: bytes }),
  fc.record({ type: fc.constant('zeros' as const), path: bytes, offset: count, length: count }),
  fc.record({ type: fc.constant('settle' as const), path: bytes, entry }),
  fc.record({ type: fc.constant('processed' as const), id: count }),
  fc.record({ type: fc.constant('round' as const), number: count }),
);
const digests = fc
  .nat(3)
  .chain((n) => fc.uint8Array({ minLength: n * DIGEST_BYTES, maxLength: n * DIGEST_BYTES }));
const item = fc.record({
  path: bytes,
  gone: fc.boolean(),
  offset: count,
  size: count,
  digests,
  last: fc.boolean(),
});
const answer: fc.Arbitrary<ResyncAnswer> = fc.oneof(
  fc.record({ type: fc.constant('compare' as const), id: count, items: fc.array(item) }),
  fc.record({
    type: fc.constant('again' as const),
    round: count,
    paths: fc.array(bytes),
    last: fc.boolean(),
  }),
  fc.record({ type: fc.constant('settled' as const), round: count }),
);

describe('messages of a resync', () => {
  it('come out as they went in', () => {
    fc.assert(
      fc.property(frame, answer, (one, other) => {
        expect(decodeFrame(encodeFrame(one))).toEqual(one);
        expect(decodeAnswer(encodeAnswer(other))).toEqual(other);
      }),
    );
  });

  it('are nothing when cut short or followed by more', () => {
    fc.assert(
      fc.property(frame, fc.nat(), (it, at) => {
        const encoded = encodeFrame(it);
        expect(decodeFrame(encoded.subarray(0, at % encoded.length))).toBeUndefined();
        expect(decodeFrame(Uint8Array.from([...encoded, 0]))).toBeUndefined();
      }),
    );
  });

  it('never throw, whatever comes', () => {
    const any = fc.tuple(fc.nat(10), fc.uint8Array({ maxLength: 200 }));
    fc.assert(
      fc.property(any, ([type, rest]) => {
        const garbage = Uint8Array.from([type, ...rest]);
        decodeFrame(garbage);
        decodeAnswer(garbage);
      }),
      { numRuns: 2000 },
    );
  });
});
