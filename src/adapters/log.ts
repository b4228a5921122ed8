/**
 * The log: one JSON object per line on stderr, where systemd's journal (or whoever started the
 * program) collects it. Written synchronously, so that the last line before a crash is there.
 */
import { type DestinationStream, pino } from 'pino';
import type { Log } from '../ports/log.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogOptions {
  /** The program: `heart`, `control`, `mirror db.data`. */
  readonly name: string;
  readonly level: LogLevel;
  /** Fields of every line: the node, the cluster. */
  readonly bindings?: Readonly<Record<string, unknown>> | undefined;
  /** Where to write instead of stderr. */
  readonly destination?: DestinationStream | undefined;
}

type Fields = Readonly<Record<string, unknown>>;

export function createLog(options: LogOptions): Log {
  const logger = pino(
    {
      level: options.level,
      base: { name: options.name, pid: process.pid, ...options.bindings },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: withReadableErrors },
    },
    options.destination ?? standardError(),
  );
  return {
    debug: (message, fields) => logger.debug(fields ?? {}, message),
    info: (message, fields) => logger.info(fields ?? {}, message),
    warn: (message, fields) => logger.warn(fields ?? {}, message),
    error: (message, fields) => logger.error(fields ?? {}, message),
  };
}

function standardError(): DestinationStream {
  const destination = pino.destination({ dest: 2, sync: true });
  // There is nowhere left to report it, and a reader of the log that went away (EPIPE) must not
  // end a service.
  destination.on('error', () => undefined);
  return destination;
}

/** JSON shows an Error as `{}`; people need its message. */
function withReadableErrors(fields: Fields): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) {
    out[key] = value instanceof Error ? pino.stdSerializers.err(value) : value;
  }
  return out;
}
