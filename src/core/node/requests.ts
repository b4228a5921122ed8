/**
 * What people ask of a group at this node: move, start, stop, and the end of the node itself.
 *
 * Invariant: every request is answered once, at once or when what it asked for is done or failed;
 * one at a time is under way, and only `leave` takes the place of another.
 */
import { must } from '../../base/assert.ts';
import type { Instant } from '../../base/time.ts';
import type { ProposalOutcome } from '../registry/proposer.ts';
import { handOverTarget, obstacle, staleCopies } from './candidacy.ts';
import type { GroupContext, Moves } from './group-context.ts';
import type { OperatorRequest } from './node-io.ts';

type MoveRequest = Extract<OperatorRequest, { type: 'move' }>;

export class Requests {
  readonly #context: GroupContext;
  readonly #moves: Moves;

  constructor(context: GroupContext, moves: Moves) {
    this.#context = context;
    this.#moves = moves;
  }

  asked(id: number, request: OperatorRequest, now: Instant): void {
    const { engine, phase, record, voice } = this.#context;
    if (request.type === 'leave') return this.#leave(id, now);
    if (voice.request !== undefined) {
      return voice.reply(id, 'busy', 'another request for this group is under way');
    }
    if (request.type === 'move') return this.#move(id, request, now);
    const want = request.type === 'start' ? 'online' : 'offline';
    if (request.type === 'start' && phase === 'owning') {
      this.#context.engineDid(engine.start(must(record, 'owned').epoch, now), now);
      if (engine.isOnline()) return voice.reply(id, undefined, 'the group is online already');
    }
    voice.begin(id, request);
    this.#context.propose('want', { type: 'want', want }, now);
  }

  wantSettled(outcome: ProposalOutcome, now: Instant): void {
    const context = this.#context;
    const { id, phase, voice } = context;
    const pending = voice.request;
    if (outcome.type !== 'chosen') {
      const why = outcome.type === 'empty' ? 'the group was never started' : outcome.why;
      return voice.failed('no-quorum', `Cannot record what is wanted: ${why}`);
    }
    context.announce(outcome.record, now);
    if (pending === undefined) return;
    const start = pending.type === 'start';
    context.reason = `an administrator ${start ? 'started' : 'stopped'} it`;
    if (!start && phase === 'owning') return this.#moves.stop(now);
    if (start && phase === 'offline') return this.#moves.startAnew(outcome.record, now);
    if (start && phase === 'owning') return;
    const wanted = `"${id}" is wanted ${outcome.record.want}`;
    const soon = start && context.ownerIsLost();
    voice.done(soon ? `${wanted} and starts now` : `${wanted}; it runs on no reachable node`);
  }

  #move(requestId: number, request: MoveRequest, now: Instant): void {
    const { id, me, phase, reason, record, voice } = this.#context;
    const { to } = request;
    if (record === undefined || phase !== 'owning') {
      const why = `${me} does not run "${id}" at the moment: ${reason}`;
      return voice.reply(requestId, 'not-owner', why);
    }
    if (to === me) return voice.reply(requestId, undefined, `"${id}" runs on ${me} already`);
    const why = obstacle(this.#context.situation(record), to, new Set());
    if (why !== undefined) {
      const code = staleCopies(record, to).length > 0 ? 'copy-stale' : 'not-owner';
      return voice.reply(requestId, code, `Cannot move "${id}" to ${to}: it ${why}`);
    }
    voice.begin(requestId, request);
    this.#moves.handOver(record, to, request.reason, now);
  }

  #leave(requestId: number, now: Instant): void {
    const context = this.#context;
    const { id, me, peers, phase, record, voice } = context;
    context.leaving = true;
    if (record === undefined || context.epochOwned === undefined) {
      return voice.reply(requestId, undefined, `"${id}" does not run here`);
    }
    voice.failed('busy', 'the node is being stopped');
    voice.begin(requestId, { type: 'leave' });
    const target = handOverTarget(context.situation(record), peers.avoided(now));
    context.reason = `${me} is being stopped`;
    if (phase === 'owning' && target.node !== undefined) {
      return this.#moves.handOver(record, target.node, context.reason, now);
    }
    if (phase === 'suspended') return this.#moves.yield(context.reason, now);
    this.#moves.stop(now);
  }
}
