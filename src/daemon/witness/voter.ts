/**
 * The witness's acceptor in the heart's own process: passes registry messages and the heart's
 * answers to the acceptor and carries out its effects. Nothing that rests on a write leaves before
 * that write is on stable storage.
 *
 * A cluster that asks more than storage can write, or that invents groups, is not answered: to its
 * nodes a question that is dropped looks like a datagram that was lost.
 */
import { unreachable } from '../../base/assert.ts';
import { Acceptor, type AcceptorEffect, type AcceptorEntry } from '../../core/registry/acceptor.ts';
import { DurableOrder } from '../../core/registry/durable-order.ts';
import { decodeMemberMessage } from '../../core/registry/registry-message.ts';
import type { FromHeart, ToHeart } from '../../protocol/heart-ipc.ts';
import type { GroupId, SeatId } from '../../protocol/ids.ts';
import type { StateStore } from '../../ports/state-store.ts';

/** Writes that may be under way at once. */
const WRITES_MAX = 256;
/** Groups that have a record; each one takes memory and storage for good. */
export const VOTER_GROUPS_MAX = 512;

export interface VoterOptions {
  readonly store: StateStore<AcceptorEntry>;
  readonly heart: (message: Exclude<ToHeart, { type: 'hello' }>) => void;
  /** The store failed, or this broke: nothing of this voter may go on. */
  readonly fail: (error: unknown) => void;
}

export class Voter {
  readonly #options: VoterOptions;
  readonly #acceptor: Acceptor;
  readonly #durable = new DurableOrder();
  #writing = 0;
  #dropped = 0;

  constructor(options: VoterOptions) {
    this.#options = options;
    const { store } = options;
    this.#acceptor = new Acceptor(store.id as SeatId, store.entries().values());
  }

  /** Questions that were not looked at. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Tells the heart the table for the first time. */
  start(): void {
    this.#sendTable();
  }

  /** What the heart reports; most of it is no business of a voter. */
  heard(message: FromHeart): void {
    if (message.type === 'revoked') {
      this.#perform(this.#acceptor.revoked(message.id, message));
    } else if (message.type === 'message') {
      const decoded = decodeMemberMessage(message.body);
      if (decoded?.type !== 'prepare' && decoded?.type !== 'accept') return;
      if (this.#hasRoomFor(decoded.group))
        this.#perform(this.#acceptor.step(message.from, decoded));
      else this.#dropped += 1;
    }
  }

  #hasRoomFor(group: GroupId): boolean {
    const known = this.#options.store.entries();
    return this.#writing < WRITES_MAX && (known.has(group) || known.size < VOTER_GROUPS_MAX);
  }

  #perform(effects: readonly AcceptorEffect[]): void {
    for (const effect of effects) this.#performOne(effect);
  }

  #performOne(effect: AcceptorEffect): void {
    const { heart } = this.#options;
    switch (effect.type) {
      case 'persist':
        return this.#persist(effect.id, effect.entry);
      case 'answer':
        return this.#durable.after(effect.after, () =>
          heart({ type: 'send', to: effect.to, body: effect.message }),
        );
      case 'revoke':
        return heart(effect);
      case 'tableChanged':
        return this.#durable.after(effect.after, () => this.#sendTable());
      default:
        return unreachable(effect);
    }
  }

  #persist(id: number, entry: AcceptorEntry): void {
    const { fail, store } = this.#options;
    this.#writing += 1;
    store
      .put(entry.group, entry)
      .then(() => {
        this.#writing -= 1;
        this.#durable.written(id);
      })
      .catch(fail);
  }

  #sendTable(): void {
    this.#options.heart(this.#acceptor.table());
  }
}
