/**
 * Notices within {@link DEAD_MS} that a connection carries nothing any more: TCP alone would keep
 * it for minutes. Any byte from the peer counts as life; a ping each {@link PING_MS} provokes one.
 */
import type { TLSSocket } from 'node:tls';

export const PING_MS = 200;
export const DEAD_MS = 600;

/** Calls `ping` regularly and `onDead` once when nothing came; ends with the socket. */
export function watchLife(
  socket: TLSSocket,
  ping: () => void,
  onDead: (silentMs: number) => void,
): void {
  let heardAt = performance.now();
  let tickAt = heardAt;
  socket.on('data', () => {
    heardAt = performance.now();
  });
  const timer = setInterval(() => {
    const now = performance.now();
    const late = now - tickAt > 2 * PING_MS;
    tickAt = now;
    // After a pause of this process itself, what the peer sent meanwhile is still to be read.
    if (late) heardAt = Math.max(heardAt, now - PING_MS);
    if (now - heardAt > DEAD_MS) {
      clearInterval(timer);
      onDead(now - heardAt);
      return;
    }
    ping();
  }, PING_MS);
  socket.on('close', () => clearInterval(timer));
}
