/**
 * This node's own connection to one peer, for its questions and notices (the peer's come over the
 * peer's own). It is kept up all the time: links are tried in the configured order; when one
 * stalls or breaks the next is tried at once.
 *
 *     waiting ──► connecting link i ──► connected ──(stalled, broken)──► connecting link i + 1
 *        ▲             │ failed
 *        └─────────────┘ after the last link, with a growing pause
 *
 * A question that was sent when the connection broke ends as `timed-out`: nobody knows whether the
 * peer acted on it. One that could not be sent yet waits for the next connection.
 */
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { messageOf, TakoError } from '../../base/tako-error.ts';
import { isErrorCode } from '../../protocol/api-codes.ts';
import type { LinkId, NodeId } from '../../protocol/ids.ts';
import { clientTlsOptions, type TlsIdentity } from '../tls-psk.ts';
import { encodeFrame, type Frame, FrameReader } from './frames.ts';
import { watchLife } from './keepalive.ts';
import { isVersionTell, versionTell, versionTrouble } from './version-tell.ts';

const CONNECT_MS = 600;
const RETRY_MS = 100;
const RETRY_MS_MAX = 1000;
/** As many as make the pause before the next connection the longest. */
const FAILURES_WITHOUT_HOPE = 1000;
const QUESTIONS_MAX = 1000;
const QUEUE_BYTES_MAX = 8 * 1024 * 1024;

export interface Route {
  readonly link: LinkId;
  readonly localAddress: string;
  readonly remoteAddress: string;
}

export interface PeerChannelOptions {
  readonly peer: NodeId;
  /** In order of preference. */
  readonly routes: readonly Route[];
  readonly port: number;
  readonly identity: TlsIdentity;
  readonly onChange: (connected: boolean, reason: string) => void;
}

interface Question {
  readonly bytes: Buffer;
  readonly what: string;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: TakoError) => void;
  readonly timer: NodeJS.Timeout;
  sent: boolean;
}

export class PeerChannel {
  readonly #options: PeerChannelOptions;
  readonly #questions = new Map<number, Question>();
  #nextId = 1;
  #route = 0;
  #failures = 0;
  #lastFailure = 'no connection was tried yet';
  /** Why the peer's release cannot be spoken with, while that is the last that is known. */
  #trouble: { readonly why: string; readonly next: string } | undefined;
  #socket: TLSSocket | undefined;
  #connected = false;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: PeerChannelOptions) {
    this.#options = options;
    this.#connect();
  }

  get connected(): boolean {
    return this.#connected;
  }

  call(method: string, params: unknown, timeoutMs: number): Promise<unknown> {
    const { peer } = this.#options;
    const id = this.#nextId;
    const bytes = encodeFrame({ type: 'ask', id, method, params });
    if (bytes === undefined) {
      return Promise.reject(
        new TakoError('bad-request', `Cannot ask "${peer}" for ${method}: it is too long`),
      );
    }
    if (this.#questions.size >= QUESTIONS_MAX || this.#closed) {
      const why = this.#closed
        ? 'this node is stopping'
        : `${QUESTIONS_MAX} questions wait already`;
      return Promise.reject(new TakoError('busy', `Cannot ask "${peer}" for ${method}: ${why}`));
    }
    this.#nextId += 1;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#tooLate(id, timeoutMs), timeoutMs);
      const question = { bytes, what: method, resolve, reject, timer, sent: false };
      this.#questions.set(id, question);
      if (this.#connected) this.#ask(question);
    });
  }

  /** False when it could not be sent. */
  notify(method: string, params: unknown): boolean {
    if (!this.#connected) return false;
    const bytes = encodeFrame({ type: 'tell', method, params });
    return bytes !== undefined && this.#write(bytes);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#socket?.destroy();
    for (const id of [...this.#questions.keys()]) this.#fail(id, 'this node is stopping');
  }

  #connect(): void {
    const { peer, routes, port, identity } = this.#options;
    const route = routes[this.#route % routes.length];
    if (route === undefined || this.#closed) return;
    const { localAddress, remoteAddress, link } = route;
    // The local address ties the connection to the link, and shows the peer who may be asking.
    const target: ConnectionOptions & { readonly localAddress: string } = {
      ...clientTlsOptions(identity, peer),
      host: remoteAddress,
      port,
      localAddress,
    };
    const socket = connect(target);
    this.#socket = socket;
    let reason = `the connection over ${link} ended`;
    const timer = setTimeout(() => {
      reason = `no answer over ${link} within ${CONNECT_MS} ms`;
      socket.destroy();
    }, CONNECT_MS);
    socket.setNoDelay(true);
    socket.on('secureConnect', () => {
      clearTimeout(timer);
      this.#opened(socket, link, (why) => {
        reason = why;
        socket.destroy();
      });
    });
    socket.on('error', (error) => {
      reason = `${link}: ${messageOf(error)}`;
    });
    socket.on('close', () => {
      clearTimeout(timer);
      this.#closedBy(socket, reason);
    });
  }

  #opened(socket: TLSSocket, link: LinkId, end: (reason: string) => void): void {
    const reader = new FrameReader();
    const told = versionTell();
    if (told !== undefined) socket.write(told);
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const frame of reader.push(chunk)) {
          if (isVersionTell(frame)) {
            this.#judge(frame, end);
          } else {
            this.#receive(frame);
          }
          if (socket.destroyed) return;
        }
      } catch (error) {
        end(`the peer sent ${messageOf(error)}`);
      }
    });
    const ping = encodeFrame({ type: 'ping' });
    watchLife(
      socket,
      () => ping !== undefined && socket.write(ping),
      (silentMs) => end(`silent over ${link} for ${Math.round(silentMs)} ms`),
    );
    this.#connected = true;
    this.#failures = 0;
    this.#options.onChange(true, `connected over ${link}`);
    for (const question of this.#questions.values()) if (!question.sent) this.#ask(question);
  }

  #closedBy(socket: TLSSocket, reason: string): void {
    if (socket !== this.#socket) return;
    this.#socket = undefined;
    this.#lastFailure = reason;
    const { routes } = this.#options;
    const wasConnected = this.#connected;
    this.#connected = false;
    for (const [id, { sent }] of [...this.#questions]) if (sent) this.#fail(id, reason);
    if (this.#closed) return;
    if (wasConnected) this.#options.onChange(false, reason);
    this.#route = (this.#route + 1) % routes.length;
    this.#failures += 1;
    // Each link once without a pause, then with a growing one, beginning with the best link.
    const rounds = Math.floor(this.#failures / routes.length);
    const pause = rounds === 0 ? 0 : Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** Math.min(rounds, 10));
    if (rounds > 0 && this.#failures % routes.length === 0) this.#route = 0;
    this.#retry = setTimeout(() => this.#connect(), pause);
  }

  #judge(frame: Frame, end: (reason: string) => void): void {
    const { identity, peer } = this.#options;
    this.#trouble = versionTrouble(frame, { me: identity.node, peer });
    if (this.#trouble === undefined) return;
    // It is the same at the next connection: no hurry.
    this.#failures = FAILURES_WITHOUT_HOPE;
    end(`version-unsupported: ${this.#trouble.why}`);
  }

  #receive(frame: Frame): void {
    // Whoever is of another version tells that first.
    this.#trouble = undefined;
    if (frame.type !== 'answer') return;
    const question = this.#questions.get(frame.id);
    // The answer to a question that was given up.
    if (question === undefined) return;
    this.#questions.delete(frame.id);
    clearTimeout(question.timer);
    if (frame.ok) {
      question.resolve(frame.result);
      return;
    }
    const code = isErrorCode(frame.code) ? frame.code : 'internal';
    question.reject(new TakoError(code, frame.message, { next: frame.next }));
  }

  #ask(question: Question): void {
    question.sent = this.#write(question.bytes);
  }

  #write(bytes: Buffer): boolean {
    const socket = this.#socket;
    if (socket === undefined || socket.writableLength > QUEUE_BYTES_MAX) return false;
    socket.write(bytes);
    return true;
  }

  #tooLate(id: number, timeoutMs: number): void {
    const sent = this.#questions.get(id)?.sent === true;
    this.#fail(id, sent ? `no answer within ${timeoutMs} ms` : this.#lastFailure);
  }

  #fail(id: number, reason: string): void {
    const question = this.#questions.get(id);
    if (question === undefined) return;
    this.#questions.delete(id);
    clearTimeout(question.timer);
    const { peer } = this.#options;
    if (this.#trouble !== undefined) {
      const { why, next } = this.#trouble;
      const text = `Cannot ask "${peer}" for ${question.what}: ${why}`;
      question.reject(new TakoError('version-unsupported', text, { next }));
      return;
    }
    question.reject(
      question.sent
        ? new TakoError(
            'timed-out',
            `Cannot tell how ${question.what} ended on "${peer}": ${reason}`,
            { next: `Look with "tako status" whether it was done` },
          )
        : new TakoError('peer-refused', `Cannot reach "${peer}" for ${question.what}: ${reason}`, {
            next: `Check that Tako runs on "${peer}", the links and the cluster key`,
          }),
    );
  }
}
