/**
 * Standby and bans, as people ask for them and are told of them: the vote that records one, and
 * what a node says that takes nothing over because of one. How a group leaves such a node is in
 * `drain.ts`; that no vote gives it one, in `../registry/bars.ts`.
 *
 * Invariant: every request is answered once, when its vote has ended.
 */
import type { Instant } from '../../base/time.ts';
import type { GroupId, NodeId } from '../../protocol/ids.ts';
import type { OwnershipRecord } from '../../protocol/record.ts';
import { type BarChange, barOf, hasBar } from '../registry/bars.ts';
import type { ProposalOutcome } from '../registry/proposer.ts';
import type { RecordChange } from '../registry/record-change.ts';
import { candidates } from './candidacy.ts';
import type { GroupContext } from './group-context.ts';

/** More at a time are refused. */
const ASKED_MAX = 16;

interface Asked {
  readonly id: number;
  readonly change: BarChange;
  /** It was so before, as far as this node knew: nothing that is worth an event. */
  readonly known: boolean;
}

export class Bars {
  readonly #context: GroupContext;
  #asked: readonly Asked[] = [];

  constructor(context: GroupContext) {
    this.#context = context;
  }

  asked(id: number, change: BarChange, now: Instant): void {
    const { options, record, voice } = this.#context;
    const { kind, node, on } = change;
    if (this.#asked.length >= ASKED_MAX) {
      return voice.reply(id, 'busy', 'too many requests for this group are under way');
    }
    if (!options.group.nodes.includes(node)) {
      return voice.reply(id, 'no-node', `${node} is not among the nodes of "${this.#context.id}"`);
    }
    const known = record !== undefined && hasBar(record, kind, node) === on;
    this.#asked = [...this.#asked, { id, change, known }];
    this.#context.propose('bar', change, now);
  }

  settled(change: RecordChange, outcome: ProposalOutcome, now: Instant): void {
    if (change.type !== 'bar') return;
    const answered = this.#asked.filter((asked) => isSame(asked.change, change));
    this.#asked = this.#asked.filter((asked) => !answered.includes(asked));
    const { id: group, voice } = this.#context;
    if (outcome.type !== 'chosen') {
      const why = outcome.type === 'empty' ? 'the group was never started' : outcome.why;
      const text = `Cannot record it for "${group}": ${why}`;
      for (const { id } of answered) voice.reply(id, 'no-quorum', text);
      return;
    }
    this.#context.announce(outcome.record, now);
    const text = told(change);
    if (answered.some(({ known }) => !known)) {
      const alone = change.on ? this.#aloneThen(outcome.record, change.node) : '';
      const level = alone === '' ? 'info' : 'warning';
      voice.say(level, kindOf(change), `${text}: an administrator asked for it${alone}`);
    }
    for (const { id } of answered) voice.reply(id, undefined, text);
  }

  /** What is lost by it, if nobody is left who could take over. */
  #aloneThen(record: OwnershipRecord, node: NodeId): string {
    const { owner } = record;
    const [next, ...more] = candidates(this.#context.situation(record)).filter((n) => n !== owner);
    if (next === undefined) return `; nobody can take over from ${owner} now`;
    if (node !== owner || more.length > 0) return '';
    return `; once it runs on ${next}, nobody can take over from there`;
  }
}

/** The owner is lost, and this node shall not have the group. */
export function sayBarred(context: GroupContext, record: OwnershipRecord): void {
  const { id, me, peers, voice } = context;
  const others = candidates(context.situation(record)).filter((node) => node !== record.owner);
  const who = others.length > 0 ? `waiting for ${others.join(', ')}` : 'nobody else can take over';
  const why = `${peers.lostReason(record.owner, record.epoch)}, but ${me} ${barOf(record, me) ?? ''}; ${who}`;
  context.reason = why;
  if (others.length > 0) return;
  const next = `next: bring ${record.owner} back, or run "${liftOf(record, id, me)}"`;
  const about = `barred ${record.owner}@${record.epoch}`;
  voice.sayOnce(about, 'error', 'nobody-can-take-over', `not taking over: ${why}; ${next}`);
}

function liftOf(record: OwnershipRecord, group: GroupId, me: NodeId): string {
  if (hasBar(record, 'standby', me)) return `tako unstandby ${me}`;
  if (hasBar(record, 'ban', me)) return `tako unban ${group} ${me}`;
  return `tako maintenance off --node ${me}`;
}

function isSame(a: BarChange, b: BarChange): boolean {
  return a.kind === b.kind && a.node === b.node && a.on === b.on;
}

function kindOf({ kind, on }: BarChange): string {
  if (kind === 'standby') return on ? 'standby' : 'standby-lifted';
  return on ? 'banned' : 'ban-lifted';
}

function told({ kind, node, on }: BarChange): string {
  return `${subject(node, on)} ${kind === 'standby' ? 'in standby' : 'banned from the group'}`;
}

function subject(node: NodeId, on: boolean): string {
  return on ? `${node} is` : `${node} is no longer`;
}
