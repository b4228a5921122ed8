/** Addresses as text and as bytes. */
import { isIP, isIPv4, SocketAddress } from 'node:net';
import { TakoError } from '../base/tako-error.ts';

export const AF_INET = 2;
export const AF_INET6 = 10;

export interface IpAddress {
  readonly family: number;
  readonly bytes: Buffer;
}

/** The one spelling that the kernel's answers have, to compare by. */
export function normalAddress(text: string): string {
  const version = isIP(text);
  if (version === 0) throw new TakoError('config-invalid', `"${text}" is not an IP address`);
  return new SocketAddress({ address: text, family: version === 4 ? 'ipv4' : 'ipv6' }).address;
}

export function parseAddress(text: string): IpAddress {
  const normal = normalAddress(text);
  if (isIPv4(normal)) return { family: AF_INET, bytes: bytesOfV4(normal) };
  return { family: AF_INET6, bytes: bytesOfV6(normal) };
}

function bytesOfV4(text: string): Buffer {
  return Buffer.from(text.split('.').map(Number));
}

function bytesOfV6(text: string): Buffer {
  const withoutV4 = text.replace(/\d+\.\d+\.\d+\.\d+$/u, (v4) => {
    const bytes = bytesOfV4(v4);
    return `${bytes.readUInt16BE(0).toString(16)}:${bytes.readUInt16BE(2).toString(16)}`;
  });
  const [head = '', tail] = withoutV4.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
  const groups = [...before, ...new Array<string>(zeros).fill('0'), ...after];
  const bytes = Buffer.alloc(16);
  groups.forEach((group, i) => bytes.writeUInt16BE(Number.parseInt(group, 16), 2 * i));
  return bytes;
}
