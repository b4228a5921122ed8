/**
 * The small words of the configuration: names, durations, restart limits, paths and addresses,
 * as an administrator writes them. Pure; used by the schema, the checks and the defaults.
 */

/** Names become file names, host names and parts of keys: short, lower case, no surprises. */
export const NAME_PATTERN = /^[a-z][a-z0-9-]{0,31}$/u;
export const NAME_WANTED =
  'a name of 1 to 32 characters: a letter a-z, then letters a-z, digits and dashes';
/** The one word of that form that every JavaScript object already has. */
export const NAME_RESERVED = 'constructor';

export const DURATION_PATTERN = /^(\d{1,9})(ms|s|m|h)$/u;
export const DURATION_WANTED = 'a duration such as 300ms, 1s or 5m';

export const RESTARTS_PATTERN = /^(never|(\d{1,4}) within (\d{1,9})(ms|s|m|h))$/u;
export const RESTARTS_WANTED = 'how often and within what time, such as "3 within 60s", or "never"';

export const RATE_PATTERN = /^(never|([1-9]\d{0,5})(kB|MB|GB)\/s)$/u;
export const RATE_WANTED = 'a rate such as 500kB/s or 2MB/s, or "never"';

const UNIT_BYTES: Readonly<Record<string, number>> = { kB: 1e3, MB: 1e6, GB: 1e9 };

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds, or undefined when `text` is not a duration. */
export function parseDuration(text: string): number | undefined {
  const match = DURATION_PATTERN.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * (UNIT_MS[match[2] ?? ''] ?? 0);
}

/** Bytes per second; undefined for `never`, and for what is no rate. */
export function parseRate(text: string): number | undefined {
  const [, , count, unit] = RATE_PATTERN.exec(text) ?? [];
  return count === undefined ? undefined : Number(count) * (UNIT_BYTES[unit ?? ''] ?? 0);
}

/** The shortest way to write it: 1500 is `1500ms`, 60000 is `1m`. */
export function formatDuration(ms: number): string {
  for (const [unit, size] of [
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ] as const) {
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}

export interface RestartLimit {
  readonly limit: number;
  readonly windowMs: number;
}

export function parseRestarts(text: string): RestartLimit | undefined {
  const match = RESTARTS_PATTERN.exec(text);
  if (match === null) return undefined;
  if (match[1] === 'never') return { limit: 0, windowMs: 1 };
  const windowMs = parseDuration(`${match[3] ?? ''}${match[4] ?? ''}`) ?? 0;
  return windowMs > 0 ? { limit: Number(match[2]), windowMs } : undefined;
}

/** For `unknown-limit`; schema and defaults agree on the bound. */
export const UNKNOWN_LIMIT_MAX = 100;

export interface Address {
  readonly family: 4 | 6;
  /** The same text for the same address, however it was written. */
  readonly canonical: string;
}

/** An IPv4 or IPv6 address without zone; undefined for anything else. */
export function parseAddress(text: string): Address | undefined {
  const v4 = parseIpv4(text);
  if (v4 !== undefined) return { family: 4, canonical: v4.join('.') };
  const v6 = parseIpv6(text);
  if (v6 !== undefined) return { family: 6, canonical: formatIpv6(v6) };
  return undefined;
}

/** `ADDRESS/PREFIX`. */
export function parseAddressWithPrefix(
  text: string,
): (Address & { readonly prefixLength: number }) | undefined {
  const match = /^([^/]+)\/(\d{1,3})$/u.exec(text);
  const address = parseAddress(match?.[1] ?? '');
  const prefixLength = Number(match?.[2]);
  if (address === undefined) return undefined;
  if (prefixLength < 1 || prefixLength > (address.family === 4 ? 32 : 128)) return undefined;
  return { ...address, prefixLength };
}

function parseIpv4(text: string): number[] | undefined {
  if (!/^(?:(?:0|[1-9]\d{0,2})\.){3}(?:0|[1-9]\d{0,2})$/u.test(text)) return undefined;
  const parts = text.split('.').map(Number);
  return parts.every((part) => part <= 255) ? parts : undefined;
}

/** Eight groups of 16 bits. */
function parseIpv6(text: string): number[] | undefined {
  if (!/^[0-9a-f:.]{2,45}$/iu.test(text) || !text.includes(':')) return undefined;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? '', true) : [];
  if (head === undefined || tail === undefined) return undefined;
  if (halves.length === 1) return head.length === 8 ? head : undefined;
  const missing = 8 - head.length - tail.length;
  return missing >= 1 ? [...head, ...Array<number>(missing).fill(0), ...tail] : undefined;
}

function parseGroups(text: string, atEnd: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [i, part] of parts.entries()) {
    const v4 = atEnd && i === parts.length - 1 ? parseIpv4(part) : undefined;
    if (v4 !== undefined) {
      const [a = 0, b = 0, c = 0, d = 0] = v4;
      groups.push(a * 256 + b, c * 256 + d);
    } else if (/^[0-9a-f]{1,4}$/iu.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else {
      return undefined;
    }
  }
  return groups.length <= 8 ? groups : undefined;
}

/** As RFC 5952 wants it: the longest run of two or more zero groups becomes `::`. */
function formatIpv6(groups: readonly number[]): string {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start += 1) {
    let length = 0;
    while (groups[start + length] === 0) length += 1;
    if (length >= 2 && length > best.length) best = { start, length };
  }
  const hex = groups.map((group) => group.toString(16));
  if (best.length === 0) return hex.join(':');
  return `${hex.slice(0, best.start).join(':')}::${hex.slice(best.start + best.length).join(':')}`;
}

/** True when the address can be that of one node or service: not unspecified, multicast and the like. */
export function isUsableAddress(address: Address): boolean {
  if (address.family === 6) {
    return address.canonical !== '::' && !address.canonical.startsWith('ff');
  }
  const first = Number(address.canonical.split('.')[0]);
  return first >= 1 && first < 224;
}

/** Absolute, no `.`, `..`, doubled or trailing slash, no control characters. */
export function isPlainAbsolutePath(path: string): boolean {
  if (path === '/') return true;
  if (!path.startsWith('/') || path.length > 4000) return false;
  const parts = path.slice(1).split('/');
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return (
    parts.every((part) => part !== '' && part !== '.' && part !== '..') &&
    !/[\0-\x1f\x7f]/u.test(path)
  );
}

/** Whether `inner` is `outer` or lies below it; both plain absolute paths. */
export function isWithin(inner: string, outer: string): boolean {
  return inner === outer || inner.startsWith(outer === '/' ? '/' : `${outer}/`);
}

/** Plain HTTP or HTTPS; a password in it would show wherever the address is shown. */
export function isHookUrl(text: string): boolean {
  return /^https?:\/\/[a-z0-9.:[\]-]+(?:[/?][^\s#]*)?$/iu.test(text);
}

const HOOK_TIMEOUT_MS = { min: 200, max: 60_000 } as const;

/** Shorter is no time to answer, longer no time to wait. */
export function isWithinHookTimeout(text: string): boolean {
  const ms = parseDuration(text);
  return ms !== undefined && ms >= HOOK_TIMEOUT_MS.min && ms <= HOOK_TIMEOUT_MS.max;
}
