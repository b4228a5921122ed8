import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Frame, makeFrame } from '../../../protocol/mirror-frames.ts';
import { FrameReader } from './frame-reader.ts';

const header = { type: 'entry', kind: 'change', target: 0, number: 1 } as const;

describe('frame reader', () => {
  test('finds every frame, however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 20 }),
        (payloads, cuts) => {
          const frames = payloads.map((data, number) =>
            makeFrame({ ...header, number }, data, crc32),
          );
          const stream = Buffer.concat(frames);
          const found: Frame[] = [];
          const reader = new FrameReader((frame) => found.push(frame));
          for (let at = 0, i = 0; at < stream.length; i += 1) {
            const length = cuts[i % cuts.length] ?? 1;
            expect(reader.push(stream.subarray(at, at + length))).toBeUndefined();
            at += length;
          }
          expect(found.map(({ payload }) => [...payload])).toEqual(
            payloads.map((data) => [...data]),
          );
        },
      ),
    );
  });

  test('a damaged frame ends the reading with a reason', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), fc.nat(), (data, at) => {
        const frame = makeFrame(header, data, crc32);
        const where = at % (24 + data.length);
        frame[where] = (frame[where] ?? 0) ^ 0x40;
        const found: Frame[] = [];
        const reader = new FrameReader((one) => found.push(one));
        // More behind it, so that a length made longer is noticed too.
        const wrong = reader.push(Buffer.concat([frame, Buffer.alloc(64)]));
        expect(found).toEqual([]);
        if (wrong !== undefined) expect(wrong).toMatch(/^malformed frame: /u);
        reader.push(makeFrame(header, data, crc32));
        if (wrong !== undefined) expect(found).toEqual([]);
      }),
    );
  });
});
