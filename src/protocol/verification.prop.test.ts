import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  VERIFY_BLOCK_BYTES,
  VERIFY_HOLE_BYTES,
  type VerifyFrame,
  decodeVerified,
  decodeVerify,
  encodeVerified,
  encodeVerify,
  isVerification,
} from './verification.ts';

const bytes = fc.uint8Array({ maxLength: 300 });
const digest = fc.uint8Array({ minLength: 32, maxLength: 32 });
const range = (lengthMax: number) =>
  fc
    .tuple(fc.nat(), fc.nat(lengthMax), fc.nat())
    .map(([offset, length, more]) => ({ offset, length, size: offset + length + more }));

const frames: fc.Arbitrary<VerifyFrame> = fc.oneof(
  fc.record({ type: fc.constant('names' as const), path: bytes, digest }),
  fc.record({
    type: fc.constant('entries' as const),
    path: bytes,
    entries: fc.array(fc.record({ name: bytes, digest }), { maxLength: 5 }),
  }),
  fc
    .tuple(bytes, range(VERIFY_BLOCK_BYTES), digest)
    .map(([path, at, of]) => ({ type: 'block' as const, path, ...at, digest: of })),
  fc
    .tuple(bytes, range(VERIFY_HOLE_BYTES))
    .map(([path, at]) => ({ type: 'hole' as const, path, ...at })),
  fc.record({ type: fc.constant('end' as const), run: fc.nat() }),
);

describe('the messages of a verification', () => {
  test('come out as they went in', () => {
    fc.assert(
      fc.property(frames, (frame) => {
        const encoded = encodeVerify(frame);
        expect(isVerification(encoded)).toBe(true);
        expect(decodeVerify(encoded)).toEqual(frame);
        expect(decodeVerify(encoded.subarray(0, encoded.length - 1))).toBeUndefined();
      }),
    );
    expect(decodeVerified(encodeVerified({ run: 7 }))).toEqual({ run: 7 });
  });

  test('anything else is none, and never throws', () => {
    fc.assert(
      fc.property(frames, fc.nat(), fc.nat(255), (frame, at, value) => {
        const encoded = encodeVerify(frame).slice();
        encoded[at % encoded.length] = value;
        decodeVerify(encoded);
        decodeVerified(encoded);
      }),
    );
    expect(decodeVerify(new Uint8Array([3, 0, 0, 0]))).toBeUndefined();
    expect(isVerification(new Uint8Array(0))).toBe(false);
  });

  test('a part beyond the end of its file, or a longer one than agreed, is refused', () => {
    const hole = { type: 'hole', path: new Uint8Array([97]), offset: 8, length: 8 } as const;
    expect(decodeVerify(encodeVerify({ ...hole, size: 15 }))).toBeUndefined();
    expect(decodeVerify(encodeVerify({ ...hole, size: 16 }))).toBeDefined();
    const length = VERIFY_HOLE_BYTES + 1;
    expect(decodeVerify(encodeVerify({ ...hole, length, size: 2 * length }))).toBeUndefined();
  });
});
