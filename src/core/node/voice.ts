/**
 * What a group's core says to the world: collects effects in order, words events, announces
 * records to the other members, and answers the one request of a person that is under way.
 */
import { type Instant, NEVER, plus } from '../../base/time.ts';
import type { EventLevel } from '../../protocol/event.ts';
import type { GroupId, NodeId, ResourceId } from '../../protocol/ids.ts';
import type { OwnershipRecord } from '../../protocol/record.ts';
import type { Decided, Effect, OperatorRequest } from './node-io.ts';

type ReplyCode = Extract<Effect, { type: 'reply' }>['code'];

/** A request that is not carried out by then is answered all the same. */
const REQUEST_MS = 50_000;
/** Troubles at a time that are told one by one. */
const TROUBLES_MAX = 64;

export class Voice {
  readonly #group: GroupId;
  readonly #others: readonly NodeId[];
  #effects: Effect[] = [];
  #request:
    { readonly id: number; readonly request: OperatorRequest; readonly until: Instant } | undefined;
  /** Lasting troubles that were told. */
  readonly #told = new Set<string>();

  constructor(group: GroupId, others: readonly NodeId[]) {
    this.#group = group;
    this.#others = others;
  }

  emit(effect: Effect): void {
    this.#effects.push(effect);
  }

  /** All effects since the last call. */
  drain(): readonly Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  say(level: EventLevel, kind: string, text: string, resource?: ResourceId): void {
    this.emit({ type: 'event', draft: { level, kind, group: this.#group, resource, text } });
  }

  /** Tells a trouble that lasts, once until all is well again; `about` says which it is. */
  sayOnce(about: string, level: EventLevel, kind: string, text: string, of?: ResourceId): void {
    if (this.#told.has(about) || this.#told.size >= TROUBLES_MAX) return;
    this.#told.add(about);
    this.say(level, kind, text, of);
  }

  /** Troubles of which `about` begins like this are over: the next one is a new one. */
  mended(about: string): void {
    for (const told of this.#told) if (told.startsWith(about)) this.#told.delete(told);
  }

  /** All is well: the next trouble is a new one. */
  allWell(): void {
    this.#told.clear();
  }

  announce(record: OwnershipRecord, reason: string, failedOn: readonly NodeId[]): void {
    const message: Decided = { type: 'decided', group: this.#group, record, reason, failedOn };
    for (const to of this.#others) this.emit({ type: 'send', to, message, after: undefined });
  }

  /** The request under way. */
  get request(): OperatorRequest | undefined {
    return this.#request?.request;
  }

  /** Takes a request up: `done` or `failed` will answer it. */
  begin(id: number, request: OperatorRequest, now: Instant): void {
    if (this.#request !== undefined) {
      this.reply(this.#request.id, 'busy', 'a later request took its place');
    }
    const ms = request.type === 'leave' ? Number.POSITIVE_INFINITY : REQUEST_MS;
    this.#request = { id, request, until: plus(now, ms) };
  }

  /** When the request under way ends without an answer. */
  get requestEndsAt(): Instant {
    return this.#request?.until ?? NEVER;
  }

  /** Nobody is kept waiting for ever, nor the next request away. */
  endLate(now: Instant): void {
    if (now < this.requestEndsAt) return;
    this.failed('timed-out', `not carried out within ${REQUEST_MS / 1000} s; it may still happen`);
  }

  /** Answers a request that was not taken up. */
  reply(id: number, code: ReplyCode, text: string): void {
    this.emit({ type: 'reply', id, ok: code === undefined, code, text });
  }

  done(text: string): void {
    if (this.#request === undefined) return;
    this.reply(this.#request.id, undefined, text);
    this.#request = undefined;
  }

  /** A node that leaves goes on until nothing runs: that request does not fail half-way. */
  failed(code: Exclude<ReplyCode, undefined>, text: string): void {
    if (this.#request === undefined || this.#request.request.type === 'leave') return;
    this.reply(this.#request.id, code, text);
    this.#request = undefined;
  }
}
