/**
 * When a resource is checked, and how: a light check often, a deep one seldom. A deep check
 * includes the light one, so after it both are due anew; only one check runs at a time.
 *
 *   light  |--|--|--|     |--|--|--|          each interval begins at the answer
 *   deep              |--------|
 *
 * Counts the checks in a row that found no answer, for each depth by itself: a program whose light
 * check answers may well hang in a way that only the deep one meets.
 */
import { type Instant, NEVER, earliest, plus } from '../../base/time.ts';
import type { MonitorDepth, ResourceConfig } from '../../protocol/config.ts';

type Rhythm = Pick<ResourceConfig, 'monitorMs' | 'deepMonitor'>;

interface UnderWay {
  readonly id: number;
  readonly depth: MonitorDepth;
  /** For some of the time there was no authority, so writes were held back. */
  readonly disturbed: boolean;
}

export class CheckSchedule {
  readonly #rhythm: Rhythm;
  #lightAt: Instant = NEVER;
  #deepAt: Instant = NEVER;
  #underWay: UnderWay | undefined;
  #unknowns: Record<MonitorDepth, number> = { light: 0, deep: 0 };

  constructor(rhythm: Rhythm) {
    this.#rhythm = rhythm;
  }

  /** It came online, or was found so: then the light check is due at once. */
  begin(now: Instant, how: 'started' | 'found'): void {
    this.end();
    this.#rearm('deep', now);
    if (how === 'found') this.#lightAt = now;
  }

  /** It is not online any more; the answer to a check under way is not wanted. */
  end(): void {
    this.#underWay = undefined;
    this.#lightAt = NEVER;
    this.#deepAt = NEVER;
    this.forgetUnknowns();
  }

  /** The check that is due; none while one is under way. */
  due(now: Instant, mayBeDeep: boolean): MonitorDepth | undefined {
    if (this.#underWay !== undefined) return undefined;
    if (now >= this.#deepAt) {
      if (mayBeDeep) return 'deep';
      this.#deepAt = plus(now, this.#rhythm.deepMonitor?.everyMs ?? NEVER);
    }
    return now >= this.#lightAt ? 'light' : undefined;
  }

  issued(id: number, depth: MonitorDepth): void {
    this.#underWay = { id, depth, disturbed: false };
  }

  /** Authority is out: what the check under way finds may be due to that. */
  disturbed(): void {
    if (this.#underWay !== undefined) this.#underWay = { ...this.#underWay, disturbed: true };
    this.forgetUnknowns();
  }

  /** The check that this answers, or undefined when nobody waits for it any more. */
  answered(id: number, now: Instant): UnderWay | undefined {
    const check = this.#underWay;
    if (check?.id !== id) return undefined;
    this.#underWay = undefined;
    this.#rearm(check.depth, now);
    return check;
  }

  /** One more without an answer; returns how many in a row. */
  foundNothing(depth: MonitorDepth): number {
    this.#unknowns[depth] += 1;
    return this.#unknowns[depth];
  }

  foundOnline(depth: MonitorDepth): void {
    this.#unknowns.light = 0;
    if (depth === 'deep') this.#unknowns.deep = 0;
  }

  forgetUnknowns(): void {
    this.#unknowns = { light: 0, deep: 0 };
  }

  get unknowns(): number {
    return Math.max(this.#unknowns.light, this.#unknowns.deep);
  }

  nextAt(): Instant {
    return this.#underWay === undefined ? earliest([this.#lightAt, this.#deepAt]) : NEVER;
  }

  #rearm(depth: MonitorDepth, now: Instant): void {
    this.#lightAt = plus(now, this.#rhythm.monitorMs);
    if (depth === 'deep') this.#deepAt = plus(now, this.#rhythm.deepMonitor?.everyMs ?? NEVER);
  }
}
