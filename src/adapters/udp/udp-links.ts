/**
 * The UDP sockets of a heart: one per link, bound to this node's own address on it, so that what
 * is sent on a link leaves by that link. An address that is not there (yet, or any more) is tried
 * again for ever; what cannot be sent is counted and forgotten, for the next heartbeat is near.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { messageOf } from '../../base/tako-error.ts';
import type { LinkId, NodeId } from '../../protocol/ids.ts';
import type { Log } from '../../ports/log.ts';
import { normalAddress } from '../ip-address.ts';

const BIND_RETRY_MS = 250;
const RECEIVE_BUFFER_BYTES = 1024 * 1024;

export interface UdpLink {
  readonly id: LinkId;
  readonly address: string;
  /** The peers' addresses on this link. */
  readonly peers: ReadonlyMap<NodeId, string>;
}

export interface LinkMeters {
  readonly link: LinkId;
  sent: number;
  received: number;
  sendErrors: number;
  lastError: string | undefined;
}

export interface UdpLinksOptions {
  readonly port: number;
  readonly links: readonly UdpLink[];
  readonly log: Log;
  /** `from`: whose address it came from, undefined for a stranger's. */
  readonly onDatagram: (link: LinkId, datagram: Uint8Array, from: NodeId | undefined) => void;
}

interface Endpoint {
  readonly link: UdpLink;
  readonly family: 4 | 6;
  readonly byAddress: ReadonlyMap<string, NodeId>;
  readonly addresses: ReadonlyMap<NodeId, string>;
  readonly meters: LinkMeters;
  socket: Socket | undefined;
  retry: NodeJS.Timeout | undefined;
  failed: boolean;
}

type Lookup = (
  host: string,
  options: unknown,
  done: (error: null, address: string, family: number) => void,
) => void;

export class UdpLinks {
  readonly #options: UdpLinksOptions;
  readonly #endpoints: ReadonlyMap<LinkId, Endpoint>;
  #closed = false;

  constructor(options: UdpLinksOptions) {
    this.#options = options;
    this.#endpoints = new Map(options.links.map((link) => [link.id, endpoint(link)]));
    for (const end of this.#endpoints.values()) this.#open(end);
  }

  get meters(): readonly LinkMeters[] {
    return [...this.#endpoints.values()].map((end) => end.meters);
  }

  send(link: LinkId, to: NodeId, datagram: Uint8Array): void {
    const end = this.#endpoints.get(link);
    const address = end?.addresses.get(to);
    if (end === undefined || address === undefined) return;
    if (end.socket === undefined) return failed(end, 'not bound');
    end.meters.sent += 1;
    end.socket.send(datagram, this.#options.port, address, (error) => {
      if (error !== null) failed(end, messageOf(error));
    });
  }

  close(): void {
    this.#closed = true;
    for (const end of this.#endpoints.values()) {
      clearTimeout(end.retry);
      end.socket?.close();
      end.socket = undefined;
    }
  }

  #open(end: Endpoint): void {
    const { family, link } = end;
    // Addresses are literal: no look-up, and so no thread, ever stands between us and the wire.
    const lookup: Lookup = (host, _options, done) => done(null, host, family);
    const socket = createSocket({ type: family === 4 ? 'udp4' : 'udp6', lookup });
    socket.on('error', (error) => {
      if (end.socket === socket) end.socket = undefined;
      socket.close();
      this.#retry(end, messageOf(error));
    });
    socket.on('message', (datagram, info) => this.#received(end, datagram, info));
    socket.bind({ port: this.#options.port, address: link.address, exclusive: true }, () => {
      if (this.#closed) return;
      setReceiveBuffer(socket, this.#options.log, link.id);
      end.socket = socket;
      if (end.failed) this.#options.log.info('link usable again', { link: link.id });
      end.failed = false;
    });
  }

  #retry(end: Endpoint, error: string): void {
    if (this.#closed) return;
    failed(end, error);
    if (!end.failed) {
      const { id: link, address } = end.link;
      this.#options.log.warn('link not usable, trying again', { link, address, error });
    }
    end.failed = true;
    end.retry = setTimeout(() => this.#open(end), BIND_RETRY_MS);
  }

  #received(end: Endpoint, datagram: Uint8Array, info: RemoteInfo): void {
    end.meters.received += 1;
    this.#options.onDatagram(end.link.id, datagram, end.byAddress.get(info.address));
  }
}

function endpoint(link: UdpLink): Endpoint {
  const normal = [...link.peers].map(([node, address]) => [node, normalAddress(address)] as const);
  return {
    link,
    family: link.address.includes(':') ? 6 : 4,
    byAddress: new Map(normal.map(([node, address]) => [address, node])),
    addresses: new Map(normal),
    meters: { link: link.id, sent: 0, received: 0, sendErrors: 0, lastError: undefined },
    socket: undefined,
    retry: undefined,
    failed: false,
  };
}

function failed(end: Endpoint, error: string): void {
  end.meters.sendErrors += 1;
  end.meters.lastError = error;
}

function setReceiveBuffer(socket: Socket, log: Log, link: LinkId): void {
  try {
    socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
  } catch (error) {
    log.warn('receive buffer stays small', { link, error: messageOf(error) });
  }
}
