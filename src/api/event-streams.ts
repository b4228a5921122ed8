/**
 * Live events as server-sent events. Each has the id `NODE:NUMBER`; a client that comes back with
 * `Last-Event-ID` first gets what it missed, as far as the log reaches. A comment every few seconds
 * shows that the stream lives. A client that does not read is dropped when its queue is full: it
 * can come back and lose nothing.
 */
import type { ServerResponse } from 'node:http';
import type { Log } from '../ports/log.ts';
import type { Steering } from '../ports/steering.ts';
import type { TakoEvent } from '../protocol/event.ts';

const HEARTBEAT_MS = 5000;
const QUEUE_BYTES_MAX = 4 * 1024 * 1024;
const STREAMS_MAX = 64;
/** Events looked through for what a returning client missed. */
const CATCH_UP_MAX = 1000;
/** Events that may come in while those are being read. */
const PENDING_MAX = 1000;

export interface EventStreams {
  /** Serves the stream on a response that nobody else uses; resolves when it has begun. */
  open(response: ServerResponse, afterId: string | undefined): Promise<void>;
  close(): void;
}

export function createEventStreams(steering: Steering, log: Log): EventStreams {
  const streams = new Set<Stream>();
  return {
    open: async (response, afterId) => {
      if (streams.size >= STREAMS_MAX) {
        response.writeHead(503).end();
        return;
      }
      const stream = new Stream(response, log);
      streams.add(stream);
      response.on('close', () => {
        streams.delete(stream);
        stream.end();
      });
      await stream.begin(steering, afterId);
    },
    close: () => {
      for (const stream of streams) stream.end();
    },
  };
}

class Stream {
  readonly #response: ServerResponse;
  readonly #log: Log;
  #heartbeat: NodeJS.Timeout | undefined;
  #unfollow: (() => void) | undefined;
  /** Live events held back until what was missed has been sent; undefined when live. */
  #pending: TakoEvent[] | undefined;
  #ended = false;

  constructor(response: ServerResponse, log: Log) {
    this.#response = response;
    this.#log = log;
    // A client that goes away is no fault; `close` follows.
    response.on('error', () => undefined);
  }

  async begin(steering: Steering, afterId: string | undefined): Promise<void> {
    this.#response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
    });
    this.#send(': Tako events\n\n');
    this.#heartbeat = setInterval(() => this.#send(':\n\n'), HEARTBEAT_MS);
    this.#pending = afterId === undefined ? undefined : [];
    this.#unfollow = steering.follow((event) => this.#receive(event));
    if (afterId !== undefined) await this.#catchUp(steering, afterId);
  }

  end(): void {
    this.#ended = true;
    clearInterval(this.#heartbeat);
    this.#unfollow?.();
    this.#unfollow = undefined;
    if (!this.#response.writableEnded) this.#response.end();
  }

  /** Followed first, read afterwards: nothing can fall between, and what is in both is sent once. */
  async #catchUp(steering: Steering, afterId: string): Promise<void> {
    const sent = new Set<string>();
    try {
      const past = await steering.events(CATCH_UP_MAX);
      const known = past.findIndex((event) => idOf(event) === afterId);
      for (const event of past.slice(known + 1)) {
        this.#sendEvent(event);
        sent.add(idOf(event));
      }
    } catch (error) {
      // The live events still go out; the client sees the gap in the numbers.
      this.#log.warn('cannot read the events that a client missed', { error });
    }
    const pending = this.#pending ?? [];
    this.#pending = undefined;
    for (const event of pending) if (!sent.has(idOf(event))) this.#sendEvent(event);
  }

  #receive(event: TakoEvent): void {
    if (this.#pending === undefined) {
      this.#sendEvent(event);
    } else if (this.#pending.length < PENDING_MAX) {
      this.#pending.push(event);
    } else {
      this.#drop();
    }
  }

  #sendEvent(event: TakoEvent): void {
    this.#send(`id: ${idOf(event)}\ndata: ${JSON.stringify(event)}\n\n`);
  }

  #send(text: string): void {
    if (this.#ended) return;
    this.#response.write(text);
    if (this.#response.writableLength > QUEUE_BYTES_MAX) this.#drop();
  }

  #drop(): void {
    this.#log.info('dropped a reader of events that does not keep up');
    this.end();
    this.#response.destroy();
  }
}

function idOf({ node, id }: TakoEvent): string {
  return `${node}:${id}`;
}
