/**
 * The links between the members: what passes, how late, how often. Every cut counts, so that
 * overlapping ones end one by one. Draws only for what was sent, so that the same seed gives the
 * same packets.
 */
import type { Prng } from '../base/prng.ts';
import { type Instant, plus } from '../base/time.ts';
import { type Config, simulatedLinks } from '../protocol/config.ts';
import type { LinkId, NodeId } from '../protocol/ids.ts';
import type { Agenda } from './heap.ts';

export interface NetworkOptions {
  /** Probability that a datagram is lost. */
  readonly loss: number;
  readonly delayMs: { readonly min: number; readonly max: number };
  /** Probability that a datagram comes twice. */
  readonly duplicate?: number | undefined;
  /** Of the streams between mirrors; 0 or none: at once. */
  readonly streamMs?: number | undefined;
}

/** A stream that found no way for so long has broken. */
const STREAM_MS_MAX = 3000;
const STREAM_AGAIN_MS = 25;

export class Network {
  readonly #options: NetworkOptions;
  readonly #prng: Prng;
  readonly #agenda: Agenda & { readonly now: Instant };
  readonly #links: readonly LinkId[];
  /** `link from to`: how many cuts are on it. */
  readonly #cuts = new Map<string, number>();
  readonly #on = new Set<string>();
  /** Added to the delay of everything, for a while. */
  lagMs = 0;
  /** Added to the loss of everything, for a while. */
  lossMore = 0;
  calm = false;

  constructor(
    options: NetworkOptions,
    parts: {
      readonly prng: Prng;
      readonly config: Config;
      readonly agenda: Agenda & { readonly now: Instant };
    },
  ) {
    this.#options = options;
    this.#prng = parts.prng;
    this.#agenda = parts.agenda;
    const { links, nodes, witness } = parts.config;
    this.#links = links.map((link) => link.id);
    for (const member of [...nodes, ...(witness === undefined ? [] : [witness])]) {
      for (const link of simulatedLinks(parts.config, member)) this.#on.add(`${link} ${member.id}`);
    }
  }

  cut(link: LinkId, from: NodeId, to: NodeId): void {
    const key = `${link} ${from} ${to}`;
    this.#cuts.set(key, (this.#cuts.get(key) ?? 0) + 1);
  }

  mend(link: LinkId, from: NodeId, to: NodeId): void {
    const key = `${link} ${from} ${to}`;
    const left = (this.#cuts.get(key) ?? 1) - 1;
    if (left > 0) this.#cuts.set(key, left);
    else this.#cuts.delete(key);
  }

  mendAll(): void {
    this.#cuts.clear();
  }

  has(link: LinkId, node: NodeId): boolean {
    return this.#on.has(`${link} ${node}`);
  }

  passes(link: LinkId, from: NodeId, to: NodeId): boolean {
    if (this.#cuts.size > 0 && this.#cuts.has(`${link} ${from} ${to}`)) return false;
    return this.has(link, from) && this.has(link, to);
  }

  /** Something passes from one to the other, on whatever link. */
  reaches(from: NodeId, to: NodeId): boolean {
    return this.#links.some((link) => this.passes(link, from, to));
  }

  /** Some link passes both ways: a connection can be kept. */
  connects(a: NodeId, b: NodeId): boolean {
    return this.#links.some((link) => this.passes(link, a, b) && this.passes(link, b, a));
  }

  /** One datagram that may pass: perhaps lost, perhaps twice, some time later. */
  carry(run: () => void): void {
    const { delayMs, loss, duplicate } = this.#options;
    const lost = this.calm ? 0 : loss + this.lossMore;
    if (this.#prng.chance(lost)) return;
    const lag = this.calm ? 0 : this.lagMs;
    const delay = delayMs.min + this.#prng.float() * (delayMs.max - delayMs.min) + lag;
    this.#agenda.at(plus(this.#agenda.now, delay), run);
    if (duplicate === undefined || duplicate === 0 || !this.#prng.chance(duplicate)) return;
    const again = delay + this.#prng.float() * delayMs.max;
    this.#agenda.at(plus(this.#agenda.now, again), run);
  }

  /**
   * Over a connection: neither lost nor overtaken, as long as there is a way; without one for long the
   * connection ends.
   */
  stream(from: NodeId, to: NodeId, arrived: () => void, ended: () => void): void {
    const { streamMs = 0 } = this.#options;
    if (streamMs === 0) return arrived();
    const ms = streamMs + (this.calm ? 0 : this.lagMs);
    const send = (waited: number): void => {
      if (this.connects(from, to)) return this.#agenda.at(plus(this.#agenda.now, ms), arrived);
      if (waited >= STREAM_MS_MAX) return ended();
      const again = (): void => send(waited + STREAM_AGAIN_MS);
      this.#agenda.at(plus(this.#agenda.now, STREAM_AGAIN_MS), again);
    };
    send(0);
  }
}
