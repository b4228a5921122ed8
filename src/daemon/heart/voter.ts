/**
 * The witness's acceptor in the heart's own process: passes registry messages and the heart's
 * answers to the acceptor and carries out its effects. Nothing that rests on a write leaves before
 * that write is on stable storage.
 */
import { unreachable } from '../../base/assert.ts';
import { Acceptor, type AcceptorEffect, type AcceptorEntry } from '../../core/registry/acceptor.ts';
import { DurableOrder } from '../../core/registry/durable-order.ts';
import { decodeMemberMessage } from '../../core/registry/registry-message.ts';
import type { FromHeart, ToHeart } from '../../protocol/heart-ipc.ts';
import type { SeatId } from '../../protocol/ids.ts';
import type { StateStore } from '../../ports/state-store.ts';

export interface VoterOptions {
  readonly store: StateStore<AcceptorEntry>;
  readonly heart: (message: Exclude<ToHeart, { type: 'hello' }>) => void;
  /** The store failed: the process must end. */
  readonly fail: (error: unknown) => void;
}

export class Voter {
  readonly #options: VoterOptions;
  readonly #acceptor: Acceptor;
  readonly #durable = new DurableOrder();

  constructor(options: VoterOptions) {
    this.#options = options;
    const { store } = options;
    this.#acceptor = new Acceptor(store.id as SeatId, store.entries().values());
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
      this.#perform(this.#acceptor.step(message.from, decoded));
    }
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
    store.put(entry.group, entry).then(() => this.#durable.written(id), fail);
  }

  #sendTable(): void {
    this.#options.heart(this.#acceptor.table());
  }
}
