/**
 * What the plan of placement means for a group that this node owns: it starts only when its turn
 * has come and there is room, and it moves or gives way when it must.
 *
 * Invariants: nothing starts beside what it must be apart from, nor beyond the capacity, nor before
 * what it comes after is online; what is asked is what runs here at that moment, not the plan. A
 * plan moves something only when it has said the same for a while, and ever less often, so that two
 * nodes that see things differently do not send a group to and fro.
 */
import { type Instant, NEVER, earliest, plus } from '../../base/time.ts';
import type { NodeId } from '../../protocol/ids.ts';
import type { OwnershipRecord } from '../../protocol/record.ts';
import { barOf } from '../registry/bars.ts';
import { obstacle } from './candidacy.ts';
import type { GroupContext, Moves } from './group-context.ts';
import type { GroupPlacing } from './placing.ts';

/** A plan that moves something has to last so long; what is known may be on its way. */
const SETTLE_MS = 1000;
/** What lasts so long is worth a word. */
const SAY_MS = 2000;
/** So many moves by the plan are made at once; then it pauses, each time for twice as long. */
const MOVES_AT_ONCE = 3;
const PAUSE_MS = 30_000;
const PAUSE_MAX_MS = 3_600_000;
/** For what does not run, and could run elsewhere, it pauses less. */
const PAUSE_IDLE_MAX_MS = 60_000;
/** A hook that said no is asked again. */
const VETO_RETRY_MS = 60_000;

interface Wish {
  /** This node itself: it stops here, and waits for room. */
  readonly to: NodeId;
  readonly reason: string;
  /** Nothing more has to become known. */
  readonly atOnce: boolean;
  /** Somebody else's move, whose pauses these are. */
  readonly follows?: true | undefined;
}

export class Placed {
  readonly #context: GroupContext;
  readonly #moves: Moves;
  #wished: { readonly to: NodeId; readonly since: Instant } | undefined;
  #notBefore = 0 as Instant;
  #idleNotBefore = 0 as Instant;
  #vetoedUntil = 0 as Instant;
  #moved = 0;
  #movedAt = 0 as Instant;
  /** A hook is asked whether it may go; its answer wakes this node. */
  #asking = false;
  #held: { readonly why: string; readonly since: Instant; readonly before: string } | undefined;

  constructor(context: GroupContext, moves: Moves) {
    this.#context = context;
    this.#moves = moves;
  }

  get #placing(): GroupPlacing | undefined {
    return this.#context.options.placing;
  }

  nextWakeAt(now: Instant): Instant {
    const saysAt = now < this.#saysHeldAt ? this.#saysHeldAt : NEVER;
    if (this.#wished === undefined || this.#asking) return saysAt;
    const settled = plus(this.#wished.since, SETTLE_MS);
    return earliest([saysAt, Math.max(settled, this.#pausedUntil, this.#vetoedUntil) as Instant]);
  }

  get #pausedUntil(): Instant {
    return this.#context.heldBack === undefined ? this.#notBefore : this.#idleNotBefore;
  }

  reset(): void {
    this.#wished = undefined;
    this.#asking = false;
    this.#held = undefined;
    this.#context.heldBack = undefined;
  }

  /** Whether the resources may start here now. False while they wait, or when the group goes. */
  mayStart(record: OwnershipRecord, now: Instant): boolean {
    const context = this.#context;
    const placing = this.#placing;
    if (placing === undefined) return true;
    const { me, peers } = context;
    const placement = placing.placement();
    const { target } = placement ?? {};
    const here = placing.obstacleHere('alone');
    // What this node owned is started on it again, whatever it is barred from.
    const only = barOf(record, me) !== undefined || peers.avoided(now).has(me);
    const fits = only && target === undefined && placing.obstacleHere('whole') === undefined;
    const mine = target === me || fits;
    if (!mine && target !== undefined && placement !== undefined) {
      this.#holdBack(placement.reason, now);
      const wish = { to: target, reason: placement.reason, atOnce: false };
      if (this.#isDue(wish, now)) this.#go(wish, now);
      return false;
    }
    this.#wished = undefined;
    if (!mine) return this.#holdBack(placement?.reason ?? 'nothing is planned for it yet', now);
    if (here !== undefined) return this.#holdBack(`${me} ${here}`, now);
    const awaited = placing.awaited();
    if (awaited !== undefined) return this.#holdBack(awaited, now);
    this.#release();
    context.voice.mended('held back');
    return true;
  }

  #holdBack(why: string, now: Instant): false {
    const context = this.#context;
    context.heldBack = why;
    if (this.#held?.why !== why) {
      this.#held = { why, since: now, before: this.#held?.before ?? context.reason };
    }
    context.reason = `not started yet: ${why}`;
    // What lasts only until all is known is not worth a word.
    if (now < this.#saysHeldAt) return false;
    const { id, me, voice } = context;
    voice.sayOnce(`held back: ${why}`, 'warning', 'held-back', context.reason);
    if (voice.request?.type === 'start') {
      voice.failed('no-node', `"${id}" is wanted online, and waits on ${me}: ${why}`);
    }
    return false;
  }

  get #saysHeldAt(): Instant {
    return plus(this.#held?.since ?? NEVER, SAY_MS);
  }

  /** What brought it here is the reason for being here, but for a group that had to go. */
  #release(): void {
    const context = this.#context;
    const { gaveWay, me } = context;
    if (this.#held !== undefined) {
      context.reason = gaveWay ? `there is room on ${me} again` : this.#held.before;
    }
    this.#held = undefined;
    context.heldBack = undefined;
    context.gaveWay = false;
  }

  /** Of a group that runs here: true when it goes, or its hook is asked. */
  advance(record: OwnershipRecord, now: Instant): boolean {
    const placing = this.#placing;
    const wish = placing === undefined ? undefined : this.#wish(placing, record, now);
    if (wish === undefined) {
      if (this.#asking) this.#context.hooks.forgetLeaving();
      this.#asking = false;
      this.#wished = undefined;
      return false;
    }
    const { leaseHeld, voice } = this.#context;
    if (!leaseHeld || voice.request !== undefined || record.formerVoters !== undefined)
      return false;
    if (!this.#isDue(wish, now) || !this.#mayLeave(record, wish, now)) return this.#asking;
    this.#go(wish, now);
    return true;
  }

  /** Only what has to do with other groups: failures, standby and failback have their own ways. */
  #wish(placing: GroupPlacing, record: OwnershipRecord, now: Instant): Wish | undefined {
    const { me } = this.#context;
    const mate = placing.matesGoTo();
    if (mate !== undefined && this.#canGo(record, mate.to)) {
      return {
        to: mate.to,
        reason: `it goes together with "${mate.mate}"`,
        atOnce: true,
        follows: true,
      };
    }
    const placement = placing.placement();
    if (placement === undefined) return undefined;
    const { action, reason, target } = placement;
    if (action !== 'move' && action !== 'stop') return undefined;
    const to = target !== undefined && this.#canGo(record, target) ? target : me;
    // Others wait for the room; where it may not go elsewhere again so soon, it stops.
    const atOnce = placing.waitsForRoom() !== undefined;
    if (atOnce) return { to: now < this.#notBefore ? me : to, reason, atOnce };
    if (placing.rivalHere() !== undefined) return { to, reason, atOnce };
    // To where they are, or to where all of them are to be.
    const mates = placing.mateOn(to) ?? placing.mateElsewhere();
    const joins = action === 'move' && to !== me && mates !== undefined;
    return joins ? { to, reason, atOnce } : undefined;
  }

  #canGo(record: OwnershipRecord, to: NodeId): boolean {
    return obstacle(this.#context.situation(record), to, new Set()) === undefined;
  }

  #isDue({ atOnce, follows, to }: Wish, now: Instant): boolean {
    if (this.#wished?.to !== to) this.#wished = { to, since: now };
    if (now < this.#vetoedUntil) return false;
    // A move may be undone by somebody who sees it otherwise; a stop is undone by nobody.
    const moves = to !== this.#context.me && follows !== true;
    if (moves && now < this.#pausedUntil) return false;
    return atOnce || now >= plus(this.#wished.since, SETTLE_MS);
  }

  #mayLeave(record: OwnershipRecord, { to, reason }: Wish, now: Instant): boolean {
    const { hooks, me, voice } = this.#context;
    const { epoch, owner: from } = record;
    const target = to === me ? undefined : to;
    const facts = { cause: to === me ? 'stop' : 'move', from, to: target, reason } as const;
    const about = `placed: ${target ?? 'nowhere'} at epoch ${epoch}`;
    const verdict = hooks.gateLeaving({ ...facts, about, epoch, mayVeto: true }, now);
    this.#asking = verdict === undefined;
    if (verdict === undefined) return false;
    if (verdict.type === 'go') return true;
    hooks.forgetLeaving();
    this.#vetoedUntil = plus(now, VETO_RETRY_MS);
    const text = `${reason}, but the hook ${verdict.point} says no: ${verdict.reason}`;
    voice.sayOnce(`placed ${text}`, 'warning', 'held-by-hook', text);
    return false;
  }

  #go({ follows, reason, to }: Wish, now: Instant): void {
    const { me } = this.#context;
    this.reset();
    if (to === me || follows === true) return this.#moves.place(to, reason, now);
    this.#moved = now >= plus(this.#movedAt, 2 * PAUSE_MAX_MS) ? 1 : this.#moved + 1;
    this.#movedAt = now;
    const more = this.#moved - MOVES_AT_ONCE;
    const pauseMs = more < 0 ? 0 : Math.min(PAUSE_MS * 2 ** more, PAUSE_MAX_MS);
    this.#notBefore = plus(now, pauseMs);
    this.#idleNotBefore = plus(now, Math.min(pauseMs, PAUSE_IDLE_MAX_MS));
    this.#moves.place(to, reason, now);
  }
}
