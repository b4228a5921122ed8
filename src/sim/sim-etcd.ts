/**
 * An etcd in virtual time, seen from the members: it answers late, not at all, or not for certain.
 * What it did not answer for certain it may have carried out, or may carry out much later.
 *
 * Invariant: what is carried out is carried out in one order, each swap only at the revision that it
 * expects; so it is as linearizable as the real one.
 */
import type { Prng } from '../base/prng.ts';
import { type Instant, plus } from '../base/time.ts';
import type { CoreEvent, Effect } from '../core/node/node-io.ts';
import type { GroupId, NodeId } from '../protocol/ids.ts';
import type { StoredVote, SwapOutcome } from '../protocol/stored-record.ts';

export type Question = Extract<Effect, { type: 'fetch' | 'swap' }>;
type WithoutTime<T> = T extends unknown ? Omit<T, 'now'> : never;
export type StoreAnswer = WithoutTime<Extract<CoreEvent, { type: 'fetched' | 'swapped' }>>;

export interface SimEtcdOptions {
  readonly prng: Prng;
  readonly agenda: { readonly now: Instant; at(when: Instant, run: () => void): void };
  /** A swap was carried out: from now on this is the record. */
  readonly decided: (group: GroupId, vote: StoredVote, revision: number) => void;
}

const ANSWER_MS = 4;
const SLOW_MS = 900;
const TIMEOUT_MS = 1000;
/** Of the changes that reach it. */
const ANSWER_LOST = 0.02;

interface Entry {
  readonly revision: number;
  readonly vote: StoredVote;
}

export class SimEtcd {
  readonly #options: SimEtcdOptions;
  readonly #entries = new Map<GroupId, Entry>();
  readonly #cut = new Set<NodeId>();
  /** Changes that reached a member without a majority; they are carried out when it is back. */
  #waiting: (() => void)[] = [];
  #revision = 1;
  #hasMajority = true;
  slow = false;
  /** How many of the answers to changes that reach it get lost, well as it may be. */
  answerLost = ANSWER_LOST;

  constructor(options: SimEtcdOptions) {
    this.#options = options;
  }

  setMajority(there: boolean): void {
    this.#hasMajority = there;
    if (!there) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const carryOut of waiting) carryOut();
  }

  /** Whatever befell it is over. */
  mend(): void {
    this.#cut.clear();
    this.slow = false;
    this.setMajority(true);
  }

  /** Lost for good, and set up anew. */
  empty(): void {
    this.#entries.clear();
    this.#waiting = [];
    this.#revision = 1;
  }

  /** That node alone does not reach it. */
  setCut(node: NodeId, cut: boolean): void {
    if (cut) this.#cut.add(node);
    else this.#cut.delete(node);
  }

  ask(from: NodeId, question: Question, answer: (event: StoreAnswer) => void): void {
    const { group, id } = question;
    const { agenda, prng } = this.#options;
    const deadline = plus(agenda.now, TIMEOUT_MS);
    let open = true;
    const end = (event: StoreAnswer): void => {
      if (open) answer(event);
      open = false;
    };
    const why = 'the store did not answer in time';
    agenda.at(deadline, () => {
      end(
        question.type === 'fetch'
          ? { type: 'fetched', group, id, reading: { type: 'unreachable', why } }
          : { type: 'swapped', group, id, outcome: { type: 'unknown', why } },
      );
    });
    if (this.#cut.has(from)) return;
    const carryOut = (): void => {
      const event = this.#carryOut(question);
      const lost = question.type === 'swap' && prng.float() < this.answerLost;
      if (!lost) agenda.at(plus(agenda.now, this.#delay()), () => end(event));
    };
    agenda.at(plus(agenda.now, this.#delay()), () => {
      if (this.#hasMajority) return carryOut();
      // Some of them were on the way to the others when those were lost.
      if (question.type === 'swap' && prng.float() < 0.5) this.#waiting.push(carryOut);
    });
  }

  #delay(): number {
    return this.#options.prng.float() * (this.slow ? SLOW_MS : ANSWER_MS);
  }

  #carryOut(question: Question): StoreAnswer {
    const { group, id } = question;
    const entry = this.#entries.get(group);
    if (question.type === 'swap') {
      return { type: 'swapped', group, id, outcome: this.#swap(question, entry) };
    }
    const reading =
      entry === undefined ? ({ type: 'none' } as const) : ({ type: 'found', ...entry } as const);
    return { type: 'fetched', group, id, reading };
  }

  #swap(
    { expected, group, vote }: Extract<Question, { type: 'swap' }>,
    entry: Entry | undefined,
  ): SwapOutcome {
    if ((entry?.revision ?? 0) !== expected) return { type: 'moved' };
    this.#revision += 1;
    const revision = this.#revision;
    this.#entries.set(group, { revision, vote });
    this.#options.decided(group, vote, revision);
    return { type: 'swapped', revision };
  }
}
