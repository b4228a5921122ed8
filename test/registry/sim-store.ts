/** The simulator's etcd as a record store: its time passes only while somebody waits for an answer. */
import { must } from '../../src/base/assert.ts';
import { Prng } from '../../src/base/prng.ts';
import { type Instant, instant, plus } from '../../src/base/time.ts';
import type { RecordStore } from '../../src/ports/record-store.ts';
import type { GroupId, NodeId } from '../../src/protocol/ids.ts';
import type { StoredVote, SwapOutcome } from '../../src/protocol/stored-record.ts';
import { harmEtcd } from '../../src/sim/etcd-faults.ts';
import type { Fault } from '../../src/sim/faults.ts';
import { EventHeap } from '../../src/sim/heap.ts';
import { type Question, SimEtcd, type StoreAnswer } from '../../src/sim/sim-etcd.ts';

type Named = Question extends infer Q ? (Q extends Question ? Omit<Q, 'id'> : never) : never;

/** An etcd, and one virtual time for all who use it. */
export class SimStores {
  readonly etcd: SimEtcd;
  readonly #heap = new EventHeap();
  #now = instant(0);
  #open = 0;
  #questions = 0;
  #runs = false;

  constructor(seed: number) {
    const decided = (): void => undefined;
    this.etcd = new SimEtcd({ prng: new Prng(seed), agenda: this, decided });
  }

  get now(): Instant {
    return this.#now;
  }

  at(when: Instant, run: () => void): void {
    this.#heap.at(when, run);
  }

  /** That many milliseconds from now on, in the order of their instants. */
  inflict(faults: readonly Fault[]): void {
    for (const fault of faults) this.at(plus(this.#now, fault.atMs), () => harmEtcd(this, fault));
  }

  /** As that node sees it. */
  store(node: string): RecordStore {
    const ask = (question: Named): Promise<StoreAnswer> => this.#ask(node as NodeId, question);
    const read = async (group: GroupId): ReturnType<RecordStore['read']> => {
      const answer = await ask({ type: 'fetch', group });
      return answer.type === 'fetched' ? answer.reading : wrong(answer);
    };
    return {
      read,
      swap: async (group: GroupId, expected: number, vote: StoredVote): Promise<SwapOutcome> => {
        const answer = await ask({ type: 'swap', group, expected, vote });
        return answer.type === 'swapped' ? answer.outcome : wrong(answer);
      },
      check: async () => {
        const reading = await read('check' as GroupId);
        return reading.type === 'unreachable' ? reading.why : undefined;
      },
      close: () => undefined,
    };
  }

  #ask(from: NodeId, named: Named): Promise<StoreAnswer> {
    this.#open += 1;
    this.#questions += 1;
    const question = { ...named, id: this.#questions } as Question;
    return new Promise((resolve) => {
      this.etcd.ask(from, question, (answer) => {
        this.#open -= 1;
        resolve(answer);
      });
      if (!this.#runs) void this.#run();
    });
  }

  /** One event after the other; whoever got an answer goes on before the next one. */
  async #run(): Promise<void> {
    this.#runs = true;
    while (this.#open > 0) {
      this.#now = must(this.#heap.next(), 'every question has an end');
      must(this.#heap.pop(), 'it was there')();
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    this.#runs = false;
  }
}

function wrong(answer: StoreAnswer): never {
  throw new Error(`asked for something else than what was answered: ${answer.type}`);
}
