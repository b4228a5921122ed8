/**
 * What a program says to Tako about itself, one JSON object a line over the socket of its resource,
 * and what it hears. Each message is answered by one line; `id` is given back, for whoever sends
 * the next before the answer.
 *
 * A message may name its version; one without is of the first.
 */
import { FORMATS } from './versions.ts';

/** Names the socket in the environment of a program. */
export const REPORT_VARIABLE = 'TAKO_REPORT';
/** A promise to report: more often is a load, more seldom no promise. */
export const REPORT_TTL_MS = { min: 100, max: 3_600_000 } as const;
export const REPORT_TEXT_MAX = 500;
export const REPORT_LINE_BYTES_MAX = 4096;

export type ReportMessage =
  | {
      readonly type: 'health';
      readonly id: number | undefined;
      readonly health: 'ok' | 'failed';
      readonly detail: string;
      readonly ttlMs: number | undefined;
    }
  /** "Please move my group to another node." */
  | { readonly type: 'away'; readonly id: number | undefined; readonly reason: string };

export interface ReportAnswer {
  readonly id?: number | undefined;
  readonly ok: boolean;
  readonly code?: string | undefined;
  readonly text: string;
}

/** Where a resource's program reports, in the run directory. */
export function reportSocketPath(runDir: string, group: string, resource: string): string {
  return `${runDir.replace(/\/+$/u, '')}/report/${group}.${resource}.sock`;
}

/** The message, or what is wrong with it. */
export function readReport(value: unknown): ReportMessage | string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'no object';
  const { type, id, health, detail, ttlMs, reason, version } = value as Readonly<
    Record<string, unknown>
  >;
  if (version !== undefined && version !== FORMATS.report) {
    return `"version" is not ${FORMATS.report}, all that this release of Tako knows`;
  }
  if (id !== undefined && !Number.isSafeInteger(id)) return '"id" is no whole number';
  const known = id as number | undefined;
  if (type === 'away') {
    const text = textOf(reason);
    if (text === undefined) return '"reason" is no text of at most 500 characters';
    return { type, id: known, reason: text === '' ? 'the program asks for it' : text };
  }
  if (type !== 'health') return '"type" is neither "health" nor "away"';
  if (health !== 'ok' && health !== 'failed') return '"health" is neither "ok" nor "failed"';
  const text = textOf(detail);
  if (text === undefined) return '"detail" is no text of at most 500 characters';
  if (ttlMs === undefined) return { type, id: known, health, detail: text, ttlMs };
  if (!isTtl(ttlMs)) return `"ttlMs" is not from ${REPORT_TTL_MS.min} to ${REPORT_TTL_MS.max}`;
  return { type, id: known, health, detail: text, ttlMs };
}

export function isTtl(ms: unknown): ms is number {
  return typeof ms === 'number' && ms >= REPORT_TTL_MS.min && ms <= REPORT_TTL_MS.max;
}

function textOf(value: unknown): string | undefined {
  if (value === undefined) return '';
  if (typeof value !== 'string' || value.length > REPORT_TEXT_MAX) return undefined;
  // Control characters would garble whatever shows the text.
  return value.replaceAll(/\p{Cc}+/gu, ' ').trim();
}
