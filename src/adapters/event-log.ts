/**
 * The event log on disk: `events.ndjson`, one event per line, and `events.1.ndjson` with the older
 * ones, each of bounded size. The latest events are kept in memory too, and only these are read.
 *
 * History is for people, so losing some of it must never stop the service: what cannot be written
 * is logged and kept in memory. Events reach the kernel at once, the disk within a second, errors
 * sooner. A last line torn by a crash is cut off. After a power-off the events of the last second
 * may be missing, and their numbers are then given again.
 *
 * A file begins with `{"version": v}` from the second version of the format on; one of a newer
 * release is left as it is, and events are then kept in memory only.
 */
import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { TakoError, messageOf } from '../base/tako-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { EventStore } from '../ports/event-store.ts';
import type { Log } from '../ports/log.ts';
import type { EventDraft, TakoEvent } from '../protocol/event.ts';
import type { NodeId } from '../protocol/ids.ts';
import { FORMATS } from '../protocol/versions.ts';
import { newerFormat } from './newer-format.ts';
import { errnoCode } from './errno-code.ts';

/** Events that can be asked for. */
export const EVENTS_KEPT_MAX = 10_000;
/** Size of each of the two files. */
const FILE_BYTES_MAX = 8 * 1024 * 1024;
/** An event beyond this loses its details, and the end of its text if it must. */
const EVENT_BYTES_MAX = 64 * 1024;
const TEXT_LENGTH_MAX = 4096;
const SYNC_WITHIN_MS = 1000;
const NEWLINE = 0x0a;

export interface EventLogOptions {
  /** `STATEDIR/events.ndjson`. */
  readonly path: string;
  readonly node: NodeId;
  readonly clock: Clock;
  readonly log: Log;
  readonly fileBytesMax?: number | undefined;
}

/** Opens or creates; throws a TakoError when the files cannot be opened at all. */
export function openEventLog(options: EventLogOptions): EventStore {
  return new EventLog(options);
}

class EventLog implements EventStore {
  readonly #options: EventLogOptions;
  readonly #listeners = new Set<(event: TakoEvent) => void>();
  readonly #fileBytesMax: number;
  #kept: TakoEvent[];
  #fd: number;
  #bytes: number;
  #lastId: number;
  #syncTimer: NodeJS.Timeout | undefined;
  #syncing: Promise<void> | undefined;
  #failing = false;
  /** The files are of a newer release: they stay as they are. */
  readonly #memoryOnly: boolean;

  constructor(options: EventLogOptions) {
    this.#options = options;
    this.#fileBytesMax = options.fileBytesMax ?? FILE_BYTES_MAX;
    const { path } = options;
    try {
      const older = readEvents(olderPath(path));
      const newer = readEvents(path);
      this.#kept = [...older.events, ...newer.events].slice(-EVENTS_KEPT_MAX);
      const version = Math.max(older.version, newer.version);
      this.#memoryOnly = version > FORMATS.eventLog;
      if (this.#memoryOnly) {
        this.#kept = [];
        const { code, message, next } = newerFormat(path, {
          found: version,
          known: FORMATS.eventLog,
        });
        options.log.warn('events are kept in memory only', { code, message, next });
      }
      this.#fd = this.#memoryOnly ? openSync('/dev/null', 'a') : openSync(path, 'a', 0o640);
      this.#bytes = newer.wholeBytes;
      if (this.#memoryOnly) this.#bytes = 0;
      else if (fstatSync(this.#fd).size !== this.#bytes) ftruncateSync(this.#fd, this.#bytes);
      const unread = this.#memoryOnly ? 0 : older.unread + newer.unread;
      if (unread > 0) options.log.warn('event log has lines that are no events', { path, unread });
    } catch (cause) {
      throw new TakoError('store-failed', `Cannot open "${path}": ${messageOf(cause)}`, {
        cause,
        next: 'Check that the state directory exists and is writable',
      });
    }
    this.#lastId = this.#kept.reduce((highest, event) => Math.max(highest, event.id), 0);
  }

  append(draft: EventDraft): TakoEvent {
    this.#lastId += 1;
    const time = this.#options.clock.wallTime();
    const event: TakoEvent = { id: this.#lastId, node: this.#options.node, time, ...draft };
    this.#kept.push(event);
    if (this.#kept.length > 2 * EVENTS_KEPT_MAX) this.#kept = this.#kept.slice(-EVENTS_KEPT_MAX);
    if (!this.#memoryOnly) this.#write(event);
    for (const listener of [...this.#listeners]) listener(event);
    return event;
  }

  latest(limit: number): readonly TakoEvent[] {
    return limit > 0 ? this.#kept.slice(-Math.min(limit, EVENTS_KEPT_MAX)) : [];
  }

  since(id: number, limit: number): readonly TakoEvent[] {
    const from = this.#kept.findIndex((event) => event.id > id);
    return from < 0 ? [] : this.#kept.slice(from, from + limit);
  }

  subscribe(listener: (event: TakoEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    clearTimeout(this.#syncTimer);
    this.#syncTimer = undefined;
    await this.#syncing;
    this.#attempt('close', () => {
      if (!this.#memoryOnly) fdatasyncSync(this.#fd);
      closeSync(this.#fd);
    });
    this.#listeners.clear();
  }

  #write(event: TakoEvent): void {
    this.#attempt('write', () => {
      const line = encodeEvent(event);
      if (this.#bytes > 0 && this.#bytes + line.length > this.#fileBytesMax) this.#turnOver();
      const written = writeSync(this.#fd, line);
      if (written < line.length) {
        ftruncateSync(this.#fd, this.#bytes);
        throw new Error('only a part could be written');
      }
      this.#bytes += written;
    });
    if (event.level === 'error') this.#sync();
    else this.#syncTimer ??= setTimeout(() => this.#sync(), SYNC_WITHIN_MS).unref();
  }

  #turnOver(): void {
    const { path } = this.#options;
    renameSync(path, olderPath(path));
    const fd = openSync(path, 'a', 0o640);
    // A sync that is under way still needs the old descriptor.
    const old = this.#fd;
    void (this.#syncing ?? Promise.resolve()).then(() => closeSync(old));
    this.#fd = fd;
    this.#bytes = 0;
  }

  /** Not waited for: an event must not hold up what it tells of. */
  #sync(): void {
    clearTimeout(this.#syncTimer);
    this.#syncTimer = undefined;
    if (this.#syncing !== undefined) {
      this.#syncTimer = setTimeout(() => this.#sync(), SYNC_WITHIN_MS).unref();
      return;
    }
    this.#syncing = new Promise((resolve) => {
      fdatasync(this.#fd, (error) => {
        this.#syncing = undefined;
        if (error !== null) this.#complain('sync', error);
        resolve();
      });
    });
  }

  #attempt(what: string, action: () => void): void {
    try {
      action();
      if (what === 'write') this.#failing = false;
    } catch (error) {
      this.#complain(what, error);
    }
  }

  #complain(what: string, error: unknown): void {
    // Once per outage; the disk is full, and logs are on disks too.
    if (this.#failing) return;
    this.#failing = true;
    const { log, path } = this.#options;
    log.warn('event log cannot be written', { path, what, error: messageOf(error) });
  }
}

function olderPath(path: string): string {
  const name = path.endsWith('.ndjson') ? path.slice(dirname(path).length + 1, -7) : path;
  return join(dirname(path), `${name}.1.ndjson`);
}

function encodeEvent(event: TakoEvent): Buffer {
  const line = Buffer.from(`${JSON.stringify(event)}\n`, 'utf8');
  if (line.length <= EVENT_BYTES_MAX) return line;
  const short = { ...event, text: event.text.slice(0, TEXT_LENGTH_MAX), details: undefined };
  return Buffer.from(`${JSON.stringify(short)}\n`, 'utf8');
}

function readEvents(path: string) {
  const bytes = readIfThere(path);
  const wholeBytes = bytes.lastIndexOf(NEWLINE) + 1;
  const lines = bytes.toString('utf8', 0, wholeBytes).split('\n').slice(0, -1);
  const recent = lines.slice(-EVENTS_KEPT_MAX);
  const version = versionOf(lines[0]);
  const events = recent.map(decodeEvent).filter((event) => event !== undefined);
  return { events, wholeBytes, unread: recent.length - events.length, version };
}

/** A file of the first version has no line that names it. */
function versionOf(line: string | undefined): number {
  try {
    const head: unknown = JSON.parse(line ?? '');
    if (typeof head !== 'object' || head === null || !('version' in head)) return 1;
    return typeof head.version === 'number' ? head.version : 1;
  } catch {
    // A damaged line is no head; `decodeEvent` counts it.
    return 1;
  }
}

function readIfThere(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
}

function decodeEvent(line: string): TakoEvent | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isEvent(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isEvent(value: unknown): value is TakoEvent {
  if (typeof value !== 'object' || value === null) return false;
  if (!('id' in value) || !Number.isSafeInteger(value.id)) return false;
  const texts = ['node', 'time', 'level', 'kind', 'text'] as const;
  return texts.every((key) => key in value && typeof Reflect.get(value, key) === 'string');
}
