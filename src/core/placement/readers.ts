/** Which units looked at which nodes: a bit for each pair, and per unit the list of its nodes. */
import { must } from '../../base/assert.ts';

const BITS = 32;

export class Readers {
  readonly #words: number;
  readonly #bits: Uint32Array;
  readonly #nodesOf: number[][];

  constructor(nodes: number, units: number) {
    this.#words = Math.ceil(units / BITS);
    this.#bits = new Uint32Array(this.#words * nodes);
    this.#nodesOf = Array.from({ length: units }, () => []);
  }

  note(node: number, unit: number): void {
    const at = node * this.#words + Math.floor(unit / BITS);
    const bit = 1 << (unit % BITS);
    const word = this.#bits[at] ?? 0;
    if ((word & bit) !== 0) return;
    this.#bits[at] = word | bit;
    must(this.#nodesOf[unit], 'a unit').push(node);
  }

  forget(unit: number): void {
    const nodes = must(this.#nodesOf[unit], 'a unit');
    const word = Math.floor(unit / BITS);
    const rest = ~(1 << (unit % BITS));
    for (const node of nodes) {
      const at = node * this.#words + word;
      this.#bits[at] = (this.#bits[at] ?? 0) & rest;
    }
    this.#nodesOf[unit] = [];
  }

  each(node: number, visit: (unit: number) => void): void {
    const start = node * this.#words;
    for (let word = 0; word < this.#words; word += 1) {
      let bits = this.#bits[start + word] ?? 0;
      while (bits !== 0) {
        const bit = 31 - Math.clz32(bits & -bits);
        visit(word * BITS + bit);
        bits &= bits - 1;
      }
    }
  }
}
