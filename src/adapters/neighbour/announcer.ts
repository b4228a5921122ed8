/** Sends the frames that announce an address, through a raw socket. Never waits. */
import { getSystemErrorName } from 'node:util';
import { TakoError } from '../../base/tako-error.ts';
import { AF_INET, parseAddress } from '../ip-address.ts';
import { AF_PACKET, closeSocket, openSocket, sendTo } from '../raw-socket.ts';
import { gratuitousArps, neighbourAdvertisement } from './frames.ts';

const HARDWARE_BYTES = 6;

export interface AnnounceFrom {
  /** Index of the network interface. */
  readonly index: number;
  readonly hardwareAddress: Uint8Array;
}

export class Announcer {
  readonly #fd: number;

  constructor() {
    // Protocol 0: it sends only, and the kernel queues nothing for it.
    this.#fd = openSocket(AF_PACKET, 0);
    if (this.#fd < 0) {
      const name = getSystemErrorName(this.#fd);
      throw new TakoError('system-call', `Cannot open a raw socket: ${name}`, {
        next: 'Run Tako as root or with CAP_NET_RAW',
      });
    }
  }

  close(): void {
    closeSocket(this.#fd);
  }

  /**
   * Announces once; undefined when it went out or need not, else what the kernel said. Interfaces
   * without Ethernet addresses (loopback, tunnels) have no neighbours to tell.
   */
  announce(address: string, from: AnnounceFrom): string | undefined {
    const { index, hardwareAddress } = from;
    if (hardwareAddress.length !== HARDWARE_BYTES) return undefined;
    if (hardwareAddress.every((byte) => byte === 0)) return undefined;
    const { family, bytes } = parseAddress(address);
    const frames =
      family === AF_INET
        ? gratuitousArps(bytes, hardwareAddress)
        : [neighbourAdvertisement(bytes, hardwareAddress)];
    for (const frame of frames) {
      const sent = sendTo(this.#fd, frame, linkLayerAddress(index, frame));
      if (sent < 0) return getSystemErrorName(sent);
    }
    return undefined;
  }
}

/** `struct sockaddr_ll`: destination and protocol are those of the frame. */
function linkLayerAddress(index: number, frame: Buffer): Buffer {
  const bytes = Buffer.alloc(20);
  bytes.writeUInt16LE(AF_PACKET, 0);
  frame.copy(bytes, 2, 12, 14);
  bytes.writeInt32LE(index, 4);
  bytes.writeUInt8(HARDWARE_BYTES, 11);
  frame.copy(bytes, 12, 0, HARDWARE_BYTES);
  return bytes;
}
