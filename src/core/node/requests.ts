/**
 * What people ask of a group at this node: move, start, stop, and the end of the node itself.
 *
 * A hook may be asked before a group moves or stops (`advance`); meanwhile it runs as before.
 *
 * Invariant: every request is answered once, at once or when what it asked for is done or failed;
 * one at a time is under way, and only `leave` takes the place of another.
 */
import { must } from '../../base/assert.ts';
import type { Instant } from '../../base/time.ts';
import type { NodeId } from '../../protocol/ids.ts';
import type { OwnershipRecord } from '../../protocol/record.ts';
import type { ProposalOutcome } from '../registry/proposer.ts';
import type { RecordChange } from '../registry/record-change.ts';
import { handOverTarget, moveObstacle, obstacle, staleCopies } from './candidacy.ts';
import type { GroupContext, Moves } from './group-context.ts';
import type { LeavingVerdict } from './hooks.ts';
import type { OperatorRequest } from './node-io.ts';
import { isAskedElsewhere, MaintenanceRequests, refusesPrograms } from './maintenance-requests.ts';
import { Bars } from './standing.ts';

const LEAVING = 'the node is being stopped';

/** Until its hook has answered. */
interface Waiting {
  readonly request: OperatorRequest;
  /** Undefined for a stop, and for an end of the node that nobody can take over from. */
  readonly to: NodeId | undefined;
}

/** Those that are not forced. */
type Asked = Exclude<OperatorRequest, { type: 'force' }>;
type MoveRequest = Extract<OperatorRequest, { type: 'move' }>;

export class Requests {
  readonly #context: GroupContext;
  readonly #moves: Moves;
  readonly #bars: Bars;
  readonly #maintenance: MaintenanceRequests;
  #waiting: Waiting | undefined;
  /** A wish to start that is recorded, and that the engine is at work on. */
  #starting: OperatorRequest | undefined;

  constructor(context: GroupContext, moves: Moves) {
    this.#context = context;
    this.#moves = moves;
    this.#bars = new Bars(context);
    this.#maintenance = new MaintenanceRequests(context);
  }

  asked(id: number, request: Asked, now: Instant): void {
    const { engine, phase, record, voice } = this.#context;
    if (request.type === 'leave') return this.#leave(id, now);
    if (request.type === 'bar') return this.#bars.asked(id, request, now);
    if (request.type === 'maintain') return this.#maintenance.asked(id, request, now);
    if (voice.request !== undefined) {
      return voice.reply(id, 'busy', 'another request for this group is under way');
    }
    if (request.type === 'move') return this.#move(id, request, now);
    if (request.type === 'away') return this.#away(id, request.reason, now);
    if (request.type === 'start' && phase === 'waiting' && this.#refusesStart(id)) return;
    const want = request.type === 'start' ? 'online' : 'offline';
    if (request.type === 'start' && phase === 'owning') {
      const { heldBack } = this.#context;
      if (heldBack !== undefined) {
        return voice.reply(
          id,
          'no-node',
          `"${this.#context.id}" waits on ${this.#context.me}: ${heldBack}`,
        );
      }
      const whole = engine.isOnline() && engine.leftFailed().length === 0;
      if (whole) return voice.reply(id, undefined, 'the group is online already');
      // What is left alone is probed first, when the wish is recorded.
      if (!engine.isResting) {
        this.#context.engineDid(engine.start(must(record, 'owned').epoch, now), now);
      }
      if (engine.isOnline()) return voice.reply(id, undefined, 'the group is online already');
    }
    voice.begin(id, request, now);
    if (request.type === 'stop' && phase === 'owning') return this.#wait(undefined, now);
    this.#context.propose('want', { type: 'want', want }, now);
  }

  /** That would be a take-over, and the vote for it is refused. */
  #refusesStart(id: number): boolean {
    const { id: group, me, record, voice } = this.#context;
    const why = refusesPrograms(record);
    if (why === undefined || record === undefined || !isAskedElsewhere(record, me)) return false;
    if (!this.#context.ownerIsLost()) return false;
    const text = `Cannot start "${group}" on ${me}: ${record.owner}, its owner, is lost, and it is ${why}`;
    voice.reply(id, 'in-maintenance', text);
    return true;
  }

  /** What waits for a hook goes on when that has answered. */
  advance(now: Instant): void {
    const { phase, reason, record, voice } = this.#context;
    this.#answerStarted();
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    if (voice.request !== waiting.request) return this.#waitEnds();
    if (phase !== 'owning' || record === undefined) {
      this.#waitEnds();
      if (waiting.request.type === 'leave') return this.#depart(undefined, now);
      return voice.failed('not-owner', `It is not carried out: ${reason}`);
    }
    const verdict = this.#ask(waiting, record, now);
    if (verdict === undefined) return;
    if (verdict.type === 'veto') {
      this.#waitEnds();
      const text = `The hook ${verdict.point} says no: ${verdict.reason}`;
      return voice.failed('hook-vetoed', text);
    }
    this.#waitEnds();
    this.#carryOut(waiting, record, now);
  }

  /** What was online before and is so again does not come online anew. */
  #answerStarted(): void {
    const { engine, id, leaseHeld, phase, voice } = this.#context;
    if (this.#starting === undefined) return;
    if (voice.request !== this.#starting) this.#starting = undefined;
    else if (phase === 'owning' && leaseHeld && engine.isOnline()) voice.done(`"${id}" is online`);
  }

  #wait(to: NodeId | undefined, now: Instant): void {
    this.#waiting = { request: must(this.#context.voice.request, 'it was taken up'), to };
    this.advance(now);
  }

  #waitEnds(): void {
    this.#waiting = undefined;
    this.#context.hooks.forgetLeaving();
  }

  #ask(
    { request, to }: Waiting,
    { epoch, owner: from }: OwnershipRecord,
    now: Instant,
  ): LeavingVerdict | undefined {
    const { hooks, options } = this.#context;
    const planned = to === options.group.nodes[0] ? 'failback' : 'move';
    const cause = request.type === 'leave' || request.type === 'stop' ? request.type : planned;
    const mayVeto = request.type !== 'leave';
    const reason = reasonOf(request);
    const about = `${request.type} to ${to ?? 'nobody'} at epoch ${epoch}`;
    return hooks.gateLeaving({ cause, from, to, reason, about, epoch, mayVeto }, now);
  }

  #carryOut({ request, to }: Waiting, record: OwnershipRecord, now: Instant): void {
    const { id, voice } = this.#context;
    if (request.type === 'leave') return this.#depart(to, now);
    if (request.type === 'stop') {
      return this.#context.propose('want', { type: 'want', want: 'offline' }, now);
    }
    const next = must(to, 'a move has a target');
    // It may have changed while the hook was asked.
    const why = moveObstacle(this.#context.situation(record), next);
    if (why !== undefined)
      return voice.failed('not-owner', `Cannot move "${id}" to ${next}: it ${why}`);
    if (request.type === 'away') this.#context.peers.failedOn(this.#context.me, now);
    this.#moves.handOver(record, next, reasonOf(request), now);
  }

  maintenanceSettled(
    change: RecordChange,
    outcome: ProposalOutcome,
    before: OwnershipRecord | undefined,
    now: Instant,
  ): void {
    this.#maintenance.settled(change, outcome, before, now);
  }

  barSettled(change: RecordChange, outcome: ProposalOutcome, now: Instant): void {
    this.#bars.settled(change, outcome, now);
  }

  wantSettled(change: RecordChange, outcome: ProposalOutcome, now: Instant): void {
    const context = this.#context;
    const { phase, voice } = context;
    if (outcome.type !== 'chosen') {
      const why = outcome.type === 'empty' ? 'the group was never started' : outcome.why;
      if (isFor(voice.request, change)) {
        voice.failed('no-quorum', `Cannot record what is wanted: ${why}`);
      }
      return;
    }
    context.announce(outcome.record, now);
    if (!isFor(voice.request, change)) return;
    const start = voice.request?.type === 'start';
    const taking = phase === 'sealing' || phase === 'claiming';
    if (!taking) context.reason = `an administrator ${start ? 'started' : 'stopped'} it`;
    if (start) context.overruled = true;
    if (!start && (phase === 'owning' || phase === 'suspended')) return this.#moves.stop(now);
    if (start && phase === 'offline') return this.#moves.startAnew(outcome.record, now);
    if (start && phase === 'owning' && context.engine.isOnline()) {
      return voice.done(`"${context.id}" is online`);
    }
    if (start && phase === 'owning') this.#starting = voice.request;
    // The request is answered when the resources are online, or have stopped.
    if ((start && phase === 'owning') || phase === 'stopping') return;
    this.#recorded(outcome.record, start);
  }

  /** The wish was recorded, but another node owns the group since: it hears of it and complies. */
  wantRecorded(outcome: ProposalOutcome, now: Instant): void {
    if (outcome.type !== 'chosen') return;
    const { owner, want } = outcome.record;
    this.#context.announce(outcome.record, now);
    const text = toldOwner(`"${this.#context.id}" is wanted ${want}`, owner);
    if (this.#context.voice.request?.type !== 'leave') this.#context.voice.done(text);
  }

  #recorded(record: OwnershipRecord, start: boolean): void {
    const { epochOwned, id, me, phase, voice } = this.#context;
    const wanted = `"${id}" is wanted ${record.want}`;
    if (epochOwned !== undefined) return voice.done(`${wanted}; at the moment it is ${phase}`);
    const lost = this.#context.ownerIsLost();
    if (!lost && record.owner !== me) return voice.done(toldOwner(wanted, record.owner));
    const soon = start && lost;
    voice.done(soon ? `${wanted} and starts now` : `${wanted}; it runs on no reachable node`);
  }

  #move(requestId: number, request: MoveRequest, now: Instant): void {
    const { id, me, phase, record, voice } = this.#context;
    const { to } = request;
    if (record === undefined || phase !== 'owning') {
      return voice.reply(requestId, 'not-owner', this.#notRun(record));
    }
    if (to === me) return voice.reply(requestId, undefined, `"${id}" runs on ${me} already`);
    const why = moveObstacle(this.#context.situation(record), to);
    if (why !== undefined) {
      const code = staleCopies(record, to).length > 0 ? 'copy-stale' : 'not-owner';
      return voice.reply(requestId, code, `Cannot move "${id}" to ${to}: it ${why}`);
    }
    voice.begin(requestId, request, now);
    this.#wait(to, now);
  }

  #notRun(record: OwnershipRecord | undefined): string {
    const { id, me, reason } = this.#context;
    const elsewhere = record !== undefined && record.owner !== me;
    const why = elsewhere ? `${record.owner} owns it at epoch ${record.epoch}` : reason;
    return `${me} does not run "${id}" at the moment: ${why}`;
  }

  /** For a program that is not well here; so the group does not come back for a while. */
  #away(requestId: number, reason: string, now: Instant): void {
    const { id, peers, phase, record, voice } = this.#context;
    if (record === undefined || phase !== 'owning') {
      return voice.reply(requestId, 'not-owner', this.#notRun(record));
    }
    const left = refusesPrograms(record);
    if (left !== undefined) {
      return voice.reply(requestId, 'in-maintenance', `"${id}" stays here: it is ${left}`);
    }
    const target = handOverTarget(this.#context.situation(record), peers.avoided(now), 'gently');
    if (target.node === undefined) {
      return voice.reply(requestId, 'no-node', `Cannot move "${id}" away: ${target.why}`);
    }
    voice.begin(requestId, { type: 'away', reason }, now);
    this.#wait(target.node, now);
  }

  #leave(requestId: number, now: Instant): void {
    const context = this.#context;
    const { id, peers, phase, record, voice } = context;
    context.leaving = true;
    voice.failed('busy', LEAVING);
    if (phase === 'waiting' || phase === 'offline') {
      return voice.reply(requestId, undefined, `"${id}" does not run here`);
    }
    voice.begin(requestId, { type: 'leave' }, now);
    if (phase === 'sealing' || phase === 'claiming') return this.#moves.standDown(now);
    if (phase !== 'owning') return this.#depart(undefined, now);
    const owned = must(record, 'an owner has a record');
    // What is left alone does not move; it has to stop all the same.
    const stays = refusesPrograms(owned) !== undefined;
    const to = stays
      ? undefined
      : handOverTarget(context.situation(owned), peers.avoided(now)).node;
    this.#wait(to, now);
  }

  /** The node ends: what its phase does ends in an answer by itself, or is begun here. */
  #depart(to: NodeId | undefined, now: Instant): void {
    const context = this.#context;
    const { me, phase, record } = context;
    if (phase === 'probing' || phase === 'handing' || phase === 'yielding') return;
    context.reason = `${me} is being stopped`;
    if (phase === 'stopping') return;
    if (phase === 'suspended') return this.#moves.yield(context.reason, now);
    if (phase !== 'owning') return;
    const owned = must(record, 'an owner has a record');
    const fit = to !== undefined && obstacle(context.situation(owned), to, new Set()) === undefined;
    if (!fit) return this.#moves.stop(now);
    this.#moves.handOver(owned, to, context.reason, now);
  }
}

function reasonOf(request: OperatorRequest): string {
  switch (request.type) {
    case 'move':
    case 'away':
      return request.reason;
    case 'stop':
    case 'force':
      return 'an administrator asked for it';
    case 'start':
    case 'bar':
    case 'maintain':
    case 'leave':
      return LEAVING;
  }
}

function toldOwner(wanted: string, owner: NodeId): string {
  return `${wanted}; ${owner} owns it and was told`;
}

/** Whether a vote on what is wanted is what this request waits for. */
function isFor(request: OperatorRequest | undefined, change: RecordChange): boolean {
  if (change.type !== 'want') return false;
  return request?.type === (change.want === 'online' ? 'start' : 'stop');
}
