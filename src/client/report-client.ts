/**
 * For programs that Tako runs, in Node.js: report your own health, ask to be moved away. One file
 * without dependencies, so that it can be copied; `docs/reference/hooks.md` has the protocol.
 *
 *     await reportHealth({ health: 'ok', ttlMs: 10_000 });   // and again within ten seconds
 *     await reportHealth({ health: 'failed', detail: 'the index is damaged' });
 *     await askAway('the disk of this machine is slow');
 */
import { createConnection } from 'node:net';

export interface Health {
  readonly health: 'ok' | 'failed';
  /** One sentence, at most 500 characters. */
  readonly detail?: string | undefined;
  /** The promise to report again within this time, 100 ms to 1 h. */
  readonly ttlMs?: number | undefined;
}

export interface Answer {
  readonly ok: boolean;
  /** Why not, as a word for programs. */
  readonly code?: string | undefined;
  readonly text: string;
}

export interface ReportOptions {
  /** The socket of the resource; unless given, the variable `TAKO_REPORT`, which Tako sets. */
  readonly socket?: string | undefined;
  /** 5 s for health, 60 s for a move, unless given. */
  readonly timeoutMs?: number | undefined;
}

const HEALTH_MS = 5000;
/** A move stops the program that asks for it; the answer comes when it is refused, or goes on. */
const AWAY_MS = 60_000;
const ANSWER_BYTES_MAX = 64 * 1024;

/** Rejects when Tako cannot be reached; an answer that is not `ok` is an answer. */
export function reportHealth(health: Health, options: ReportOptions = {}): Promise<Answer> {
  return tell({ type: 'health', ...health }, { timeoutMs: HEALTH_MS, ...options });
}

/** Asks for a move of the whole group to a node that can take it. */
export function askAway(reason: string, options: ReportOptions = {}): Promise<Answer> {
  return tell({ type: 'away', reason }, { timeoutMs: AWAY_MS, ...options });
}

function tell(message: object, { socket: path, timeoutMs }: ReportOptions): Promise<Answer> {
  const target = path ?? process.env['TAKO_REPORT'];
  if (target === undefined || target === '') {
    return Promise.reject(new Error('Cannot report to Tako: the variable TAKO_REPORT is not set'));
  }
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = createConnection(target, () => socket.write(`${JSON.stringify(message)}\n`));
    const fail = (why: string): void => {
      socket.destroy();
      reject(new Error(`Cannot report to Tako at "${target}": ${why}`));
    };
    socket.setEncoding('utf8');
    socket.setTimeout(timeoutMs ?? HEALTH_MS, () => fail('it does not answer in time'));
    socket.on('error', (error) => fail(error.message));
    socket.on('close', () => fail('it ended the connection'));
    socket.on('data', (part: string) => {
      text += part;
      const end = text.indexOf('\n');
      if (end < 0 && text.length > ANSWER_BYTES_MAX) return fail('its answer is too long');
      if (end < 0) return undefined;
      socket.destroy();
      const answer = readAnswer(text.slice(0, end));
      if (answer === undefined) return fail('its answer is none');
      return resolve(answer);
    });
  });
}

function readAnswer(line: string): Answer | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null) return undefined;
    const { ok, code, text } = value as Readonly<Record<string, unknown>>;
    if (typeof ok !== 'boolean' || typeof text !== 'string') return undefined;
    return { ok, code: typeof code === 'string' ? code : undefined, text };
  } catch {
    return undefined;
  }
}
