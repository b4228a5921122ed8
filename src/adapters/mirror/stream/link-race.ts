/**
 * Connects to a peer over the first link that works: the links are tried in their configured
 * order, the next one beginning {@link STAGGER_MS} after the one before or as soon as that one
 * failed; the first that is established wins and the others are dropped. A link that failed is
 * tried again while another one, which may be cut, is still being waited for; one on which the peer
 * refused is a good link to a peer that is not ready, and keeps its turn.
 */
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { messageOf } from '../../../base/tako-error.ts';
import type { LinkId } from '../../../protocol/ids.ts';

const STAGGER_MS = 250;
const ATTEMPT_MS_MAX = 1000;
const AGAIN_MS = 50;

export interface LinkTarget {
  readonly link: LinkId;
  /** This node's own address on the link: the traffic leaves there. */
  readonly localAddress: string;
  readonly host: string;
  readonly port: number;
}

export interface LinkRaceHandlers {
  readonly onConnected: (socket: TLSSocket, link: LinkId) => void;
  /** Every link failed; `reason` names each. */
  readonly onFailed: (reason: string) => void;
}

/** Starts at once; returns how to give it up. Exactly one handler is called unless given up. */
export function raceLinks(
  targets: readonly LinkTarget[],
  tls: ConnectionOptions,
  handlers: LinkRaceHandlers,
): () => void {
  const sockets = new Set<TLSSocket>();
  const failures = new Map<LinkId, string>();
  const endsAt = performance.now() + ATTEMPT_MS_MAX;
  const timers = new Set<NodeJS.Timeout>();
  let begun = 0;
  let over = false;

  function end(): void {
    over = true;
    for (const timer of timers) clearTimeout(timer);
    for (const socket of sockets) socket.destroy();
  }

  function after(ms: number, run: () => void): NodeJS.Timeout {
    const timer = setTimeout(() => {
      timers.delete(timer);
      run();
    }, ms);
    timers.add(timer);
    return timer;
  }

  function fail(target: LinkTarget, socket: TLSSocket, why: string, refused = false): void {
    if (over || !sockets.delete(socket)) return;
    socket.destroy();
    failures.set(target.link, why);
    const turn = refused && begun < targets.length;
    if (!turn && begun < targets.length) begin();
    if (sockets.size === 0 && !turn) {
      end();
      handlers.onFailed([...failures].map(([link, reason]) => `${link}: ${reason}`).join('; '));
    } else if (performance.now() < endsAt) after(AGAIN_MS, () => attempt(target));
  }

  function begin(): void {
    const target = targets[begun];
    if (over || target === undefined) return;
    begun += 1;
    attempt(target);
    if (begun >= targets.length) return;
    const mine = begun;
    after(STAGGER_MS, () => {
      if (begun === mine) begin();
    });
  }

  function attempt(target: LinkTarget): void {
    const { host, port, localAddress } = target;
    // `localAddress` is net.connect's, to which tls.connect hands its options on.
    const socket = connect({ ...tls, host, port, localAddress } as ConnectionOptions);
    sockets.add(socket);
    const limit = after(ATTEMPT_MS_MAX, () => {
      fail(target, socket, `no answer within ${ATTEMPT_MS_MAX} ms`);
    });
    // Stays attached: a late error of a dropped attempt must not end the process.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      fail(target, socket, messageOf(error), error.code === 'ECONNREFUSED');
    });
    socket.once('close', () => fail(target, socket, 'closed during the handshake'));
    socket.once('secureConnect', () => {
      if (over) return;
      clearTimeout(limit);
      sockets.delete(socket);
      end();
      handlers.onConnected(socket, target.link);
    });
  }

  if (targets.length === 0) {
    after(0, () => handlers.onFailed('the two nodes have no link in common'));
  } else begin();
  return end;
}
