/** The packet codec: round trips, and whatever bytes come in, an answer and no exception. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { BootId, Epoch, GroupId, LinkId, NodeId, SeatId } from './ids.ts';
import {
  decodeBody,
  decodeHeader,
  encodeBody,
  encodeHeader,
  PACKET_BYTES_MAX,
  type PacketBody,
  TERM_MS_MAX,
} from './packet.ts';

const name = fc.stringMatching(/^[!-~]{1,63}$/u);
const count = fc.maxSafeNat();
const claims = fc.array(
  fc.record({ group: name.map((n) => n as GroupId), epoch: count.map((n) => n as Epoch) }),
  { maxLength: 8 },
);
const token = fc.option(fc.stringMatching(/^[0-9a-f]{16}$/u), { nil: undefined });
const body: fc.Arbitrary<PacketBody> = fc.oneof(
  fc.record({ kind: fc.constant('hello' as const), challenge: token, echo: token }),
  fc.record({
    kind: fc.constant('heartbeat' as const),
    round: count,
    claims,
    hearsOn: fc.array(name.map((n) => n as LinkId)),
    without: fc.option(fc.array(name.map((n) => n as GroupId)), { nil: undefined }),
    termMs: fc.option(fc.double({ min: 1, max: TERM_MS_MAX, noNaN: true }), { nil: undefined }),
  }),
  fc.record({
    kind: fc.constant('answer' as const),
    seat: fc.option(
      name.map((seat) => seat as SeatId),
      { nil: undefined },
    ),
    round: count,
    promises: claims,
    behind: fc.array(name.map((n) => n as GroupId)),
    ahead: claims,
  }),
  fc.record({ kind: fc.constant('message' as const), id: count, body: fc.jsonValue() }),
);

test('a body comes back as it was', () => {
  fc.assert(
    fc.property(body, (value) => {
      const text = encodeBody(value);
      expect(decodeBody(text)).toEqual(JSON.parse(text));
    }),
  );
});

test('a header comes back as it was', () => {
  const header = fc.record({
    sender: name.map((n) => n as NodeId),
    boot: fc.stringMatching(/^[0-9a-f]{32}$/u).map((n) => n as BootId),
    counter: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  });
  fc.assert(
    fc.property(header, (value) => {
      const bytes = encodeHeader(value);
      const datagram = new Uint8Array(bytes.length + 32);
      datagram.set(bytes);
      expect(decodeHeader(datagram)).toEqual({ header: value, length: bytes.length });
    }),
  );
});

test('any bytes as a datagram: an answer, no exception', () => {
  const start = [0x54, 0x41, 0x4b, 0x4f, 1];
  const bytes = fc.uint8Array({ maxLength: 200 });
  fc.assert(
    fc.property(bytes, fc.boolean(), (random, plausible) => {
      const datagram = plausible ? Uint8Array.from([...start, ...random]) : random;
      const decoded = decodeHeader(datagram);
      if (decoded !== undefined) expect(decoded.header.sender.length).toBeGreaterThan(0);
    }),
    { numRuns: 2000 },
  );
  expect(decodeHeader(new Uint8Array(PACKET_BYTES_MAX + 1))).toBeUndefined();
});

test('any text as a body: an answer, no exception', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      decodeBody(text);
    }),
    { numRuns: 1000 },
  );
});

test('any change of a body: well-formed, or refused', () => {
  const change = fc.record({
    key: fc.constantFrom(
      ...['kind', 'round', 'claims', 'hearsOn', 'without', 'termMs', 'promises', 'behind'],
      ...['id', 'echo'],
    ),
    value: fc.oneof(fc.jsonValue(), fc.array(fc.jsonValue(), { maxLength: 3 })),
  });
  fc.assert(
    fc.property(body, change, (value, { key, value: other }) => {
      const decoded = decodeBody(JSON.stringify({ ...value, [key]: other }));
      if (decoded?.kind !== 'heartbeat') return;
      // Nobody has itself promised more than there is.
      expect(decoded.termMs ?? 1).toBeLessThanOrEqual(TERM_MS_MAX);
      for (const claim of decoded.claims) {
        expect(typeof claim.group).toBe('string');
        expect(Number.isSafeInteger(claim.epoch)).toBe(true);
      }
    }),
    { numRuns: 1000 },
  );
});
