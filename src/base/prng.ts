/**
 * A small seeded random generator (SplitMix32 seeding a xoshiro128** state; Blackman and Vigna,
 * "Scrambled linear pseudorandom number generators", 2021). The same seed gives the same numbers
 * on every machine. Not for secrets.
 */
export class Prng {
  readonly #s: Uint32Array = new Uint32Array(4);

  constructor(seed: number) {
    let x = seed >>> 0;
    for (let i = 0; i < 4; i += 1) {
      x = (x + 0x9e3779b9) >>> 0;
      let z = x;
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
      this.#s[i] = (z ^ (z >>> 16)) >>> 0;
    }
  }

  /** A whole number from 0 to 2^32 - 1. */
  uint32(): number {
    const s = this.#s;
    const [s0, s1, s2, s3] = [s[0] ?? 0, s[1] ?? 0, s[2] ?? 0, s[3] ?? 0];
    const product = Math.imul(s1, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    s[2] = s2 ^ s0;
    s[3] = s3 ^ s1;
    s[1] = s1 ^ (s[2] ?? 0);
    s[0] = s0 ^ (s[3] ?? 0);
    s[2] = (s[2] ?? 0) ^ (s1 << 9);
    const t = s[3] ?? 0;
    s[3] = (t << 11) | (t >>> 21);
    return result;
  }

  /** A number from 0 (included) to 1 (excluded). */
  float(): number {
    return this.uint32() / 0x1_0000_0000;
  }

  /** A whole number from 0 (included) to `limit` (excluded). */
  below(limit: number): number {
    return Math.floor(this.float() * limit);
  }

  /** True with probability `p`. */
  chance(p: number): boolean {
    return this.float() < p;
  }

  /** One of `items`, which must not be empty. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}
