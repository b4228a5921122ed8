/**
 * One group as one node sees it: whether this node owns it, may own it, follows its owner, or
 * must let go of it. All decisions about where a group runs are made in the parts of this core;
 * here events are given to the part they concern, and the phase then to the part whose it is.
 *
 *   probing ──► waiting ──► sealing ──► claiming ──► owning ◄──► suspended
 *      │           ▲           │(owner    │ (vote       │ │           │ grace over, or
 *      │ own and   │           │ is back) │ lost)       │ │ lease     │ record moved on
 *      │ running   └───────────┴──────────┘             │ └───────────┤
 *      └──────────────────────────────────► owning      │             ▼
 *                  ▲                                     ├────────► yielding ──► waiting
 *                  └──── handing ◄───────────────────────┤  by force, at once
 *                        (stop in order, then vote)      └──► stopping ──► offline
 *
 *   probing.ts     probing                       what runs here, and who owns the group
 *   candidate.ts   waiting, sealing, claiming    following the owner, taking over
 *   owner.ts       owning, suspended             lease, copies, resources that fail
 *   departure.ts   handing, stopping, yielding   letting go
 *   forced.ts      what people force           fenced-takeover.ts   without a node that is off
 *   requests.ts    what people ask               learning.ts   what is known of the record
 *
 * Invariants (SPEC.md): resources start only in `owning`, after a vote that named this node; every
 * way out of `owning` ends with the resources stopped before anyone else is voted owner, or with
 * the lease lost, which by itself stops acknowledgements and addresses.
 */
import { unreachable } from '../../base/assert.ts';
import { type Instant, NEVER, earliest } from '../../base/time.ts';
import type { PeerReport } from '../../protocol/heart-ipc.ts';
import type { Epoch, NodeId, ResourceId } from '../../protocol/ids.ts';
import type { OwnershipRecord, RegistryMessage } from '../../protocol/record.ts';
import type { EngineNotice, GroupEngine, Observation } from '../group/engine.ts';
import { lineOf, lineOfEpoch } from '../registry/forced-line.ts';
import { Candidate } from './candidate.ts';
import { Departure } from './departure.ts';
import {
  GroupContext,
  type GroupCoreOptions,
  type GroupPhase,
  type Moves,
} from './group-context.ts';
import { FencedTakeover } from './fenced-takeover.ts';
import { Forced } from './forced.ts';
import { Learning } from './learning.ts';
import type { CoreEvent, Effect } from './node-io.ts';
import { Owner } from './owner.ts';
import type { GroupFacts, OwnStanding } from './placing-facts.ts';
import { knownAddress, Probing } from './probing.ts';
import { Requests } from './requests.ts';

const FAILURE_ENDINGS = {
  restart: 'restarting it here',
  gaveUp: 'no restarts are left',
  lasting: 'a restart here cannot help',
  stop: 'the group stops here until somebody starts it',
  stay: 'it is left failed, and the rest of the group goes on',
  moved: 'its hook wants the group elsewhere',
  left: 'its hook wants it left failed, and the rest of the group goes on',
  leftAlone: 'it is left alone, for the group is in maintenance',
  recheck: 'its hook says that it is repaired, checking it again',
} as const;

export class GroupCore {
  readonly #context: GroupContext;
  readonly #probing: Probing;
  readonly #candidate: Candidate;
  readonly #forced: Forced;
  readonly #fenced: FencedTakeover;
  readonly #owner: Owner;
  readonly #departure: Departure;
  readonly #requests: Requests;
  readonly #learning: Learning;

  constructor(options: GroupCoreOptions) {
    const context = new GroupContext(options, {
      settled: (proposal, outcome, now) => this.#learning.settled(proposal, outcome, now),
      noticed: (notice, now) => this.#noticed(notice, now),
    });
    const moves: Moves = {
      own: (record, reason, now) => this.#owner.own(record, reason, now),
      wait: (now) => this.#candidate.wait(now),
      handOver: (record, to, reason, now) => this.#departure.handOver(record, to, reason, now),
      leaveBehind: (record, to, reason, now) =>
        this.#departure.leaveBehind(record, to, reason, now),
      standDown: (now) => this.#candidate.standDown(now),
      place: (to, reason, now) => this.#departure.place(to, reason, now),
      startAnew: (record, now) => this.#departure.startAnew(record, now),
      stop: (now) => this.#departure.stop(now),
      yield: (reason, now) => this.#departure.yield(reason, now),
      probe: (now) => this.#probing.again(now),
    };
    this.#context = context;
    this.#probing = new Probing(context, moves);
    this.#candidate = new Candidate(context, moves);
    this.#forced = new Forced(context, moves, {
      candidate: this.#candidate,
      probing: this.#probing,
    });
    this.#fenced = new FencedTakeover(context, moves, this.#candidate);
    this.#owner = new Owner(context, moves);
    this.#departure = new Departure(context, moves);
    this.#requests = new Requests(context, moves);
    this.#learning = new Learning(context, moves, {
      candidate: this.#candidate,
      owner: this.#owner,
      departure: this.#departure,
      requests: this.#requests,
    });
  }

  get phase(): GroupPhase {
    return this.#context.phase;
  }

  get record(): OwnershipRecord | undefined {
    return this.#context.record;
  }

  /** Why the group is where and as it is, in one sentence. */
  get reason(): string {
    return this.#context.reason;
  }

  /** Why it can't leave this node, on which it shall not run; undefined where that is not so. */
  get cannotLeave(): string | undefined {
    return this.#context.phase === 'owning' ? this.#context.cannotLeave : undefined;
  }

  /** A line of records was seen that no reading has found yet. */
  get awaitsLine(): boolean {
    return this.#learning.awaitsLine;
  }

  /** A vote of this process was chosen: the record is no mere guess from this node's own vote. */
  get hasRead(): boolean {
    return this.#context.hasRead;
  }

  /** What a plan of placement has to know of it. */
  facts(): GroupFacts {
    const context = this.#context;
    const { options, peers, phase, record } = context;
    const { failback } = options.group;
    const follows = phase === 'waiting' || phase === 'sealing' || phase === 'claiming';
    return {
      record,
      knownEmpty: context.knownEmpty,
      own: this.#standing(),
      present: this.#isPresent(),
      ownerLost: follows && context.ownerIsLost(),
      failedOn: peers.avoidedNow,
      isTime: failback.policy !== 'never' && context.isTimeFor(failback),
    };
  }

  #isPresent(): boolean {
    const { engine, phase } = this.#context;
    if (phase === 'probing') return this.#probing.mayRun;
    if (phase === 'waiting' || phase === 'sealing' || phase === 'claiming') return false;
    const begun = (phase === 'owning' || phase === 'suspended') && engine.target === 'online';
    return begun || !engine.isStopped();
  }

  #standing(): OwnStanding | undefined {
    const { engine, epochOwned, leaseHeld, me, phase, record } = this.#context;
    const probed = phase === 'probing' || phase === 'offline';
    if (epochOwned === undefined && (!probed || record?.owner !== me)) return undefined;
    const to = this.#departure.handsTo;
    if (to !== undefined && to !== me) return { state: 'moving', to };
    if (!this.#isPresent()) return { state: 'down' };
    const online = phase === 'owning' && leaseHeld && engine.isOnline();
    return { state: online ? 'online' : 'up' };
  }

  /** Since when the node has been up without a break, as far as this process knows. */
  upSince(node: NodeId): Instant | undefined {
    return this.#context.peers.upSince(node);
  }

  /** What the plan of placement says of it; undefined where groups are not planned. */
  get planned(): string | undefined {
    const { options, record } = this.#context;
    return record === undefined ? undefined : options.placing?.placement()?.reason;
  }

  /** Why what this node owns does not start, or not yet: other groups stand in the way. */
  get heldBack(): string | undefined {
    return this.#context.phase === 'owning' ? this.#context.heldBack : undefined;
  }

  get engine(): GroupEngine {
    return this.#context.engine;
  }

  /** Whom the mirror has to wait for when it begins to serve now. */
  countedCopies(mirror: ResourceId): readonly NodeId[] {
    return this.#owner.countedCopies(mirror);
  }

  get epochOwned(): Epoch | undefined {
    return this.#context.epochOwned;
  }

  nextWakeAt(now: Instant): Instant {
    return earliest([
      this.#context.engine.nextWakeAt(),
      this.#context.votesWakeAt(),
      this.#owner.nextWakeAt(now),
      this.#context.retryAt,
      this.#context.voice.requestEndsAt,
      this.#candidate.nextWakeAt(now),
      this.#context.hooks.nextWakeAt(),
      this.#context.options.placing === undefined ? NEVER : this.#context.peers.avoidEndsAt(now),
    ]);
  }

  start(now: Instant): readonly Effect[] {
    this.#probing.begin(now);
    return this.#context.voice.drain();
  }

  step(event: CoreEvent): readonly Effect[] {
    this.#context.peers.timeIs(event.now);
    this.#take(event, event.now);
    this.#advance(event.now);
    this.#context.voice.endLate(event.now);
    return this.#context.voice.drain();
  }

  #take(event: CoreEvent, now: Instant): void {
    const context = this.#context;
    const { engine } = context;
    switch (event.type) {
      case 'timePassed':
        context.tickVotes(now);
        context.hooks.tick(now);
        return context.engineDid(engine.tick(now), now);
      case 'calendar':
        context.weekMinute = event.weekMinute;
        if (event.civilMs !== undefined) context.civil = { ms: event.civilMs, at: now };
        return;
      case 'heartConnected':
        return this.#owner.heartConnected(now);
      case 'heartLost':
        return this.#owner.heartLost(now);
      case 'peers':
        return this.#peersReported(event.peers, now);
      case 'lease':
        return this.#owner.leaseReported(event.epoch, event.held, event.reason, now);
      case 'support':
        return this.#owner.supported(event.epoch, event.by, now);
      case 'recordDiffers':
        return this.#owner.recordDiffers(now);
      case 'registryMessage':
        return this.#registryMessage(event.from, event.message, now);
      case 'fetched':
        return context.fetched(event.id, event.reading, now);
      case 'swapped':
        return context.swapped(event.id, event.outcome, now);
      case 'decided':
        return this.#learning.heard(event.decided, now);
      case 'probed':
        return this.#probed(event.found, now);
      case 'actionFinished':
        this.#owner.actionFinished(event);
        return context.engineDid(engine.actionFinished(event.result, now), now);
      case 'observed':
        return this.#owner.observed(event, now);
      case 'hookAnswered':
        return context.hooks.answered(event.id, event.answer, now);
      case 'reported':
        return context.engineDid(engine.reported(event.report, now), now);
      case 'mirrorNews':
        return this.#owner.mirrorNews(event.mirror, event.news, now);
      case 'mirrorAnswered':
        return this.#mirrorAnswered(event, now);
      case 'mirrorConnected':
        return context.mirrors.forget(event.mirror);
      case 'asked':
        if (event.request.type === 'force') {
          return this.#forced.asked(event.id, event.request, now);
        }
        return this.#requests.asked(event.id, event.request, now);
      case 'persisted':
      case 'revoked':
      case 'flaps':
      case 'nodeCleared':
      case 'fenceAnswered':
      case 'standing':
        return;
      default:
        return unreachable(event);
    }
  }

  #probed(found: readonly Observation[], now: Instant): void {
    const known = found.map((seen) => knownAddress(this.#context.options.group, seen));
    if (!this.#owner.probed(known, now)) this.#probing.probed(known);
  }

  // The fence of the other node (node-fence.ts).

  wantsFence(peer: NodeId): boolean {
    return this.#fenced.wants(peer);
  }

  fenceWakeAt(now: Instant): Instant {
    return this.#fenced.nextWakeAt(now);
  }

  /** That node is known to be off. */
  fenced(now: Instant): readonly Effect[] {
    this.#fenced.advance(now);
    return this.#context.voice.drain();
  }

  /** It is heard, whatever its fence had said. */
  fenceVoided(peer: NodeId, now: Instant): readonly Effect[] {
    this.#fenced.voided(peer, now);
    return this.#context.voice.drain();
  }

  /** An answer for a vote of this node; or a question to its voter, which tells of a newer line. */
  #registryMessage(from: NodeId, message: RegistryMessage, now: Instant): void {
    if (message.type !== 'accept') return this.#context.voteMessage(from, message, now);
    if (from === this.#context.me) return;
    const { ballot, record } = message;
    const asked = { by: from, ballot };
    this.#learning.lineSeen({ line: lineOf(record), owner: record.owner, asked }, now);
  }

  #mirrorAnswered(event: Extract<CoreEvent, { type: 'mirrorAnswered' }>, now: Instant): void {
    const { mirror, order } = event;
    if (order.type !== 'expel') return this.#candidate.mirrorAnswered(mirror, order, event, now);
    this.#context.mirrors.expelAnswered(mirror, order.peer);
  }

  /** What follows from the present state, whatever the event was. */
  #advance(now: Instant): void {
    const context = this.#context;
    switch (context.phase) {
      case 'probing':
        this.#probing.advance(now);
        break;
      case 'waiting':
        this.#candidate.advanceWaiting(now);
        break;
      case 'sealing':
        this.#candidate.advanceSealing(now);
        break;
      case 'claiming':
        this.#candidate.advanceClaiming(now);
        break;
      case 'owning':
        this.#owner.advanceOwning(now);
        break;
      case 'suspended':
        this.#owner.advanceSuspended(now);
        break;
      case 'handing':
      case 'stopping':
        this.#owner.advanceEnding(now);
        if (context.phase === 'handing') this.#departure.advanceHanding(now);
        break;
      case 'offline':
        this.#owner.advanceOffline(now);
        break;
      case 'yielding':
        break;
      default:
        unreachable(context.phase);
    }
    this.#requests.advance(now);
    this.#forced.advance(now);
    if (now >= context.retryAt) context.retryAt = NEVER;
  }

  #peersReported(peers: readonly PeerReport[], now: Instant): void {
    const context = this.#context;
    context.peers.update(peers, now);
    const newest = context.peers.newestClaim();
    if (newest !== undefined) {
      const line = lineOfEpoch(newest.epoch);
      this.#learning.lineSeen({ line, owner: newest.node, asked: undefined }, now);
    }
    const { phase, record } = context;
    if ((phase !== 'waiting' && phase !== 'offline') || record === undefined) return;
    if (context.peers.someoneClaimsAfter(record.epoch)) context.learn(now);
  }

  #noticed(notice: EngineNotice, now: Instant): void {
    const { id, me, reason, voice } = this.#context;
    switch (notice.type) {
      case 'online':
        voice.allWell();
        voice.say('info', 'online', `online on ${me}: ${reason}`);
        this.#owner.cameOnline(now);
        if (voice.request?.type === 'start') voice.done(`"${id}" is online`);
        return;
      case 'stopped':
        return this.#departure.engineStopped(now);
      case 'resourceFailed': {
        const { resource, then } = notice;
        const text = `"${resource}" failed: ${notice.reason}; ${FAILURE_ENDINGS[then]}`;
        return voice.sayOnce(`${resource}: ${text}`, 'warning', 'resource-failed', text, resource);
      }
      case 'resourceOnline': {
        const text = `"${notice.resource}" is online`;
        voice.mended(`${notice.resource}: `);
        return voice.say('info', 'resource-online', text, notice.resource);
      }
      case 'stopFailed':
        return this.#departure.stopFailed(notice.resource, notice.reason, now);
      case 'heldDown':
        return this.#owner.heldDown();
      default:
        return unreachable(notice);
    }
  }
}
