/**
 * The kernel's network interfaces and addresses, by rtnetlink, without any child process.
 *
 * One socket asks and changes; another gets the kernel's notices. Nobody can wait for such a
 * descriptor in Node's event loop, so `poll` looks at it (about 1 us when nothing is there) and the
 * heart calls it every 10 ms: far below what a carrier event may take, and independent of whether
 * /sys shows this network namespace.
 */
import { getSystemErrorName } from 'node:util';
import { TakoError } from '../../base/tako-error.ts';
import { parseAddress } from '../ip-address.ts';
import {
  addressPayload,
  type AddressInfo,
  decodeAddress,
  decodeLink,
  decodeMessages,
  dumpPayload,
  encodeMessage,
  errorOf,
  type LinkInfo,
  type NetlinkMessage,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
  NLMSG_DONE,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_NEWADDR,
  RTM_NEWLINK,
} from './message.ts';
import {
  AF_NETLINK,
  bindSocket,
  closeSocket,
  openSocket,
  receive,
  sendTo,
  setOption,
  waitReadable,
} from '../raw-socket.ts';

const NETLINK_ROUTE = 0;
const GROUPS = 0x1 | 0x10 | 0x100; // links, IPv4 addresses, IPv6 addresses
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const RECEIVE_BUFFER_BYTES = 1024 * 1024;
const READ_BYTES = 64 * 1024;
/** The kernel answers at once; this bounds the wait for one that does not. */
const ANSWER_MS = 200;
const READS_PER_POLL_MAX = 64;
const DUMP_TRIES = 3;
const [EAGAIN, ENOBUFS, EEXIST, EADDRNOTAVAIL, ENODEV, EINTR] = [11, 105, 17, 99, 19, 4];

export interface Lifetime {
  readonly valid: number;
  readonly preferred: number;
}

/** Where an address belongs. */
export interface AddressPlace {
  readonly address: string;
  readonly prefixLength: number;
  readonly index: number;
}

export class Netlink {
  readonly #requests: number;
  readonly #notices: number;
  readonly #buffer = Buffer.alloc(READ_BYTES);
  #sequence = 0;
  #links = new Map<number, LinkInfo>();
  #addresses: AddressInfo[] = [];

  constructor() {
    this.#requests = openRoute(0);
    this.#notices = openRoute(GROUPS);
    setOption(this.#notices, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER_BYTES);
    this.#reload();
  }

  close(): void {
    closeSocket(this.#requests);
    closeSocket(this.#notices);
  }

  /** Takes in what the kernel noticed; true when something changed. */
  poll(): boolean {
    let changed = false;
    for (let i = 0; i < READS_PER_POLL_MAX; i += 1) {
      const size = receive(this.#notices, this.#buffer);
      if (size === -EAGAIN || size === 0) return changed;
      changed = true;
      if (size > 0) {
        for (const message of decodeMessages(this.#buffer.subarray(0, size))) this.#take(message);
      } else if (size === -ENOBUFS) {
        // Notices were lost: look at everything anew.
        this.#reload();
      } else if (size !== -EINTR) {
        throw failure('read notices of the kernel', -size);
      }
    }
    return changed;
  }

  /** The interface that has this address, if there is one now. */
  interfaceOf(address: string): LinkInfo | undefined {
    const { bytes } = parseAddress(address);
    const found = this.#addresses.find((info) => info.local.equals(bytes));
    return found === undefined ? undefined : this.#links.get(found.index);
  }

  link(index: number): LinkInfo | undefined {
    return this.#links.get(index);
  }

  /**
   * Adds the address or, when it is there, renews its life: `added` or `renewed`. Duplicate address
   * detection is off: the lease is the proof that nobody else has it.
   */
  hold(place: AddressPlace, life: Lifetime): 'added' | 'renewed' {
    const flags = NLM_F_REQUEST | NLM_F_ACK;
    const payload = encodePlace(place, life);
    const error = this.#request(RTM_NEWADDR, flags | NLM_F_CREATE | NLM_F_EXCL, payload);
    if (error === 0) return 'added';
    if (error !== EEXIST) throw failure(`add ${describe(place)}`, error);
    const again = this.#request(RTM_NEWADDR, flags | NLM_F_REPLACE, payload);
    if (again !== 0) throw failure(`renew ${describe(place)}`, again);
    return 'renewed';
  }

  /** False when it was not there. */
  drop(place: AddressPlace): boolean {
    const payload = encodePlace(place, undefined);
    const error = this.#request(RTM_DELADDR, NLM_F_REQUEST | NLM_F_ACK, payload);
    if (error === 0) return true;
    if (error === EADDRNOTAVAIL || error === ENODEV) return false;
    throw failure(`remove ${describe(place)}`, error);
  }

  /** Wherever it is: the interfaces that have exactly this address. */
  placesOf(address: string): readonly AddressPlace[] {
    const { bytes } = parseAddress(address);
    return this.#addresses
      .filter((info) => info.local.equals(bytes))
      .map(({ index, prefixLength }) => ({ address, prefixLength, index }));
  }

  #take(message: NetlinkMessage): void {
    if (message.type === RTM_NEWLINK || message.type === RTM_DELLINK) {
      const link = decodeLink(message);
      if (link === undefined) return;
      if (message.type === RTM_NEWLINK) this.#links.set(link.index, link);
      else this.#links.delete(link.index);
    } else if (message.type === RTM_NEWADDR || message.type === RTM_DELADDR) {
      const address = decodeAddress(message);
      if (address === undefined) return;
      this.#addresses = this.#addresses.filter((other) => !sameAddress(other, address));
      if (message.type === RTM_NEWADDR) this.#addresses.push(address);
    }
  }

  #reload(): void {
    this.#links = new Map();
    this.#addresses = [];
    this.#dump(RTM_GETLINK);
    this.#dump(RTM_GETADDR);
  }

  #dump(type: number): void {
    for (let attempt = 1; attempt <= DUMP_TRIES; attempt += 1) {
      this.#send(type, NLM_F_REQUEST | NLM_F_DUMP, dumpPayload(type));
      let interrupted = false;
      const done = this.#answers((message) => {
        const error = errorOf(message);
        if (error !== undefined && error !== 0) throw failure('list interfaces', error);
        if ((message.flags & NLM_F_DUMP_INTR) !== 0) interrupted = true;
        if (message.type === NLMSG_DONE) return true;
        this.#take(message);
        return false;
      });
      if (!done) throw failure('list interfaces', EAGAIN);
      if (!interrupted) return;
    }
  }

  /** The error number, 0 for success. */
  #request(type: number, flags: number, payload: Uint8Array): number {
    this.#send(type, flags, payload);
    let result: number | undefined;
    this.#answers((message) => {
      result = errorOf(message);
      return result !== undefined;
    });
    return result ?? EAGAIN;
  }

  #send(type: number, flags: number, payload: Uint8Array): void {
    this.#sequence = (this.#sequence + 1) >>> 0;
    const message = encodeMessage(type, flags, this.#sequence, payload);
    const sent = sendTo(this.#requests, message, netlinkAddress(0));
    if (sent < 0) throw failure('ask the kernel about the network', -sent);
  }

  /** Hands over the answers to the last request until `take` has enough; false: they stopped. */
  #answers(take: (message: NetlinkMessage) => boolean): boolean {
    for (;;) {
      if (waitReadable(this.#requests, ANSWER_MS) === 0) return false;
      const size = receive(this.#requests, this.#buffer);
      if (size === -EAGAIN || size === -EINTR) continue;
      if (size < 0) throw failure('read an answer of the kernel', -size);
      for (const message of decodeMessages(this.#buffer.subarray(0, size))) {
        if (message.sequence === this.#sequence && take(message)) return true;
      }
    }
  }
}

function openRoute(groups: number): number {
  const fd = openSocket(AF_NETLINK, NETLINK_ROUTE);
  if (fd < 0) throw failure('open a netlink socket', -fd);
  const bound = bindSocket(fd, netlinkAddress(groups));
  if (bound < 0) throw failure('bind a netlink socket', -bound);
  return fd;
}

function netlinkAddress(groups: number): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt16LE(AF_NETLINK, 0);
  bytes.writeUInt32LE(groups, 8);
  return bytes;
}

function encodePlace(place: AddressPlace, life: Lifetime | undefined): Buffer {
  const { family, bytes } = parseAddress(place.address);
  const { index, prefixLength } = place;
  return addressPayload({ index, family, prefixLength, local: bytes, life });
}

function sameAddress(a: AddressInfo, b: AddressInfo): boolean {
  return a.index === b.index && a.prefixLength === b.prefixLength && a.local.equals(b.local);
}

function describe(place: AddressPlace): string {
  return `address ${place.address}/${place.prefixLength}`;
}

function failure(attempt: string, errno: number): TakoError {
  const name = getSystemErrorName(-errno);
  return new TakoError('system-call', `Cannot ${attempt}: ${name}`, { details: { errno, name } });
}
