/**
 * A resource while its group is left alone (maintenance): it is looked at, whatever state it is in, and
 * nothing is done about what is found.
 *
 * Invariants: its state is what was seen last; an answer that tells nothing changes nothing; each
 * change is told once.
 */
import type { Instant } from '../../base/time.ts';
import { NEVER } from '../../base/time.ts';
import type { EngineEffect, Observation } from './engine-types.ts';
import type { Resource } from './resource-graph.ts';

/** What was to follow from earlier failures does not follow any more. */
export function toRest(r: Resource, now: Instant): void {
  if (r.gaveUp) r.restarts.reset();
  r.gaveUp = false;
  r.asking = undefined;
  r.startAt = NEVER;
  r.stopFailure = undefined;
  r.stopsFailed = 0;
  r.promise.end();
  r.checks.begin(now, 'found');
}

/** It may have been started or stopped by hand since it was seen: what becomes of it is done for sure. */
export function afterRest(r: Resource, now: Instant): void {
  r.state = 'unknown';
  r.retryAt = now;
  r.checks.end();
}

export function seenAtRest(r: Resource, seen: Observation): readonly EngineEffect[] {
  if (seen.state === 'unknown') {
    r.doubt = seen.detail;
    r.checks.foundNothing('light');
    return [];
  }
  const before = r.state;
  r.state = seen.state;
  r.detail = seen.detail;
  r.checks.foundOnline('light');
  if (seen.state === before) return [];
  const { id: resource } = r.config;
  if (seen.state === 'online') {
    return [{ type: 'notice', notice: { type: 'resourceOnline', resource, detail: seen.detail } }];
  }
  return [foundAtRest(r, seen.detail === '' ? `it is ${seen.state}` : seen.detail)];
}

/** A failure about which nothing is done. */
export function foundAtRest(r: Resource, reason: string): EngineEffect {
  const { id: resource } = r.config;
  return {
    type: 'notice',
    notice: { type: 'resourceFailed', resource, reason, then: 'leftAlone' },
  };
}
