/** How often and how long a group was suspended, from the events of its node. */
import type { TakoEvent } from '../../src/protocol/event.ts';

export interface SuspendFigures {
  readonly count: number;
  /** Of one that never ended: until the last event. */
  readonly longestMs: number;
}

export function suspends(events: readonly TakoEvent[]): SuspendFigures {
  const ordered = events.toSorted((a, b) => Date.parse(a.time) - Date.parse(b.time));
  let [count, longestMs] = [0, 0];
  let since: number | undefined;
  for (const { kind, time } of ordered) {
    const at = Date.parse(time);
    if (kind === 'suspended') {
      count += 1;
      since ??= at;
    }
    if (since === undefined) continue;
    longestMs = Math.max(longestMs, at - since);
    if (kind === 'resumed' || kind === 'online') since = undefined;
  }
  return { count, longestMs };
}
