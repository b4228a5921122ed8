/**
 * How a group leaves a node on which it shall not run: in standby, or banned from the group. A
 * planned switchover to the best node that may have it, one group of the node after the other;
 * where there is none it stays, says so, and goes as soon as there is one.
 *
 * Invariant: it goes only while it is online here with the lease held, and never of two groups at
 * once, so that no more than one of them is interrupted at a time.
 */
import { type Instant, NEVER, plus } from '../../base/time.ts';
import type { NodeId } from '../../protocol/ids.ts';
import type { OwnershipRecord } from '../../protocol/record.ts';
import { barOf, sameBars } from '../registry/bars.ts';
import { handOverTarget } from './candidacy.ts';
import type { GroupContext, Moves } from './group-context.ts';

/** While another group is on its way. */
const TURN_MS = 100;
/** While nobody can have it. */
const NOBODY_MS = 1000;
/** After a move, which may fail and leave the group here. */
const AGAIN_MS = 30_000;
/** A hook that said no is asked again. */
const VETO_RETRY_MS = 60_000;
/** Pause between two readings of a record that looks different to this node's own voter. */
const READ_MS = 300;

export class Drain {
  readonly #context: GroupContext;
  readonly #moves: Moves;
  #notBefore = 0 as Instant;
  #readAt = 0 as Instant;
  /** A hook is asked whether it may go; its answer wakes this node. */
  #asking = false;

  constructor(context: GroupContext, moves: Moves) {
    this.#context = context;
    this.#moves = moves;
  }

  nextWakeAt(now: Instant): Instant {
    return this.#asking || this.#barred() === undefined ? NEVER : this.#dueAt(now);
  }

  /** True while the group is to leave and its hook is asked, or when it goes. */
  advance(record: OwnershipRecord, now: Instant): boolean {
    this.#readChanges(record, now);
    const barred = this.#barred();
    if (barred === undefined) {
      this.#mayStay();
      this.#notBefore = 0 as Instant;
    }
    if (barred === undefined || now < this.#dueAt(now)) {
      this.#asking = false;
      return false;
    }
    if (this.#context.options.othersMove()) {
      this.#notBefore = plus(now, TURN_MS);
      return false;
    }
    const { peers } = this.#context;
    const target = handOverTarget(this.#context.situation(record), peers.avoided(now), 'gently');
    if (target.node === undefined) this.#stays(barred, target.why, now);
    else this.#go(record, target.node, barred, now);
    return target.node !== undefined;
  }

  #mayStay(): void {
    const context = this.#context;
    if (context.cannotLeave === undefined) return;
    context.cannotLeave = undefined;
    context.reason = `${context.me} may have it again`;
    context.voice.mended('drain ');
  }

  #barred(): string | undefined {
    const { me, record } = this.#context;
    return record === undefined ? undefined : barOf(record, me);
  }

  /** Never, as long as anything is under way that has to end first. */
  #dueAt(now: Instant): Instant {
    const { engine, leaseHeld, record, voice } = this.#context;
    if (!leaseHeld || !engine.isOnline() || voice.request !== undefined) return NEVER;
    if (record?.formerVoters !== undefined) return NEVER;
    return Math.max(this.#notBefore, now) as Instant;
  }

  /** The word that somebody recorded a bar may not have come, but this node voted for it. */
  #readChanges(record: OwnershipRecord, now: Instant): void {
    const accepted = this.#context.options.accepted();
    if (accepted?.epoch !== record.epoch || sameBars(accepted, record)) return;
    if (now < this.#readAt) return;
    this.#readAt = plus(now, READ_MS);
    this.#context.learn(now);
  }

  #stays(barred: string, why: string, now: Instant): void {
    const context = this.#context;
    const { me, voice } = context;
    this.#asking = false;
    this.#notBefore = plus(now, NOBODY_MS);
    context.cannotLeave = `nobody can take over: ${why}`;
    context.reason = `${me} ${barred}, but the group stays: ${context.cannotLeave}`;
    const text = `${context.reason}; it moves as soon as somebody can`;
    voice.sayOnce(`drain ${barred}`, 'warning', 'cannot-leave', text);
  }

  #go(record: OwnershipRecord, to: NodeId, barred: string, now: Instant): void {
    const context = this.#context;
    const { hooks, me, options, voice } = context;
    context.cannotLeave = undefined;
    const reason = `${me} ${barred}`;
    const { epoch, owner: from } = record;
    const cause = options.group.nodes[0] === to ? 'failback' : 'move';
    const about = `${reason}: to ${to} at epoch ${epoch}`;
    const verdict = hooks.gateLeaving(
      { cause, from, to, reason, about, epoch, mayVeto: true },
      now,
    );
    this.#asking = verdict === undefined;
    if (verdict === undefined) return;
    if (verdict.type === 'go') {
      this.#notBefore = plus(now, AGAIN_MS);
      return this.#moves.handOver(record, to, reason, now);
    }
    hooks.forgetLeaving();
    this.#notBefore = plus(now, VETO_RETRY_MS);
    context.cannotLeave = `the hook ${verdict.point} says no: ${verdict.reason}`;
    context.reason = `${reason}, but the group stays: ${context.cannotLeave}`;
    voice.sayOnce(`drain ${barred}`, 'warning', 'held-by-hook', context.reason);
  }
}
