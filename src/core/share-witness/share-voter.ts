/**
 * A node's part in a witness that is a directory on a share: pure, told the time. All nodes' parts
 * together are one acceptor (after Gafni and Lamport, "Disk Paxos", 2003) and one giver of promises.
 *
 *   idle ── anything to do ──► write own sheet ──► read all sheets ──► answer ──► idle
 *
 * Each round of write and read is a *pass*; whatever was asked meanwhile waits for the next one. A
 * vote takes two passes: the first bars everybody else from promises (`bar`), the second votes.
 *
 * Invariants (SPEC.md): nothing is answered but after a write that returned and a reading that began
 * after it (S1); a vote for an owner is written only while the bar for that owner stands and nobody
 * else can hold a promise (S3).
 */
import { assert, must } from '../../base/assert.ts';
import { type Instant, earliest, plus } from '../../base/time.ts';
import type { Epoch, GroupId, NodeId, SeatId } from '../../protocol/ids.ts';
import type { AnswerBody, Claim } from '../../protocol/packet.ts';
import type { RegistryMessage } from '../../protocol/record.ts';
import type { ShareBeat, ShareQuestion } from '../../protocol/share-ipc.ts';
import { SHARE_GROUPS_MAX, type Sheet, type SheetVote } from '../../protocol/share-sheet.ts';
import { isBelow } from '../registry/ballot.ts';
import { lineOf } from '../registry/forced-line.ts';
import { ClaimWatch } from './claim-watch.ts';
import { type Merged, type Sheets, isBarred, merged, takenUp } from './merged-view.ts';

type Prepare = Extract<RegistryMessage, { type: 'prepare' }>;
type Accept = Extract<RegistryMessage, { type: 'accept' }>;
type Refused = Extract<RegistryMessage, { type: 'refused' }>;

export interface ShareVoterOptions {
  readonly me: NodeId;
  readonly seat: SeatId;
  /** All that have a sheet, this node among them. */
  readonly nodes: readonly NodeId[];
  /** So long may a promise bind by the settings of this node, reckoned on any clock. */
  readonly termMs: number;
  readonly startedAt: Instant;
  /** What an earlier life of this node wrote last. */
  readonly former: Sheet;
}

export type ShareEvent = { readonly now: Instant } & (
  | { readonly type: 'beat'; readonly beat: ShareBeat }
  | { readonly type: 'asked'; readonly question: ShareQuestion }
  /** The write is on the share's stable storage. */
  | { readonly type: 'written' }
  /** All sheets, read after the present pass's write had returned. */
  | { readonly type: 'read'; readonly sheets: Sheets }
);

export type ShareEffect =
  | { readonly type: 'write'; readonly sheet: Sheet }
  | { readonly type: 'read' }
  | { readonly type: 'answer'; readonly body: AnswerBody }
  | { readonly type: 'message'; readonly message: RegistryMessage };

interface Bar {
  readonly owner: NodeId;
  readonly below: Epoch;
  /** When the write that made it had returned. */
  standsSince: Instant | undefined;
  askedAt: Instant;
}

interface OwnClaim {
  epoch: Epoch;
  renewed: number;
  held: boolean;
  termMs: number;
  /** Claimed by this life, so that its word that it let go counts. */
  own: boolean;
}

interface Pass {
  readonly beat: ShareBeat | undefined;
  readonly prepares: Prepare[];
  readonly bars: Accept[];
  readonly votes: Accept[];
}

/** Questions that may wait; more are dropped like lost datagrams, and asked again. */
const QUESTIONS_MAX = 128;
/** A bar that nobody asks for any more is taken away after so many terms. */
const BAR_TERMS = 6;

export class ShareVoter {
  readonly #options: ShareVoterOptions;
  readonly #votes = new Map<GroupId, SheetVote>();
  readonly #claims = new Map<GroupId, OwnClaim>();
  readonly #bars = new Map<GroupId, Bar>();
  readonly #watch = new ClaimWatch();
  /** Of others, as last read. */
  #others: Sheets = new Map();
  #beat: ShareBeat | undefined;
  #questions: ShareQuestion[] = [];
  /** Votes whose owner alone may be upheld: to be written with the next pass. */
  #ready: Accept[] = [];
  #pass: Pass | undefined;
  #unwritten = true;
  #renewals: number;
  #effects: ShareEffect[] = [];

  constructor(options: ShareVoterOptions) {
    this.#options = options;
    const { renewals, votes, claims } = takenUp(options.former);
    this.#renewals = renewals;
    for (const vote of votes) this.#votes.set(vote.group, vote);
    for (const { group, ...claim } of claims) this.#claims.set(group, { ...claim, own: false });
  }

  step(event: ShareEvent): readonly ShareEffect[] {
    this.#effects = [];
    const { now } = event;
    switch (event.type) {
      case 'beat':
        this.#beat = event.beat;
        break;
      case 'asked':
        this.#asked(event.question);
        break;
      case 'written':
        this.#written(now);
        return this.#effects;
      case 'read':
        this.#read(event.sheets, now);
        break;
    }
    if (this.#pass === undefined) this.#begin(now);
    return this.#effects;
  }

  #asked(question: ShareQuestion): void {
    const known = this.#questions.some(({ id }) => id === question.id);
    if (!known && this.#questions.length < QUESTIONS_MAX) this.#questions.push(question);
  }

  #begin(now: Instant): void {
    const pass: Pass = { beat: this.#beat, prepares: [], bars: [], votes: [] };
    const [questions, ready] = [this.#questions, this.#ready];
    this.#beat = undefined;
    this.#questions = [];
    this.#ready = [];
    this.#forgetBars(now);
    if (pass.beat !== undefined) this.#renew(pass.beat, now);
    this.#forgetFormerClaims(now);
    for (const accept of ready) this.#vote(accept, pass);
    for (const question of questions) {
      if (question.type === 'prepare') this.#promise(question, pass);
      else this.#placeBar(question, pass, now);
    }
    const asks = pass.prepares.length + pass.bars.length + pass.votes.length > 0;
    if (pass.beat === undefined && !asks) return;
    this.#pass = pass;
    if (this.#unwritten) this.#effects.push({ type: 'write', sheet: this.#sheet() });
    else this.#effects.push({ type: 'read' });
    this.#unwritten = false;
  }

  #written(now: Instant): void {
    assert(this.#pass !== undefined, 'only a pass writes');
    for (const bar of this.#bars.values()) bar.standsSince ??= now;
    this.#effects.push({ type: 'read' });
  }

  #read(sheets: Sheets, now: Instant): void {
    const pass = must(this.#pass, 'only a pass reads');
    this.#pass = undefined;
    const { me, nodes } = this.#options;
    assert(
      nodes.every((node) => node === me || sheets.has(node)),
      'every other sheet was read',
    );
    this.#others = new Map([...sheets].filter(([node]) => node !== me));
    this.#watch.saw(this.#all(), now);
    for (const prepare of pass.prepares) this.#prepared(prepare);
    for (const accept of pass.bars) this.#barred(accept, now);
    for (const accept of pass.votes) this.#accepted(accept);
    if (pass.beat !== undefined) this.#answer(pass.beat);
  }

  // Promises to this node, as an owner.

  #renew({ claims, without, termMs }: ShareBeat, now: Instant): void {
    for (const { group, epoch } of claims) {
      const before = this.#claims.get(group);
      if (before === undefined && this.#claims.size >= SHARE_GROUPS_MAX) continue;
      this.#renewals += 1;
      this.#claims.set(group, {
        ...{ epoch, renewed: this.#renewals, held: without?.includes(group) !== true },
        termMs: Math.max(this.#options.termMs, before?.termMs ?? 0, termMs ?? 0),
        own: before?.own !== false || now >= plus(this.#options.startedAt, before.termMs),
      });
      this.#unwritten = true;
    }
    for (const [group, { own }] of this.#claims) {
      if (!own || claims.some((claim) => claim.group === group)) continue;
      this.#claims.delete(group);
      this.#unwritten = true;
    }
  }

  /** An earlier life may have been promised something until its term was over. */
  #forgetFormerClaims(now: Instant): void {
    for (const [group, { own, termMs }] of this.#claims) {
      if (own || now < plus(this.#options.startedAt, termMs)) continue;
      this.#claims.delete(group);
      this.#unwritten = true;
    }
  }

  #answer({ round, claims }: ShareBeat): void {
    const promises: Claim[] = [];
    const behind: GroupId[] = [];
    const ahead: Claim[] = [];
    const { me, seat } = this.#options;
    for (const claim of claims) {
      const record = this.#merged(claim.group).accepted?.record;
      const { group, epoch } = claim;
      if (record === undefined || record.epoch < epoch) behind.push(group);
      else if (record.epoch > epoch) ahead.push({ group, epoch: record.epoch });
      else if (record.owner === me && this.#isWritten(claim) && !this.#isBarred(claim)) {
        promises.push(claim);
      }
    }
    this.#effects.push({
      type: 'answer',
      body: { kind: 'answer', round, seat, promises, behind, ahead },
    });
  }

  #isWritten({ group, epoch }: Claim): boolean {
    return this.#claims.get(group)?.epoch === epoch;
  }

  #isBarred(claim: Claim): boolean {
    return isBarred(this.#all().values(), claim, this.#options.me);
  }

  // Votes.

  #promise(prepare: Prepare, pass: Pass): void {
    const { group, ballot } = prepare;
    const own = this.#votes.get(group);
    if (isBelow(ballot, own?.promised)) return this.#refuse(prepare, 'ballot', 0);
    if (own === undefined && this.#votes.size >= SHARE_GROUPS_MAX) return;
    this.#setVote({ group, promised: ballot, accepted: own?.accepted });
    pass.prepares.push(prepare);
  }

  #prepared(prepare: Prepare): void {
    const { group, ballot, id } = prepare;
    const { promised, accepted } = this.#merged(group);
    if (isBelow(ballot, promised)) return this.#refuse(prepare, 'ballot', 0);
    const { seat } = this.#options;
    this.#say({ type: 'prepared', id, group, seat, ballot, accepted });
  }

  /** The first pass of a vote, unless it is known to be in vain. */
  #placeBar(accept: Accept, pass: Pass, now: Instant): void {
    const { group, ballot, record } = accept;
    const own = this.#votes.get(group);
    if (this.#isOutdated(accept, own ?? { promised: undefined, accepted: undefined })) {
      return this.#refuseVote(accept, 'ballot', 0);
    }
    if (own === undefined && this.#votes.size >= SHARE_GROUPS_MAX) return;
    const bar = this.#bars.get(group);
    const stands = bar !== undefined && bar.owner === record.owner && bar.below === record.epoch;
    if (!stands && this.#isSpared(accept, now)) {
      return this.#refuseVote(accept, ...this.#busy(accept, now));
    }
    if (stands) bar.askedAt = now;
    else {
      const fresh = { owner: record.owner, below: record.epoch };
      this.#bars.set(group, { ...fresh, standsSince: undefined, askedAt: now });
      this.#unwritten = true;
    }
    this.#setVote({ group, promised: ballot, accepted: own?.accepted });
    pass.bars.push(accept);
  }

  /** After the reading that followed the bar. */
  #barred(accept: Accept, now: Instant): void {
    const { group, record } = accept;
    if (this.#isOutdated(accept, this.#merged(group))) {
      return this.#refuseVote(accept, 'ballot', 0);
    }
    const bound = this.#bound(accept, now);
    if (bound.length === 0) {
      const bar = this.#bars.get(group);
      if (bar?.owner === record.owner && bar.below === record.epoch) this.#ready.push(accept);
      return;
    }
    const [why, remainingMs] = this.#busy(accept, now);
    // An owner without a lease, that claims all the same, is bound by the bar alone.
    if (this.#isSpared(accept, now)) this.#refuseVote(accept, why, remainingMs);
    else this.#refuse(accept, why, remainingMs);
  }

  /** The second pass: the vote takes the place of the bar. */
  #vote(accept: Accept, pass: Pass): void {
    const { group, ballot, record } = accept;
    const own = must(this.#votes.get(group), 'the first pass wrote its ballot');
    const bar = this.#bars.get(group);
    if (bar?.owner !== record.owner || bar.below !== record.epoch) return;
    if (this.#isOutdated(accept, own)) return this.#refuseVote(accept, 'ballot', 0);
    this.#setVote({ group, promised: ballot, accepted: { ballot, record } });
    this.#bars.delete(group);
    pass.votes.push(accept);
  }

  #accepted(accept: Accept): void {
    const { group, ballot, id } = accept;
    if (this.#isOutdated(accept, this.#merged(group))) return this.#refuse(accept, 'ballot', 0);
    this.#say({ type: 'accepted', id, group, seat: this.#options.seat, ballot });
  }

  #isOutdated({ ballot, record }: Accept, { promised, accepted }: Merged): boolean {
    return isBelow(ballot, promised) || lineOf(record) < lineOf(accepted?.record);
  }

  /** Whose promises may live, other than the owner's that is voted for, and until when. */
  #bound(
    { group, record }: Accept,
    now: Instant,
  ): readonly { readonly node: NodeId; readonly until: Instant; readonly termMs: number }[] {
    const { me } = this.#options;
    const owner = this.#merged(group).accepted?.record?.owner;
    const stands = this.#bars.get(group)?.standsSince;
    return [...this.#all()].flatMap(([node, { claims }]) => {
      const claim = claims.find((other) => other.group === group);
      // The owner itself has given its lease up before it names the next one.
      if (claim === undefined || node === record.owner || (node === me && owner === me)) return [];
      const termMs = Math.max(this.#options.termMs, claim.termMs);
      const quietAt = this.#watch.quietAt(node, claim, termMs) ?? plus(now, termMs);
      const until = stands === undefined ? quietAt : earliest([quietAt, plus(stands, termMs)]);
      return now < until ? [{ node, until, termMs }] : [];
    });
  }

  /** A bar would take a living owner's lease away. */
  #isSpared(accept: Accept, now: Instant): boolean {
    return this.#bound(accept, now).some(
      ({ node, termMs }) => !this.#watch.isPowerless(node, accept.group, termMs, now),
    );
  }

  #busy(accept: Accept, now: Instant): ['starting' | 'promise', number] {
    const bound = this.#bound(accept, now);
    const starting = bound.some(({ node }) => this.#watch.isOld(node, accept.group));
    const ends = bound.map(({ until }) => until - now);
    return [starting ? 'starting' : 'promise', Math.max(0, ...ends)];
  }

  #forgetBars(now: Instant): void {
    for (const [group, { askedAt }] of this.#bars) {
      if (now >= plus(askedAt, BAR_TERMS * this.#options.termMs)) this.#dropBar(group);
    }
  }

  #dropBar(group: GroupId): void {
    if (this.#bars.delete(group)) this.#unwritten = true;
  }

  #refuseVote(accept: Accept, why: Refused['why'], remainingMs: number): void {
    this.#dropBar(accept.group);
    this.#refuse(accept, why, remainingMs);
  }

  #refuse({ id, group }: ShareQuestion, why: Refused['why'], remainingMs: number): void {
    const highest = why === 'ballot' ? this.#merged(group).promised : undefined;
    this.#say({ type: 'refused', id, group, why, highest, remainingMs });
  }

  #say(message: RegistryMessage): void {
    this.#effects.push({ type: 'message', message });
  }

  // Sheets.

  #setVote(vote: SheetVote): void {
    this.#votes.set(vote.group, vote);
    this.#unwritten = true;
  }

  #all(): Sheets {
    return new Map([...this.#others, [this.#options.me, this.#sheet()]]);
  }

  #merged(group: GroupId): Merged {
    return merged(this.#all().values(), group);
  }

  #sheet(): Sheet {
    return {
      renewals: this.#renewals,
      votes: [...this.#votes.values()],
      bars: [...this.#bars].map(([group, { owner, below }]) => ({ group, owner, below })),
      claims: [...this.#claims].map(([group, { epoch, renewed, held, termMs }]) => {
        return { group, epoch, renewed, held, termMs };
      }),
    };
  }
}
