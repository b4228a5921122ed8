/**
 * A group that is left alone (maintenance), at the node that owns it: when its engine goes to rest, when
 * it is taken up again, and who ends a maintenance whose time is over. That nobody else takes it over
 * is in `../registry/maintenance.ts`; how it is asked for, in `maintenance-requests.ts`.
 *
 *   nothing under way ──► at rest ── ended, or an administrator starts it ──► probed ──► start
 *
 * Invariants: at rest nothing is begun by itself; what was left alone is probed before anything is
 * started; a lost lease is treated as ever, by `Owner`.
 */
import { type Instant, NEVER, earliest, plus } from '../../base/time.ts';
import type { Maintenance, OwnershipRecord } from '../../protocol/record.ts';
import type { Observation } from '../group/engine.ts';
import { sameBars } from '../registry/bars.ts';
import { leftAlone } from '../registry/maintenance.ts';
import type { GroupContext } from './group-context.ts';
import { describeMaintenance, placeWords } from './maintenance-words.ts';

/** Pause between two votes that are to end one whose time is over. */
const END_AGAIN_MS = 1000;
/** Pause between two readings of a record that looks different to this node's own voter. */
const READ_MS = 300;

export class MaintenanceKeeper {
  readonly #context: GroupContext;
  /** The answer is awaited; what it finds is what the group goes on with. */
  #probing = false;
  #endAskedAt = 0 as Instant;
  #readAt = 0 as Instant;
  /** The maintenance that was told to last long. */
  #longTold: number | undefined;

  constructor(context: GroupContext) {
    this.#context = context;
  }

  nextWakeAt(now: Instant): Instant {
    const { record } = this.#context;
    const ends = (record?.maintenance ?? []).flatMap(({ untilMs }) =>
      untilMs === undefined ? [] : [this.#when(untilMs, now)],
    );
    const endAt = earliest(ends);
    const asks = endAt === NEVER ? NEVER : (Math.max(endAt, this.#endAskedAt) as Instant);
    return earliest([asks, this.#longAt(now)]);
  }

  /** What is due by time, whatever the group is doing. */
  watch(record: OwnershipRecord, now: Instant): void {
    this.#readChanges(record, now);
    this.endWhatIsOver(record, now);
    const why = leftAlone(record);
    if (why !== undefined) this.#tellLong(why, now);
  }

  /** True while the group is left alone, or is about to be taken up again. */
  advance(record: OwnershipRecord, now: Instant): boolean {
    const { engine } = this.#context;
    const why = leftAlone(record);
    if (engine.isResting) this.#wake(why);
    else if (why !== undefined) this.#goToRest(record, why, now);
    return why !== undefined || engine.isResting;
  }

  /** By a vote, at the owner; at any other node only while the owner cannot. */
  endWhatIsOver({ maintenance = [] }: OwnershipRecord, now: Instant): void {
    for (const { scope, node, untilMs } of maintenance) {
      if (untilMs === undefined || now < this.#when(untilMs, now) || now < this.#endAskedAt)
        continue;
      this.#endAskedAt = plus(now, END_AGAIN_MS);
      const change = { type: 'maintain', scope, node, entry: undefined, dueMs: untilMs } as const;
      this.#context.propose('maintain', change, now);
    }
  }

  /** What a probe found that was asked for here; false when it was not. */
  probed(found: readonly Observation[], now: Instant): boolean {
    const { engine, epochOwned, record } = this.#context;
    if (!this.#probing) return false;
    this.#probing = false;
    if (!engine.isResting || epochOwned === undefined) return true;
    engine.adopt(found, now);
    const again = leftAlone(record) !== undefined && !this.#context.overruled;
    const effects = again ? engine.rest(epochOwned, now) : engine.start(epochOwned, now);
    this.#context.engineDid(effects, now);
    return true;
  }

  /** What was taken up while it was left alone: it is left as it was found. */
  takenUp(record: OwnershipRecord, now: Instant): boolean {
    const why = leftAlone(record);
    if (why === undefined || this.#context.overruled) return false;
    this.#rest(record, why, now);
    return true;
  }

  #wake(why: Maintenance | undefined): void {
    const { engine, overruled, voice } = this.#context;
    if (this.#probing || engine.isBusy() || (why !== undefined && !overruled)) return;
    this.#probing = true;
    this.#context.reason = overruled ? 'an administrator started it' : 'its maintenance is over';
    const text = `${this.#context.reason}: everything is looked at afresh, and what should run is started`;
    if (why === undefined) voice.say('info', 'taken-up-again', text);
    voice.emit({ type: 'probe', group: this.#context.id });
  }

  /** What was begun before comes to its end first; a pause before a restart is no such thing. */
  #goToRest(record: OwnershipRecord, why: Maintenance, now: Instant): void {
    const { engine, leaseHeld, voice } = this.#context;
    if (!leaseHeld || engine.isBusy() || engine.heldDown() !== undefined) return;
    const [down] = engine.view(now).filter(({ state }) => state !== 'online');
    const whole = engine.isOnline();
    this.#context.overruled = false;
    this.#rest(record, why, now);
    if (voice.request?.type !== 'start' || whole) return;
    const what = down === undefined ? '' : `: "${down.id}" is ${down.state}: ${down.detail}`;
    const text = `Not everything came online${what}; nothing more is tried during maintenance`;
    voice.failed('agent-failed', text);
  }

  #rest(record: OwnershipRecord, why: Maintenance, now: Instant): void {
    const { engine, voice } = this.#context;
    this.#context.reason = `left alone: ${describeMaintenance(why)}`;
    voice.sayOnce(`rest ${why.sinceMs}`, 'warning', 'left-alone', this.#context.reason);
    this.#context.engineDid(engine.rest(record.epoch, now), now);
  }

  /** The word that somebody recorded or ended one may not have come, but this node voted for it. */
  #readChanges(record: OwnershipRecord, now: Instant): void {
    const accepted = this.#context.options.accepted();
    if (accepted?.epoch !== record.epoch || sameBars(accepted, record)) return;
    if (now < this.#readAt) return;
    this.#readAt = plus(now, READ_MS);
    this.#context.learn(now);
  }

  #longAt(now: Instant): Instant {
    const why = leftAlone(this.#context.record);
    const warnAfterMs = this.#context.options.maintenanceWarnMs;
    if (why === undefined || warnAfterMs === undefined) return NEVER;
    if (this.#longTold === why.sinceMs) return NEVER;
    return this.#when(why.sinceMs + warnAfterMs, now);
  }

  #tellLong(why: Maintenance, now: Instant): void {
    if (now < this.#longAt(now)) return;
    this.#longTold = why.sinceMs;
    const next = `next: finish the work, or run "tako maintenance off ${placeWords(why, this.#context.id)}"`;
    const text = `still in maintenance, and nothing protects it: ${describeMaintenance(why)}; ${next}`;
    this.#context.voice.say('warning', 'maintenance-long', text);
  }

  /** When the clock on the wall will show that; never while nobody has told what it shows. */
  #when(civilMs: number, now: Instant): Instant {
    const shown = this.#context.civilMs(now);
    return shown === undefined ? NEVER : plus(now, Math.max(0, civilMs - shown));
  }
}
