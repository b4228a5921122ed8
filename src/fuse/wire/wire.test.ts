import { describe, expect, test } from 'vitest';
import {
  direntBytes,
  ENTRY_BYTES,
  putAttrOut,
  putDirent,
  putEntry,
  putNegativeEntry,
} from './encode.ts';
import { INIT_FLAG } from './flags.ts';
import { DATA_BYTES_MAX, decodeInit, isSupported, putInit, REQUEST_BYTES_MAX } from './init.ts';
import { WRITE_IN } from './layout.ts';
import { encodeForgetAttributes } from './notify.ts';
import { Reply } from './reply.ts';
import { Request } from './request.ts';

const HEADER = 40;

function requestOf(opcode: number, body: Buffer, declared?: number): Request {
  const message = Buffer.concat([Buffer.alloc(HEADER), body]);
  message.writeUInt32LE(declared ?? message.length, 0);
  message.writeUInt32LE(opcode, 4);
  message.writeBigUInt64LE(0x1234_5678_9abcn, 8);
  message.writeBigUInt64LE(77n, 16);
  message.writeUInt32LE(1000, 24);
  message.writeUInt32LE(1001, 28);
  const request = new Request(REQUEST_BYTES_MAX);
  request.buffer.set(message);
  request.load(message.length);
  return request;
}

describe('a request', () => {
  test('gives its header, names and data', () => {
    const request = requestOf(16, Buffer.from('name\0other\0rest'));
    expect(request).toMatchObject({ opcode: 16, nodeId: 77, uid: 1000, gid: 1001, length: 55 });
    expect(Buffer.from(request.name(HEADER) ?? []).toString()).toBe('name');
    expect(Buffer.from(request.name(HEADER + 5) ?? []).toString()).toBe('other');
    expect(request.name(HEADER + 11)).toBeUndefined();
    expect(Buffer.from(request.data(HEADER, 4) ?? []).toString()).toBe('name');
    expect(request.data(HEADER, 16)).toBeUndefined();
  });

  test('is refused when its length is not what was read, or less than a header', () => {
    const request = new Request(4096);
    request.buffer.set(requestOf(3, Buffer.alloc(16), 57).buffer.subarray(0, 56));
    expect(request.load(56)).toBe(false);
    expect(request.load(20)).toBe(false);
    expect(request.load(0)).toBe(false);
  });

  test('ends before its extensions', () => {
    const request = requestOf(9, Buffer.alloc(24));
    new DataView(request.buffer.buffer).setUint16(36, 2, true);
    expect(request.load(64)).toBe(true);
    expect(request.length).toBe(48);
    new DataView(request.buffer.buffer).setUint16(36, 0xffff, true);
    expect(request.load(64)).toBe(false);
  });

  test('reads numbers of 64 bits, signed ones too', () => {
    const body = Buffer.alloc(24);
    body.writeBigInt64LE(-5n, 0);
    body.writeBigUInt64LE(2n ** 40n + 3n, 8);
    body.writeBigUInt64LE(2n ** 64n - 1n, 16);
    const request = requestOf(4, body);
    expect(request.i64(HEADER)).toBe(-5);
    expect(request.u64(HEADER + 8)).toBe(2 ** 40 + 3);
    expect(Number.isSafeInteger(request.u64(HEADER + 16))).toBe(false);
  });

  test('leaves its data where it is, and does not describe it anew', () => {
    const request = requestOf(16, Buffer.alloc(40 + 4096));
    const first = request.data(WRITE_IN.bytes, 4096);
    expect(request.data(WRITE_IN.bytes, 4096)).toBe(first);
    expect(request.data(WRITE_IN.bytes, 4095)).not.toBe(first);
  });
});

const TIME = { seconds: -1, nanoseconds: 999_999_999 };
const ATTRIBUTES = {
  ino: 2 ** 40 + 1,
  size: 2 ** 33,
  blocks: 8,
  mode: 0o100644,
  nlink: 2,
  uid: 1,
  gid: 2,
  device: 3,
  blockSize: 4096,
  accessed: TIME,
  modified: TIME,
  changed: TIME,
};

function sent(reply: Reply, length: number): Buffer {
  return Buffer.from(reply.copy(length));
}

describe('a reply', () => {
  const request = requestOf(1, Buffer.from('x\0'));

  test('has length, error and the number of its request in front', () => {
    const reply = new Reply(100);
    const message = sent(reply, reply.finish(request, -2, 0));
    expect(message.readUInt32LE(0)).toBe(16);
    expect(message.readInt32LE(4)).toBe(-2);
    expect(message.readBigUInt64LE(8)).toBe(0x1234_5678_9abcn);
  });

  test('lays an entry out as struct fuse_entry_out', () => {
    const reply = new Reply(1000);
    const message = sent(reply, reply.finish(request, 0, putEntry(reply, 0, 9, ATTRIBUTES)));
    expect(message.length).toBe(16 + ENTRY_BYTES);
    expect(message.readBigUInt64LE(16)).toBe(9n);
    expect(message.readBigUInt64LE(16 + 40)).toBe(2n ** 40n + 1n);
    expect(message.readBigUInt64LE(16 + 48)).toBe(2n ** 33n);
    expect(message.readBigInt64LE(16 + 40 + 24)).toBe(-1n);
    expect(message.readUInt32LE(16 + 40 + 60)).toBe(0o100644);
    expect(message.readUInt32LE(16 + 40 + 80)).toBe(4096);
  });

  test('says that a name does not exist, for long', () => {
    const reply = new Reply(1000);
    reply.payload(ENTRY_BYTES).fill(0xff);
    const message = sent(reply, reply.finish(request, 0, putNegativeEntry(reply)));
    expect(message.readBigUInt64LE(16)).toBe(0n);
    expect(message.readBigUInt64LE(16 + 16)).toBeGreaterThan(1000n);
  });

  test('lays attributes out as struct fuse_attr_out', () => {
    const reply = new Reply(1000);
    const message = sent(reply, reply.finish(request, 0, putAttrOut(reply, ATTRIBUTES)));
    expect(message.length).toBe(16 + 104);
    expect(message.readBigUInt64LE(32)).toBe(2n ** 40n + 1n);
  });

  test.for([1, 7, 8, 9, 255])('pads a directory entry of %i bytes to 8', (length) => {
    const name = new Uint8Array(length).fill(0x61);
    const reply = new Reply(1000);
    reply.payload(1000).fill(0xff);
    const bytes = putDirent(reply, 0, { ino: 5, next: 6, type: 8, name });
    expect(bytes).toBe(direntBytes(name));
    expect(bytes % 8).toBe(0);
    const padding = reply.payload(bytes).subarray(24 + length);
    expect(padding.length).toBeLessThan(8);
    expect([...padding].every((byte) => byte === 0)).toBe(true);
  });

  test('notifies the kernel that attributes changed, without touching data', () => {
    const message = Buffer.from(encodeForgetAttributes(2 ** 33 + 1));
    expect(message.readUInt32LE(0)).toBe(message.length);
    expect(message.readInt32LE(4)).toBe(2);
    expect(message.readBigUInt64LE(8)).toBe(0n);
    expect(message.readBigUInt64LE(16)).toBe(2n ** 33n + 1n);
    expect(message.readBigInt64LE(24)).toBe(-1n);
  });
});

describe('INIT', () => {
  function offer(major: number, minor: number, flags: number): Request {
    const body = Buffer.alloc(64);
    body.writeUInt32LE(major, 0);
    body.writeUInt32LE(minor, 4);
    body.writeUInt32LE(131_072, 8);
    body.writeUInt32LE(flags >>> 0, 12);
    return requestOf(26, body);
  }

  test.for([
    [7, 45, true],
    [7, 31, true],
    [7, 30, false],
    [6, 50, false],
    [8, 0, false],
  ] as const)('version %i.%i is supported: %s', ([major, minor, supported]) => {
    const found = decodeInit(offer(major, minor, -1));
    expect(found !== undefined && isSupported(found)).toBe(supported);
  });

  test('takes no more than the kernel offers and never its locks or its write-back', () => {
    const few = decodeInit(offer(7, 45, INIT_FLAG.maxPages | 2));
    expect(few?.flags).toBe(INIT_FLAG.maxPages);
    const [posixLocks, flockLocks, writeback] = [1 << 1, 1 << 10, 1 << 16];
    const all = decodeInit(offer(7, 45, -1));
    expect((all?.flags ?? -1) & (posixLocks | flockLocks | writeback)).toBe(0);
    expect(decodeInit(requestOf(26, Buffer.alloc(8)))).toBeUndefined();
  });

  test('asks for large writes', () => {
    const reply = new Reply(1000);
    const found = decodeInit(offer(7, 45, -1));
    expect(found).toBeDefined();
    if (found === undefined) return;
    const message = sent(
      reply,
      reply.finish(requestOf(26, Buffer.alloc(0)), 0, putInit(reply, found)),
    );
    expect(message.length).toBe(16 + 64);
    expect(message.readUInt32LE(16)).toBe(7);
    expect(message.readUInt32LE(16 + 20)).toBe(DATA_BYTES_MAX);
    expect(message.readUInt16LE(16 + 28)).toBe(256);
    expect(REQUEST_BYTES_MAX).toBeGreaterThanOrEqual(DATA_BYTES_MAX + 80);
  });
});
