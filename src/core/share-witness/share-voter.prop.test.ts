/**
 * Shares under delays, freezes, deaths, late and failed writes, and readings that are not of one
 * instant: the nodes' parts together keep the laws of one acceptor and of one giver of promises.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { must } from '../../base/assert.ts';
import { Prng } from '../../base/prng.ts';
import { instant } from '../../base/time.ts';
import type { Epoch, GroupId, NodeId, SeatId } from '../../protocol/ids.ts';
import type { Ballot, OwnershipRecord, RegistryMessage } from '../../protocol/record.ts';
import { EMPTY_SHEET, type Sheet } from '../../protocol/share-sheet.ts';
import { compareBallots } from '../registry/ballot.ts';
import { type ShareEffect, type ShareEvent, ShareVoter } from './share-voter.ts';

const G = 'g' as GroupId;
const SEAT = 'seat' as SeatId;
const NODES = ['a', 'b', 'c'] as NodeId[];
const LEASE_MS = 300;
const DRIFT = 0.01;
const TERM_MS = LEASE_MS * (1 + DRIFT);

interface Life {
  readonly node: NodeId;
  readonly rate: number;
  readonly voter: ShareVoter;
  frozenUntil: number;
  ended: boolean;
}

interface Promise_ {
  readonly owner: NodeId;
  readonly epoch: number;
  readonly until: number;
}

type Untimed = ShareEvent extends infer E ? (E extends ShareEvent ? Omit<E, 'now'> : never) : never;

class Chaos {
  readonly prng: Prng;
  /** What is on the share, by node. A life writes only where it is the last one (`lives`). */
  readonly files = new Map<NodeId, Sheet>(NODES.map((node) => [node, EMPTY_SHEET]));
  readonly lives = new Map<NodeId, Life>();
  readonly agenda: { at: number; run: () => void }[] = [];
  now = 1000;
  counter = 0;
  round = 0;
  /** Records that were asked to be voted for, by owner: the epochs that it may claim. */
  readonly named = new Map<NodeId, number[]>();
  readonly sent = new Map<string, number>();
  readonly questions = new Map<string, RegistryMessage>();
  readonly claiming = new Map<NodeId, { epoch: number; firstRound: number }>();
  promises: Promise_[] = [];
  given = 0;
  readonly prepared: { ballot: Ballot; accepted: Ballot | undefined }[] = [];
  readonly accepted: { ballot: Ballot; record: OwnershipRecord; by: NodeId; at: number }[] = [];
  readonly slow: number;

  constructor(seed: number) {
    this.prng = new Prng(seed);
    this.slow = this.prng.pick([5, 60, 250]);
    for (const node of NODES) this.start(node);
  }

  start(node: NodeId): void {
    const rate = 1 + DRIFT * (this.prng.float() - 0.5) * 0.98;
    const former = must(this.files.get(node), 'every node has a file');
    const startedAt = instant(this.now * rate);
    const options = { me: node, seat: SEAT, nodes: NODES, termMs: TERM_MS, startedAt, former };
    const voter = new ShareVoter(options);
    this.lives.set(node, { node, rate, voter, frozenUntil: 0, ended: false });
  }

  later(ms: number, run: () => void): void {
    this.agenda.push({ at: this.now + ms, run });
  }

  run(steps: number): void {
    const act = (): void => {
      this.#act();
      this.later(this.prng.float() * 50, act);
    };
    act();
    for (let step = 0; step < steps; step += 1) {
      this.agenda.sort((x, y) => x.at - y.at);
      const next = must(this.agenda.shift(), 'something is due');
      this.now = Math.max(this.now, next.at);
      next.run();
    }
  }

  #act(): void {
    const node = this.prng.pick(NODES);
    const life = must(this.lives.get(node), 'every node has a life');
    const dice = this.prng.float();
    if (dice < 0.01) {
      life.ended = true;
      this.start(node);
    } else if (dice < 0.025) life.frozenUntil = this.now + this.prng.float() * 900;
    else if (dice < 0.06) this.#claim(node, undefined);
    else if (dice < 0.12) {
      const epochs = this.named.get(node) ?? [];
      if (epochs.length > 0) this.#claim(node, this.prng.pick(epochs.slice(-2)));
    } else if (dice < 0.78) this.#beat(life);
    else this.#ask(life);
  }

  /** What was promised for another claim counts no more. */
  #claim(node: NodeId, epoch: number | undefined): void {
    if (this.claiming.get(node)?.epoch === epoch) return;
    this.promises = this.promises.filter(({ owner }) => owner !== node);
    if (epoch === undefined) this.claiming.delete(node);
    else this.claiming.set(node, { epoch, firstRound: this.round + 1 });
  }

  #beat(life: Life): void {
    this.round += 1;
    this.sent.set(`${life.node} ${this.round}`, this.now);
    const epoch = this.claiming.get(life.node)?.epoch;
    const claims = epoch === undefined ? [] : [{ group: G, epoch: epoch as Epoch }];
    const beat = { round: this.round, claims };
    this.#step(life, {
      type: 'beat',
      beat: { ...beat, without: this.prng.chance(0.3) ? [G] : [] },
    });
  }

  #ask(life: Life): void {
    const again = [...this.questions.values()].filter(
      (question) => question.type === 'accept' && question.ballot.node === life.node,
    );
    const last = again.at(-1);
    if (last !== undefined && last.type === 'accept' && this.prng.chance(0.8)) {
      return this.#step(life, { type: 'asked', question: last });
    }
    this.counter += 1;
    const ballot = { counter: this.counter, node: life.node, seat: SEAT };
    if (this.prng.chance(0.4)) {
      const id = `p${this.counter}`;
      const question = { type: 'prepare', id, group: G, ballot } as const;
      this.questions.set(id, question);
      return this.#step(life, { type: 'asked', question });
    }
    const owner = this.prng.chance(0.6) ? life.node : this.prng.pick(NODES);
    const record: OwnershipRecord = {
      ...{ epoch: this.counter as Epoch, owner, inSync: {}, want: 'online' },
      voters: [{ node: life.node, seat: SEAT }],
    };
    this.named.set(owner, [...(this.named.get(owner) ?? []), this.counter]);
    const id = `a${this.counter}`;
    const question = { type: 'accept', id, group: G, ballot, record, previous: undefined } as const;
    this.questions.set(id, question);
    this.#step(life, { type: 'asked', question });
  }

  #step(life: Life, event: Untimed): void {
    if (life.ended) return;
    if (this.now < life.frozenUntil) {
      return this.later(life.frozenUntil - this.now, () => this.#step(life, event));
    }
    const now = instant(this.now * life.rate);
    for (const effect of life.voter.step({ ...event, now })) this.#perform(life, effect);
  }

  #perform(life: Life, effect: ShareEffect): void {
    const ms = (): number => this.prng.float() * this.slow;
    switch (effect.type) {
      case 'write':
        // A write of an ended life lands nowhere that counts: in the life's own place.
        return this.later(ms(), () => {
          if (life.ended) return;
          this.files.set(life.node, effect.sheet);
          this.later(ms(), () => this.#step(life, { type: 'written' }));
        });
      case 'read':
        return this.#readAll(life);
      case 'answer':
        return this.#answered(life, effect.body);
      case 'message':
        return this.#said(life, effect.message);
    }
  }

  /** Each file at an instant of its own. */
  #readAll(life: Life): void {
    const sheets = new Map<NodeId, Sheet>();
    const order = this.prng.chance(0.5) ? NODES : NODES.toReversed();
    const next = (index: number): void => {
      const node = order[index];
      if (node === undefined) return this.#step(life, { type: 'read', sheets });
      this.later(this.prng.float() * this.slow, () => {
        sheets.set(node, must(this.files.get(node), 'every node has a file'));
        next(index + 1);
      });
    };
    next(0);
  }

  #answered(life: Life, body: Extract<ShareEffect, { type: 'answer' }>['body']): void {
    const sentAt = must(this.sent.get(`${life.node} ${body.round}`), 'answers are to beats');
    for (const { epoch } of body.promises) {
      const claimed = this.claiming.get(life.node);
      if (claimed?.epoch !== epoch || body.round < claimed.firstRound) continue;
      this.given += 1;
      // By the owner's own clock.
      const until = sentAt + LEASE_MS / life.rate;
      this.promises.push({ owner: life.node, epoch, until });
      const voted = this.accepted.find(
        ({ record }) => record.owner !== life.node && record.epoch > epoch,
      );
      // An answer that comes when its lease is over gives nothing.
      if (voted !== undefined && this.now < until && voted.by !== life.node) {
        throw new Error(`promised to ${life.node} at ${epoch} after ${voted.record.epoch}`);
      }
    }
  }

  #said(life: Life, message: RegistryMessage): void {
    if (message.type === 'prepared') {
      this.prepared.push({ ballot: message.ballot, accepted: message.accepted?.ballot });
    } else if (message.type === 'accepted') {
      const question = must(this.questions.get(message.id), 'it was asked');
      if (question.type !== 'accept') throw new Error('accepted what was not to be');
      this.#checkBound(question.record, life.node);
      const { ballot, record } = question;
      this.accepted.push({ ballot, record, by: life.node, at: this.now });
    }
    this.#checkVotes();
  }

  #checkBound(record: OwnershipRecord, by: NodeId): void {
    for (const { owner, epoch, until } of this.promises) {
      if (owner === record.owner || owner === by || epoch >= record.epoch) continue;
      if (this.now < until) throw new Error(`voted for ${record.owner} while bound to ${owner}`);
    }
  }

  /** Who promised a ballot has told of every vote below it, and gives none afterwards. */
  #checkVotes(): void {
    for (const { ballot, accepted: told } of this.prepared.slice(-8)) {
      for (const vote of this.accepted) {
        if (compareBallots(vote.ballot, ballot) >= 0) continue;
        if (told !== undefined && compareBallots(told, vote.ballot) >= 0) continue;
        throw new Error(`${ballot.counter} was told nothing of ${vote.ballot.counter}`);
      }
    }
  }
}

test('one acceptor and one giver of promises, whatever the share does', () => {
  let votes = 0;
  let promises = 0;
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1_000_000 }), (seed) => {
      const chaos = new Chaos(seed);
      chaos.run(1200);
      votes += chaos.accepted.length;
      promises += chaos.given;
    }),
    { numRuns: 30 },
  );
  expect(votes).toBeGreaterThan(20);
  expect(promises).toBeGreaterThan(50);
});
