import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Epoch, MirrorId, NodeId } from './ids.ts';
import {
  decodeAck,
  decodeControl,
  decodeFrame,
  decodeHeader,
  encodeAck,
  encodeControl,
  FRAME_PAYLOAD_BYTES_MAX,
  frameBytes,
  makeFrame,
  type MirrorControl,
} from './mirror-frames.ts';

const kind = fc.constantFrom('change' as const, 'resync' as const, 'barrier' as const);
const text = fc.string({ maxLength: 100, unit: 'binary' });
const count = fc.maxSafeNat();
const copy = fc.oneof(
  fc.record({ state: fc.constantFrom('empty' as const, 'foreign' as const, 'dirty' as const) }),
  fc.record({ state: fc.constant('clean' as const), epoch: count, seq: count }),
);
const control = fc.oneof(
  fc.record({
    type: fc.constant('hello' as const),
    cluster: text,
    mirror: text,
    node: text,
    epoch: count,
    session: text,
    applied: count,
    copy,
  }),
  fc.record({
    type: fc.constant('hello' as const),
    ...{ cluster: text, mirror: text, node: text, epoch: count, session: text, applied: count },
    copy,
    checkpoint: fc.record({ epoch: count, session: text, seq: count }),
  }),
  fc.record({
    type: fc.constant('start' as const),
    mode: fc.constantFrom('resume', 'follow', 'resync'),
    from: count,
    first: count,
  }),
  fc.record({ type: fc.constant('failed' as const), reason: text }),
  fc.record({
    type: fc.constant('refused' as const),
    why: fc.constantFrom('stale', 'sealed', 'not-following'),
    message: text,
  }),
) as fc.Arbitrary<MirrorControl>;

describe('frames', () => {
  test('an entry comes out as it went in', () => {
    fc.assert(
      fc.property(
        kind,
        fc.nat({ max: 255 }),
        count,
        fc.uint8Array(),
        (word, target, number, data) => {
          const frame = makeFrame({ type: 'entry', kind: word, target, number }, data, crc32);
          expect(frame.length).toBe(frameBytes(data.length));
          expect(decodeFrame(frame, crc32)).toEqual({
            ok: true,
            value: {
              type: 'entry',
              kind: word,
              target,
              number,
              payloadBytes: data.length,
              payload: data,
            },
          });
        },
      ),
    );
  });

  test('any changed byte of header or payload is noticed', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.nat(), fc.integer({ min: 1, max: 255 }), (data, at, by) => {
        const header = { type: 'entry', kind: 'change', target: 0, number: 7 } as const;
        const frame = makeFrame(header, data, crc32);
        const where = at % (24 + data.length);
        frame[where] = (frame[where] ?? 0) ^ by;
        const result = decodeFrame(frame, crc32);
        expect(result.ok).toBe(false);
      }),
    );
  });

  test('arbitrary bytes never crash it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (data) => {
        expect(decodeFrame(data, crc32).ok).toBe(false);
      }),
    );
  });

  test('a length beyond the limit is refused from the header alone', () => {
    const header = { type: 'entry', kind: 'change', target: 0, number: 1 } as const;
    const frame = makeFrame(header, new Uint8Array(0), crc32);
    new DataView(frame.buffer).setUint32(16, FRAME_PAYLOAD_BYTES_MAX + 1, true);
    expect(decodeHeader(frame)).toMatchObject({ ok: false });
  });

  test('control messages survive, whatever is in their texts', () => {
    fc.assert(
      fc.property(control, (message) => {
        const frame = decodeFrame(encodeControl(message, crc32), crc32);
        if (!frame.ok) throw new Error(frame.reason);
        expect(decodeControl(frame.value.payload)).toEqual({ ok: true, value: message });
      }),
    );
  });

  test('control messages that lack something are refused', () => {
    const bytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
    const hello = {
      type: 'hello',
      cluster: 'c',
      mirror: 'g.m' as MirrorId,
      node: 'n1' as NodeId,
      epoch: 1 as Epoch,
      session: 's',
      applied: 0,
      copy: { state: 'clean', epoch: 1, seq: 2 },
    };
    expect(decodeControl(bytes(hello)).ok).toBe(true);
    for (const key of Object.keys(hello)) {
      expect(decodeControl(bytes({ ...hello, [key]: undefined })).ok).toBe(false);
      expect(decodeControl(bytes({ ...hello, [key]: -1 })).ok).toBe(false);
    }
    for (const checkpoint of [
      null,
      5,
      {},
      { epoch: 1, session: 's', seq: -1 },
      { epoch: 1, seq: 1 },
    ]) {
      expect(decodeControl(bytes({ ...hello, checkpoint })).ok).toBe(false);
    }
    expect(decodeControl(Buffer.from('nonsense')).ok).toBe(false);
    expect(decodeControl(bytes(null)).ok).toBe(false);
  });

  test('acknowledgements survive, contradictions are refused', () => {
    fc.assert(
      fc.property(count, count, (applied, stable) => {
        const frame = decodeFrame(encodeAck({ applied, stable }, crc32), crc32);
        if (!frame.ok) throw new Error(frame.reason);
        const ack = decodeAck(frame.value);
        if (stable > applied) expect(ack.ok).toBe(false);
        else expect(ack).toEqual({ ok: true, value: { applied, stable } });
      }),
    );
  });
});
