/**
 * What happened, as a hash over all of it and, when asked, as the latest lines of text: one per
 * event of a node.
 */
export class Trace {
  #hash = 0x811c9dc5;
  #second = 0x9e3779b9;
  readonly #lines: string[] = [];
  readonly #keep: number;

  /** `keep`: how many lines to remember; 0 for none, which is faster. */
  constructor(keep: number) {
    this.#keep = keep;
  }

  get on(): boolean {
    return this.#keep > 0;
  }

  get lines(): readonly string[] {
    return this.#lines.slice(-this.#keep);
  }

  get hash(): string {
    return [this.#hash, this.#second].map((h) => (h >>> 0).toString(16).padStart(8, '0')).join('');
  }

  mix(value: number): void {
    this.#hash = Math.imul(this.#hash ^ value, 0x01000193);
    this.#second = Math.imul((this.#second ^ this.#hash) + (value | 0), 0x85ebca6b);
    this.#second ^= this.#second >>> 13;
  }

  mixText(text: string): void {
    for (let i = 0; i < text.length; i += 1) this.mix(text.charCodeAt(i));
  }

  line(text: string): void {
    this.#lines.push(text);
    // Cut now and then, not each time.
    if (this.#lines.length > 4 * this.#keep) this.#lines.splice(0, this.#lines.length - this.#keep);
  }
}
