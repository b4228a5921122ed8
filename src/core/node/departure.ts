/**
 * This node while it lets go of the group.
 *
 *   handing   stop in order, then vote for another owner        (switchover, failed resource)
 *   stopping  stop in order, and stay the owner, offline        (an administrator, end of the node)
 *   yielding  stop by force: authority is lost already          (record moved on, grace over)
 *
 * Invariants: another owner is voted for only after every resource has stopped; the claim is
 * released only then, too, for a mirror may trust the lease mark that it has read to its end. One
 * exception: a mirror whose process does not answer (`leaveBehind`). All the rest has stopped, the
 * claim is released, and a lease term later that mirror has no authority left to acknowledge by; what
 * it had acknowledged before, the next owner's copy has. Its stop is tried on, by force.
 */
import { must } from '../../base/assert.ts';
import { type Instant, NEVER, plus } from '../../base/time.ts';
import type { HookFacts } from '../../protocol/hook.ts';
import type { NodeId, ResourceId } from '../../protocol/ids.ts';
import type { OwnershipRecord } from '../../protocol/record.ts';
import { barOf } from '../registry/bars.ts';
import { majorityOf } from '../registry/electorate.ts';
import type { ProposalOutcome } from '../registry/proposer.ts';
import type { RecordChange } from '../registry/record-change.ts';
import type { GroupContext, Moves } from './group-context.ts';

export class Departure {
  readonly #context: GroupContext;
  readonly #moves: Moves;
  #handTo: NodeId | undefined;
  /** Of what is under way: why, and whether anything ran before. */
  #leaving: { readonly cause: HookFacts['cause']; readonly to: NodeId | undefined } | undefined;
  #byHand = false;
  /** A hand-over goes on without mirrors that do not answer. */
  #leavesBehind = false;
  /** When a mirror that is left behind has no lease any more. */
  #leaseOverAt: Instant = NEVER;

  constructor(context: GroupContext, moves: Moves) {
    this.#context = context;
    this.#moves = moves;
  }

  handOver(record: OwnershipRecord, to: NodeId, reason: string, now: Instant): void {
    const { engine, me, options, peers, voice } = this.#context;
    const planned = options.group.nodes[0] === to ? 'failback' : 'move';
    // It runs, but this node has just been found unfit for it.
    const unfit = voice.request === undefined && peers.avoided(now).has(me);
    const cause = engine.hasGivenUp() || unfit ? 'failure' : planned;
    this.#begins(voice.request?.type === 'leave' ? 'leave' : cause, to);
    this.#context.phase = 'handing';
    this.#handTo = to;
    this.#context.reason = reason;
    // Nor does it return by itself to where its own program did not want to be.
    this.#byHand = voice.request?.type === 'move' || voice.request?.type === 'away';
    const barred = barOf(record, record.owner) !== undefined;
    const unforced = barred ? 'switchover' : 'failback';
    const unasked = engine.isOnline() && !unfit ? unforced : 'failover';
    // Who asked for a start did not ask for a move.
    const asked = ['move', 'away', 'leave'].includes(voice.request?.type ?? '');
    const kind = asked ? 'switchover' : unasked;
    voice.say('info', kind, `moving from ${record.owner} to ${to}: ${reason}`);
    this.#context.engineDid(engine.stop('orderly', now), now);
  }

  /** Whom the group is handed over to; undefined while it is not. */
  get handsTo(): NodeId | undefined {
    return this.#context.phase === 'handing' ? this.#handTo : undefined;
  }

  /** As a hand-over, but without waiting for mirrors whose process does not answer. */
  leaveBehind(record: OwnershipRecord, to: NodeId, reason: string, now: Instant): void {
    this.handOver(record, to, reason, now);
    if (this.#context.phase !== 'handing') return;
    this.#leavesBehind = true;
    this.advanceHanding(now);
  }

  advanceHanding(now: Instant): void {
    const context = this.#context;
    const { engine, id, record, voice } = context;
    if (!this.#leavesBehind || record === undefined) return;
    if (engine.isStopped() || !engine.isStoppedButLeased()) return;
    if (this.#leaseOverAt === NEVER) {
      context.leaseHeld = false;
      voice.emit({ type: 'release', group: id });
      this.#leaseOverAt = plus(now, context.leaseTermMs);
      context.retryAt = this.#leaseOverAt;
      return;
    }
    if (now < this.#leaseOverAt) {
      context.retryAt = this.#leaseOverAt;
      return;
    }
    this.#leavesBehind = false;
    this.#transfer(record, now);
  }

  /** As the plan of placement says: to another node, or to this one, to wait here for room. */
  place(to: NodeId, reason: string, now: Instant): void {
    const { engine, me, voice } = this.#context;
    const away = to !== me;
    this.#begins(away ? 'move' : 'stop', away ? to : undefined);
    this.#context.phase = 'handing';
    this.#handTo = to;
    this.#byHand = false;
    this.#context.reason = reason;
    this.#context.gaveWay = !away;
    if (away) voice.say('info', 'placed', `moving from ${me} to ${to}: ${reason}`);
    else {
      this.#context.arrival = { cause: 'start', from: me };
      voice.say('warning', 'gives-way', `stopping on ${me}: ${reason}`);
    }
    this.#context.engineDid(engine.stop('orderly', now), now);
  }

  startAnew(record: OwnershipRecord, now: Instant): void {
    const { me } = this.#context;
    this.#handTo = me;
    this.#context.arrival = { cause: 'start', from: me };
    this.#transfer(record, now);
  }

  stop(now: Instant): void {
    const context = this.#context;
    this.#begins(context.leaving ? 'leave' : 'stop', undefined);
    context.phase = 'stopping';
    context.voice.say('info', 'stopping', `stopping on ${context.me}: ${context.reason}`);
    context.engineDid(context.engine.stop('orderly', now), now);
  }

  yield(reason: string, now: Instant): void {
    const context = this.#context;
    this.#begins('authority-lost', undefined);
    context.phase = 'yielding';
    context.reason = reason;
    context.leaseHeld = false;
    context.voice.say('warning', 'yielding', `stopping by force what runs here: ${reason}`);
    context.voice.failed('not-owner', reason);
    context.engineDid(context.engine.stop('abandon', now), now);
  }

  /** From here on nobody is asked; what was asked is void. */
  #begins(cause: HookFacts['cause'], to: NodeId | undefined): void {
    const { engine, hooks } = this.#context;
    hooks.forget('before-start');
    hooks.forgetLeaving();
    this.#leavesBehind = false;
    this.#leaseOverAt = NEVER;
    if (this.#leaving !== undefined || !engine.isStopped()) this.#leaving = { cause, to };
  }

  #tellStopped(now: Instant): void {
    const { hooks, me: from, reason, record } = this.#context;
    const left = this.#leaving;
    this.#leaving = undefined;
    if (left === undefined || record === undefined) return;
    hooks.tell('after-stop', { ...left, from, reason, epoch: record.epoch }, now);
  }

  /** The engine has nothing running any more. */
  engineStopped(now: Instant): void {
    const context = this.#context;
    const { id, me, voice } = context;
    this.#tellStopped(now);
    switch (context.phase) {
      case 'handing':
        return this.#transfer(must(context.record, 'an owner has a record'), now);
      case 'stopping':
        return this.#offline(context.reason);
      case 'yielding':
        voice.emit({ type: 'release', group: id });
        voice.say('info', 'stopped', `nothing of the group runs on ${me} any more`);
        voice.done(`"${id}" is stopped`);
        context.learn(now);
        // What it takes to learn who owns the group is done while probing.
        if (context.isUnknown && !context.leaving) return this.#moves.probe(now);
        return this.#moves.wait(now);
      default:
        return undefined;
    }
  }

  /** Everything has stopped, and this node stays the owner. */
  #offline(reason: string): void {
    const context = this.#context;
    const { id, me, voice } = context;
    context.phase = 'offline';
    context.leaseHeld = false;
    voice.emit({ type: 'release', group: id });
    voice.say('info', 'stopped', `stopped on ${me}: ${reason}`);
    // A wish to start that came in between is answered when the group is online again.
    if (voice.request?.type !== 'start') voice.done(`"${id}" is stopped`);
  }

  stopFailed(resource: ResourceId, reason: string, now: Instant): void {
    const context = this.#context;
    const { engine, id, me, record, voice } = context;
    if (this.#leaseOverAt !== NEVER) return;
    if (context.phase === 'handing' && record !== undefined && !context.leaving) {
      const text = `"${resource}" ${reason}; the group stays on ${me}`;
      voice.say('error', 'stop-failed', text, resource);
      voice.failed('agent-failed', `Cannot move "${id}": "${resource}" ${reason}`);
      this.#leaving = undefined;
      context.phase = 'owning';
      context.reason = `it could not be stopped: "${resource}" ${reason}`;
      return context.engineDid(engine.start(record.epoch, now), now);
    }
    const next = 'nobody else starts the group until it is stopped; next: end what holds it';
    voice.say('error', 'stop-failed', `"${resource}" ${reason}; ${next}`, resource);
    voice.failed('agent-failed', `"${resource}" ${reason}`);
  }

  transferSettled(outcome: ProposalOutcome, now: Instant): void {
    const context = this.#context;
    const { id, me, voice } = context;
    if (outcome.type === 'chosen') {
      const { record } = outcome;
      if (record.owner === me) return this.#moves.own(record, context.reason, now);
      voice.done(`"${id}" was handed over to ${record.owner}`);
      // Heard of before its own vote told it: this node has gone on, its mirrors are sealed.
      if (context.phase === 'sealing' || context.phase === 'claiming') return;
      voice.emit({ type: 'release', group: id });
      context.announce(record, now);
      context.leaseHeld = false;
      // What was left behind is ended when it answers again.
      if (!context.engine.isStopped()) context.engineDid(context.engine.stop('abandon', now), now);
      return this.#moves.wait(now);
    }
    const why = outcome.type === 'empty' ? 'the record is gone' : outcome.why;
    // Whoever gave it up meanwhile reads what became of it.
    if (context.phase !== 'handing') return;
    const { record } = context;
    const movedOn = outcome.type === 'rejected' && isAfter(outcome.record, record);
    if (record === undefined || record.owner !== me || movedOn) {
      return this.#moves.yield(why, now);
    }
    const noQuorum = outcome.type === 'noQuorum';
    const what = noQuorum ? 'found no majority' : 'came to nothing';
    if (context.leaving) return this.#offline(`the hand-over ${what}: ${why}`);
    const text = `the hand-over ${what}, starting on ${me} again: ${why}`;
    voice.say('warning', noQuorum ? 'no-majority' : 'hand-over-failed', text);
    voice.failed(noQuorum ? 'no-quorum' : 'copy-stale', `The hand-over failed: ${why}`);
    context.reason = `the hand-over ${what}: ${why}`;
    this.startAnew(record, now);
  }

  #transfer(record: OwnershipRecord, now: Instant): void {
    const to = must(this.#handTo, 'a hand-over has a target');
    this.#context.phase = 'handing';
    const first = this.#votersFor(record, to);
    if (first !== undefined) {
      // The lease rests on the voters of before, and the next owner's on others.
      this.#context.leaseHeld = false;
      this.#context.voice.emit({ type: 'release', group: this.#context.id });
      return this.#context.propose('voters', first, now);
    }
    const { epoch } = record;
    this.#context.propose('transfer', { type: 'transfer', to, epoch, byHand: this.#byHand }, now);
  }

  /**
   * The vote that has to come before the hand-over, when the next owner could not do without this
   * node. Nothing runs any more, so the lease is given up for it. With a store outside the next owner
   * can move the votes by itself, and this node could not take over again without any.
   */
  #votersFor(record: OwnershipRecord, to: NodeId): RecordChange | undefined {
    const { leaving, me, options, voters } = this.#context;
    const next = voters.voter(to);
    if (to === me || (options.outside && !leaving)) return undefined;
    if (record.formerVoters !== undefined) return voters.step(record, undefined);
    const others = record.voters.filter(({ node }) => node !== me);
    const enough = others.length >= majorityOf(record.voters);
    return enough || next === undefined ? undefined : voters.step(record, [next]);
  }

  votersSettled(outcome: ProposalOutcome, now: Instant): void {
    // A vote that the owner began before is no sign that everything has stopped.
    if (!this.#context.engine.isStopped()) return;
    if (outcome.type === 'chosen') return this.#transfer(outcome.record, now);
    this.transferSettled(outcome, now);
  }
}

function isAfter(one: OwnershipRecord | undefined, other: OwnershipRecord | undefined): boolean {
  return (one?.epoch ?? 0) > (other?.epoch ?? 0);
}
