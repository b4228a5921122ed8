/**
 * One established connection between the mirrors of two nodes: frames both ways, a keepalive every
 * {@link KEEPALIVE_MS}, and an end when the other side is silent for too long. Reports its end
 * exactly once.
 */
import type { TLSSocket } from 'node:tls';
import { crc32 } from 'node:zlib';
import { messageOf } from '../../../base/tako-error.ts';
import {
  encodeControl,
  type Frame,
  makeFrame,
  type MirrorControl,
} from '../../../protocol/mirror-frames.ts';
import { FrameReader } from './frame-reader.ts';

export const KEEPALIVE_MS = 100;
/** More than this waiting in the socket: the sender waits for `onDrain`. */
export const SEND_AHEAD_BYTES = 1024 * 1024;
const KEEPALIVE = makeFrame(
  { type: 'keepalive', kind: 'none', target: 0, number: 0 },
  new Uint8Array(0),
  crc32,
);

export interface ConnectionOptions {
  /** Silence after which `onStall` is called, again and again while it lasts. */
  readonly stallMs: number;
  /** Silence after which the connection counts as dead. */
  readonly silentMs: number;
}

export interface ConnectionHandlers {
  readonly onFrame: (frame: Frame) => void;
  readonly onDrain: () => void;
  readonly onStall: () => void;
  readonly onEnd: (reason: string) => void;
}

export class MirrorConnection {
  readonly #socket: TLSSocket;
  readonly #handlers: ConnectionHandlers;
  readonly #options: ConnectionOptions;
  readonly #reader: FrameReader;
  readonly #timer: NodeJS.Timeout;
  #heardAt = performance.now();
  #open = true;

  constructor(socket: TLSSocket, options: ConnectionOptions, handlers: ConnectionHandlers) {
    this.#socket = socket;
    this.#options = options;
    this.#handlers = handlers;
    this.#reader = new FrameReader((frame) => {
      if (this.#open) handlers.onFrame(frame);
    });
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#data(chunk));
    socket.on('drain', () => handlers.onDrain());
    socket.on('error', (error) => this.close(messageOf(error)));
    socket.on('close', () => this.close('the connection was closed by the other side'));
    this.#timer = setInterval(() => this.#tick(), KEEPALIVE_MS);
  }

  get open(): boolean {
    return this.#open;
  }

  get sendAheadBytes(): number {
    return this.#socket.writableLength;
  }

  /** Takes the bytes over: they must not change afterwards. */
  send(bytes: Uint8Array): void {
    if (this.#open) this.#socket.write(bytes);
  }

  control(message: MirrorControl): void {
    this.send(encodeControl(message, crc32));
  }

  /** Stops reading; what the kernel has received already stays there. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#socket.isPaused()) return;
    this.#heardAt = performance.now();
    this.#socket.resume();
  }

  /** Says a last word and closes once it is on its way. */
  refuse(message: MirrorControl, reason: string): void {
    if (!this.#open) return;
    this.control(message);
    this.#socket.end();
    this.#finish(reason);
    // The other side may never read it.
    const socket = this.#socket;
    setTimeout(() => socket.destroy(), this.#options.silentMs).unref();
  }

  /** Ends it at once. Repeatable; the first reason counts. */
  close(reason: string): void {
    this.#socket.destroy();
    this.#finish(reason);
  }

  #finish(reason: string): void {
    if (!this.#open) return;
    this.#open = false;
    this.#reader.stop();
    clearInterval(this.#timer);
    this.#handlers.onEnd(reason);
  }

  #data(chunk: Uint8Array): void {
    this.#heardAt = performance.now();
    const wrong = this.#reader.push(chunk);
    if (wrong !== undefined) this.close(wrong);
  }

  #tick(): void {
    const silentMs = performance.now() - this.#heardAt;
    if (silentMs > this.#options.stallMs && !this.#socket.isPaused()) {
      // One more turn of the loop: after a pause of this process, the data may be there unread.
      setImmediate(() => this.#silent());
    }
    if (this.#socket.writableLength === 0) this.send(KEEPALIVE);
  }

  #silent(): void {
    const silentMs = performance.now() - this.#heardAt;
    if (silentMs > this.#options.silentMs) {
      this.close(`nothing came from the other side for ${Math.round(silentMs)} ms`);
    } else if (this.#open && silentMs > this.#options.stallMs) this.#handlers.onStall();
  }
}
