/** However the bytes arrive, the same frames come out; and no bytes make the reader fail otherwise. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { must } from '../../base/assert.ts';
import { encodeFrame, type Frame, FrameError, FrameReader } from './frames.ts';

const frames: fc.Arbitrary<Frame> = fc.oneof(
  fc.constantFrom<Frame>({ type: 'ping' }, { type: 'pong' }),
  fc.record({
    type: fc.constant('ask' as const),
    id: fc.nat(),
    method: fc.string({ minLength: 1, maxLength: 20 }),
    params: fc.jsonValue(),
  }),
  fc.record({
    type: fc.constant('answer' as const),
    id: fc.nat(),
    ok: fc.constant(true as const),
    result: fc.jsonValue(),
  }),
);

test('frames survive any cutting of the stream', () => {
  fc.assert(
    fc.property(fc.array(frames), fc.array(fc.integer({ min: 1, max: 40 })), (list, cuts) => {
      const bytes = Buffer.concat(list.map((frame) => must(encodeFrame(frame), 'it is short')));
      const reader = new FrameReader();
      const out: Frame[] = [];
      let at = 0;
      for (const size of [...cuts, bytes.length]) {
        out.push(...reader.push(bytes.subarray(at, at + size)));
        at = Math.min(bytes.length, at + size);
      }
      expect(out).toEqual(JSON.parse(JSON.stringify(list)));
    }),
  );
});

test('any other bytes are at worst a FrameError', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 64 })), (chunks) => {
      const reader = new FrameReader();
      const read = (): unknown => {
        try {
          return chunks.flatMap((chunk) => reader.push(Buffer.from(chunk)));
        } catch (error) {
          return error;
        }
      };
      const result = read();
      expect(Array.isArray(result) || result instanceof FrameError).toBe(true);
    }),
  );
});
