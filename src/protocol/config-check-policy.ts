/** Checks of the times and the policies of groups and resources: bounds, and what needs what. */
import type { DraftGroup, DraftResource } from './config-draft.ts';
import type { ConfigPath, Findings } from './config-finding.ts';
import { DEEP_MONITOR_DEFAULT, MONITOR_DEFAULT } from './config-normalize.ts';
import { formatDuration, parseDuration } from './config-words.ts';

type Key =
  | 'monitor'
  | 'monitor-timeout'
  | 'start-timeout'
  | 'stop-timeout'
  | 'deep-monitor'
  | 'deep-monitor-timeout';

/** Shorter is no check but a load, longer no check but an accident. */
const BOUNDS_MS: Readonly<Record<Key, readonly [number, number]>> = {
  monitor: [100, 3_600_000],
  'monitor-timeout': [100, 600_000],
  'start-timeout': [100, 24 * 3_600_000],
  'stop-timeout': [100, 24 * 3_600_000],
  'deep-monitor': [1000, 24 * 3_600_000],
  'deep-monitor-timeout': [100, 3_600_000],
};

const FAILBACK_AFTER_BOUNDS_MS = [1000, 7 * 24 * 3_600_000] as const;

export function checkResourcePolicy(resource: DraftResource, out: Findings): void {
  if (resource.value === undefined) return;
  for (const key of Object.keys(BOUNDS_MS) as Key[]) checkBounds(resource, key, out);
  checkDeepMonitor(resource, out);
}

/** When a group returns to its first node. */
export function checkFailback(group: DraftGroup, out: Findings): void {
  const { failback, failbackAfter, failbackWindows, path } = group;
  const needless = (key: string, what: string): void =>
    out.error({
      path: [...path, key],
      found: `${what} without "failback: when-in-sync"`,
      expected: 'a group that fails back',
      next: 'Add "failback: when-in-sync", or remove it',
    });
  const failsBack = failback === 'when-in-sync';
  if (failbackWindows && !failsBack) needless('failback-windows', 'windows');
  if (failbackAfter === undefined) return;
  if (!failsBack) return needless('failback-after', failbackAfter);
  checkDuration([...path, 'failback-after'], failbackAfter, FAILBACK_AFTER_BOUNDS_MS, out);
}

function given({ value }: DraftResource, key: Key): string | undefined {
  const entries: readonly [string, unknown][] = Object.entries(value ?? {});
  const found = entries.find(([name]) => name === key)?.[1];
  return typeof found === 'string' ? found : undefined;
}

function checkBounds(resource: DraftResource, key: Key, out: Findings): void {
  const text = given(resource, key);
  if (text !== undefined) checkDuration([...resource.path, key], text, BOUNDS_MS[key], out);
}

function checkDuration(
  path: ConfigPath,
  text: string,
  [low, high]: readonly [number, number],
  out: Findings,
): void {
  const ms = parseDuration(text);
  if (ms === undefined || (ms >= low && ms <= high)) return;
  out.error({
    path,
    found: formatDuration(ms),
    expected: `from ${formatDuration(low)} to ${formatDuration(high)}`,
    next: `Set ${path.at(-1)} to a value in that range, or leave it out for the default`,
  });
}

function checkDeepMonitor(resource: DraftResource, out: Findings): void {
  const { path, value } = resource;
  if (value?.agent !== 'process') return;
  if (value['check-command'] === undefined) {
    for (const key of ['deep-monitor', 'deep-monitor-timeout'] as const) {
      if (value[key] === undefined) continue;
      out.error({
        path: [...path, key],
        found: `${value[key]} without "check-command"`,
        expected: 'a command that tells whether all is well',
        next: 'Add "check-command", such as [/usr/bin/pg_isready, --quiet], or remove it',
      });
    }
    return;
  }
  const deepMs = parseDuration(value['deep-monitor'] ?? DEEP_MONITOR_DEFAULT.every) ?? 0;
  const lightMs = parseDuration(value.monitor ?? MONITOR_DEFAULT) ?? 0;
  if (deepMs >= lightMs) return;
  out.error({
    path: value['deep-monitor'] === undefined ? path : [...path, 'deep-monitor'],
    found: `${formatDuration(deepMs)} between deep checks, ${formatDuration(lightMs)} between others`,
    expected: 'deep checks at most as often as the others, which they include',
    next: 'Raise "deep-monitor", or lower "monitor"',
  });
}
