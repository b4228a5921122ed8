// The ledger's file: records of 64 bytes, readable as lines of text, one behind the other.
//
//     R client00 0000000042 0123456789abcdef0123456789abcdef 1a2b3c4d\n
//     kind, client (8), number (10), text (32), check over all before it (8 hexadecimal digits)
//
// R: a client's record; each client numbers its own from 1 without a gap. O: a server opened the
// ledger; `number` counts the openings. Plain JavaScript, because the server must start fast.

export const RECORD_BYTES = 64;
const CHECKED_BYTES = 55;
const DIGITS = 8;
const HEX = '0123456789abcdef';
const LINE_END = 0x0a;

export function encodeRecord({ kind, client, number, text }) {
  const body = `${kind} ${client.padEnd(8)} ${String(number).padStart(10, '0')} ${text.padEnd(32)} `;
  if (body.length !== CHECKED_BYTES) {
    throw new Error(`Cannot write the record "${body}": it has ${body.length} characters`);
  }
  const bytes = Buffer.from(`${body}00000000\n`, 'latin1');
  bytes.write(hex(check(bytes, 0)), CHECKED_BYTES, 'latin1');
  return bytes;
}

// Whether a whole, unharmed record is at `offset`. Makes no strings: a server that starts asks it of
// every record.
export function isRecord(bytes, offset) {
  if (bytes.length - offset < RECORD_BYTES) return false;
  const hash = check(bytes, offset);
  for (let digit = 0; digit < DIGITS; digit += 1) {
    const value = (hash >>> (4 * (DIGITS - 1 - digit))) & 15;
    if (bytes[offset + CHECKED_BYTES + digit] !== HEX.charCodeAt(value)) return false;
  }
  return bytes[offset + RECORD_BYTES - 1] === LINE_END;
}

// Undefined for anything but a whole, unharmed record at `offset`.
export function decodeRecord(bytes, offset) {
  if (!isRecord(bytes, offset)) return undefined;
  const line = bytes.latin1Slice(offset, offset + RECORD_BYTES);
  return {
    kind: line[0],
    client: line.slice(2, 10).trimEnd(),
    number: Number(line.slice(11, 21)),
    text: line.slice(22, 54).trimEnd(),
  };
}

// FNV-1a, 32 bits, over the part of the record that it protects.
function check(bytes, offset) {
  let hash = 0x811c9dc5;
  for (let i = offset; i < offset + CHECKED_BYTES; i += 1) {
    hash = Math.imul(hash ^ bytes[i], 0x01000193);
  }
  return hash >>> 0;
}

function hex(number) {
  return number.toString(16).padStart(8, '0');
}
