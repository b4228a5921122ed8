/**
 * One group of type `everywhere` as one node sees it: sibling of `group-core.ts` for groups that run
 * on each of their nodes at once. No owner, no lease, no copy: each node obeys the group's record
 * by itself, for its own instance.
 *
 *   probing ── what runs here and what is wanted are known ──► obeying
 *
 *   everywhere-record.ts     what is wanted, and the votes about it
 *   instance.ts              what runs here
 *   everywhere-requests.ts   what people ask
 *
 * Invariants (SPEC.md, I1 to I5): the instance runs only while the newest record that this node
 * knows wants it on this node; a majority is asked first, and only where none answers for
 * {@link PATIENCE_MS} counts what this node's own voter has stored; what runs goes on when this node
 * is cut off, and obeys what it missed as soon as it hears a majority again.
 */
import { unreachable } from '../../base/assert.ts';
import { type Instant, NEVER, earliest, plus } from '../../base/time.ts';
import type { Epoch, NodeId } from '../../protocol/ids.ts';
import type { OwnershipRecord } from '../../protocol/record.ts';
import type { GroupEngine, Observation } from '../group/engine.ts';
import { barOf } from '../registry/bars.ts';
import type { GroupCoreOptions } from './group-context.ts';
import { EverywhereRecord } from './everywhere-record.ts';
import { EverywhereRequests } from './everywhere-requests.ts';
import { Instance, type InstanceState } from './instance.ts';
import type { CoreEvent, Effect } from './node-io.ts';
import type { InstanceFacts } from './placing-instances.ts';
import { Voice } from './voice.ts';

/** So long a majority is waited for before this node goes by what it knew last. */
const PATIENCE_MS = 10_000;
const RUNS = 'it runs on each of its nodes';

export class EverywhereCore {
  readonly #options: GroupCoreOptions;
  readonly #voice: Voice;
  readonly #record: EverywhereRecord;
  readonly #instance: Instance;
  readonly #requests: EverywhereRequests;
  /** Whether the group may run on this node at all. */
  readonly #isMember: boolean;
  #found: readonly Observation[] | undefined;
  #probing = true;
  #patientUntil: Instant = NEVER;
  #up: ReadonlySet<NodeId> = new Set();

  constructor(options: GroupCoreOptions) {
    const { group, me, members } = options;
    this.#options = options;
    this.#isMember = group.nodes.includes(me);
    const others = members.filter((member) => member !== me);
    this.#voice = new Voice(group.id, others);
    this.#record = new EverywhereRecord(options, this.#voice, (change, outcome, now) =>
      this.#requests.settled(change, outcome, now),
    );
    this.#instance = new Instance(group, me, this.#voice);
    this.#requests = new EverywhereRequests({
      options,
      voice: this.#voice,
      record: this.#record,
      instance: this.#isMember ? this.#instance : undefined,
      obstacle: () => this.#obstacle(),
      reachable: () => this.#up,
    });
  }

  /** The newest that this node knows. */
  get record(): OwnershipRecord | undefined {
    return this.#record.present;
  }

  get engine(): GroupEngine {
    return this.#instance.engine;
  }

  /** Whatever comes after it may start on this node. */
  get isOnline(): boolean {
    return this.state === 'online';
  }

  /** Of this node's instance. */
  get state(): InstanceState {
    if (!this.#isMember) return 'stopped';
    return this.#probing ? 'unknown' : this.#instance.state;
  }

  /** Why this node's instance is as it is, in one sentence. */
  get reason(): string {
    const { present } = this.#record;
    if (!this.#isMember) return `it never runs on ${this.#options.me}`;
    if (!this.#probing) return this.#instance.reason;
    if (present !== undefined) return this.#instance.reason;
    return `what is wanted is not known yet: ${this.#doubt()}`;
  }

  /** What a plan of placement has to know of it. */
  facts(): InstanceFacts {
    const present = this.#isMember && !this.engine.isStopped();
    return { record: this.record, online: this.isOnline, present };
  }

  nextWakeAt(): Instant {
    return earliest([
      this.#record.nextWakeAt(),
      this.#instance.nextWakeAt(),
      this.#voice.requestEndsAt,
      this.#isMember && this.#probing && this.#found !== undefined ? this.#patientUntil : NEVER,
    ]);
  }

  start(now: Instant): readonly Effect[] {
    this.#patientUntil = plus(now, PATIENCE_MS);
    if (this.#isMember) this.#voice.emit({ type: 'probe', group: this.#options.group.id });
    this.#record.begin(now);
    this.#record.advance(now);
    return this.#voice.drain();
  }

  step(event: CoreEvent): readonly Effect[] {
    const { now } = event;
    this.#take(event, now);
    this.#record.advance(now);
    if (this.#isMember) this.#advance(now);
    this.#requests.advance();
    this.#voice.endLate(now);
    return this.#voice.drain();
  }

  #take(event: CoreEvent, now: Instant): void {
    const { engine } = this.#instance;
    switch (event.type) {
      case 'timePassed':
        // By what was known until now; what a vote tells next is obeyed next.
        this.#instance.tick(now);
        return this.#record.tick(now);
      case 'peers':
        this.#up = new Set(event.peers.filter((p) => p.state === 'up').map(({ node }) => node));
        return this.#record.peers(event.peers, now);
      case 'registryMessage':
        return this.#record.message(event.from, event.message, now);
      case 'fetched':
        return this.#record.fetched(event.id, event.reading, now);
      case 'swapped':
        return this.#record.swapped(event.id, event.outcome, now);
      case 'decided':
        return this.#record.heard(event.decided.record, now);
      case 'probed':
        this.#found ??= event.found;
        return;
      case 'actionFinished':
        return this.#instance.engineDid(engine.actionFinished(event.result, now), now);
      case 'observed':
        return this.#instance.engineDid(engine.observed(event.seen, now, event.monitorId), now);
      case 'hookAnswered':
        return this.#instance.hooks.answered(event.id, event.answer, now);
      case 'reported':
        return this.#instance.engineDid(engine.reported(event.report, now), now);
      case 'asked':
        return this.#requests.asked(event.id, event.request, now);
      // There is no lease, no copy and no window here, and whoever sends waits for what is stored.
      case 'calendar':
      case 'flaps':
      case 'nodeCleared':
      case 'standing':
      case 'heartConnected':
      case 'heartLost':
      case 'lease':
      case 'support':
      case 'recordDiffers':
      case 'persisted':
      case 'revoked':
      case 'mirrorNews':
      case 'mirrorAnswered':
      case 'mirrorConnected':
      case 'fenceAnswered':
        return;
      default:
        return unreachable(event);
    }
  }

  #advance(now: Instant): void {
    if (this.#probing && !this.#takeUp(now)) return;
    const why = this.#obstacle();
    const epoch = this.#record.present?.epoch ?? (0 as Epoch);
    this.#instance.want(why === undefined, why ?? this.#whyUp(), { epoch, now });
    this.#instance.advance(now);
  }

  /** True when it is known what runs here and what is wanted. */
  #takeUp(now: Instant): boolean {
    const found = this.#found;
    if (found === undefined) return false;
    const { leaving } = this.#requests;
    const known = this.#record.certain || leaving;
    if (!known && now < this.#patientUntil) return false;
    if (!known && !this.#record.presume()) {
      const next = 'next: bring up more of them, or look at the links to them';
      const text = `not started on ${this.#options.me}: ${this.reason}; ${next}`;
      this.#voice.sayOnce('unread', 'warning', 'no-majority', text);
      this.#patientUntil = plus(now, PATIENCE_MS);
      return false;
    }
    this.#probing = false;
    this.#instance.adopt(found, now);
    return true;
  }

  /** Why the group shall not run on this node, as far as it knows. */
  #obstacle(): string | undefined {
    const { me } = this.#options;
    const { present } = this.#record;
    if (this.#requests.leaving) return `${me} is being stopped`;
    if (present === undefined) return `what is wanted is not known: ${this.#doubt()}`;
    if (present.want === 'offline') return 'an administrator stopped it';
    const barred = barOf(present, me);
    return barred === undefined ? undefined : `${me} ${barred}`;
  }

  #whyUp(): string {
    if (this.#record.certain) return RUNS;
    return `${RUNS}; this goes by what ${this.#options.me} knew last, for ${this.#doubt()}`;
  }

  #doubt(): string {
    return this.#record.knownEmpty ? 'the group is new' : this.#record.doubt;
  }
}
