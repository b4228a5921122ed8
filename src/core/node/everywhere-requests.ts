/**
 * What people ask of a group of type `everywhere` at this node: to start or stop it (everywhere: the
 * wish is recorded, and each node obeys it), to bar a node from it, to end this node.
 *
 * Invariant: every request is answered once, at once or when what it asked for is done or failed
 * here; one at a time is under way, and only `leave` takes the place of another.
 */
import { unreachable } from '../../base/assert.ts';
import type { Instant } from '../../base/time.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { type BarChange, barOf, hasBar } from '../registry/bars.ts';
import type { ProposalOutcome } from '../registry/proposer.ts';
import type { RecordChange } from '../registry/record-change.ts';
import type { GroupCoreOptions } from './group-context.ts';
import type { EverywhereRecord } from './everywhere-record.ts';
import type { Instance } from './instance.ts';
import type { OperatorRequest } from './node-io.ts';
import type { Voice } from './voice.ts';

/** More at a time are refused. */
const BARS_MAX = 16;

interface AskedBar {
  readonly id: number;
  readonly change: BarChange;
  /** It was so before, as far as this node knew: nothing that is worth an event. */
  readonly known: boolean;
}

export interface EverywhereParts {
  readonly options: GroupCoreOptions;
  readonly voice: Voice;
  readonly record: EverywhereRecord;
  /** None where the group never runs on this node. */
  readonly instance: Instance | undefined;
  /** Why it shall not run on this node now; undefined where it shall. */
  readonly obstacle: () => string | undefined;
  readonly reachable: () => ReadonlySet<NodeId>;
}

export class EverywhereRequests {
  readonly #parts: EverywhereParts;
  #bars: readonly AskedBar[] = [];
  /** The wish of the request under way is recorded. */
  #recorded = false;
  /** It was another one before, as far as this node knew. */
  #changes = false;
  leaving = false;

  constructor(parts: EverywhereParts) {
    this.#parts = parts;
  }

  asked(id: number, request: OperatorRequest, now: Instant): void {
    const { options, voice } = this.#parts;
    const group = options.group.id;
    switch (request.type) {
      case 'bar':
        return this.#bar(id, request, now);
      case 'leave':
        return this.#leave(id, now);
      case 'move':
      case 'away':
      case 'force': {
        const text = `"${group}" runs on each of its nodes at once: there is nothing to move`;
        return voice.reply(id, 'runs-everywhere', text);
      }
      case 'maintain': {
        const text = `"${group}" runs on each of its nodes at once, and cannot be left alone`;
        return voice.reply(id, 'runs-everywhere', text);
      }
      case 'start':
      case 'stop':
        return this.#wish(id, request, now);
      default:
        return unreachable(request);
    }
  }

  #wish(
    id: number,
    request: Extract<OperatorRequest, { type: 'start' | 'stop' }>,
    now: Instant,
  ): void {
    const { instance, options, record, voice } = this.#parts;
    const group = options.group.id;
    if (voice.request !== undefined) {
      return voice.reply(id, 'busy', 'another request for this group is under way');
    }
    if (this.leaving) return voice.reply(id, 'busy', 'the node is being stopped');
    const want = request.type === 'start' ? 'online' : 'offline';
    if (want === 'online' && record.present?.want === want && instance?.isWhole === true) {
      return voice.reply(id, undefined, `"${group}" is online on ${options.me} already`);
    }
    voice.begin(id, request, now);
    this.#recorded = false;
    this.#changes = record.present?.want !== want;
    record.propose('want', { type: 'want', want }, now);
  }

  /** A vote that was asked for has ended. */
  settled(change: RecordChange, outcome: ProposalOutcome, now: Instant): void {
    if (change.type === 'bar') return this.#barSettled(change, outcome);
    if (change.type !== 'want') return;
    const { instance, obstacle, options, voice } = this.#parts;
    if (voice.request?.type !== (change.want === 'online' ? 'start' : 'stop')) return;
    if (outcome.type !== 'chosen') {
      return voice.failed('no-quorum', `Cannot record what is wanted: ${whyNot(outcome)}`);
    }
    if (this.#changes) {
      const text = `wanted ${change.want}: an administrator asked for it`;
      voice.say('info', `wanted-${change.want}`, text);
    }
    this.#recorded = true;
    // What was read on the way may keep it from this node by now.
    if (change.want === 'online' && obstacle() === undefined) instance?.again(now);
    if (instance === undefined) {
      voice.done(`"${options.group.id}" is wanted ${change.want}; it never runs on ${options.me}`);
    }
  }

  /** Whoever waits is answered when it is so. */
  advance(): void {
    const { instance, obstacle, options, record, voice } = this.#parts;
    const { id } = options.group;
    const { me } = options;
    const type = voice.request?.type;
    if (type === undefined || instance === undefined) return;
    if (type === 'leave') {
      if (instance.state === 'stopped') voice.done(`"${id}" is stopped on ${me}`);
      return;
    }
    if (!this.#recorded) return;
    if (type === 'stop' && instance.state === 'stopped') voice.done(`"${id}" is stopped on ${me}`);
    else if (type === 'stop' && record.present?.want === 'online') {
      voice.done(`"${id}" was wanted offline, and is wanted online again by now`);
    }
    if (type !== 'start') return;
    const why = obstacle();
    if (why !== undefined) return voice.done(`"${id}" is wanted online, but not on ${me}: ${why}`);
    if (instance.state === 'online') voice.done(`"${id}" is online on ${me}`);
  }

  #leave(id: number, now: Instant): void {
    const { instance, options, voice } = this.#parts;
    this.leaving = true;
    voice.failed('busy', 'the node is being stopped');
    if (instance === undefined) {
      return voice.reply(id, undefined, `"${options.group.id}" does not run here`);
    }
    voice.begin(id, { type: 'leave' }, now);
  }

  // Bars.

  #bar(id: number, change: BarChange, now: Instant): void {
    const { options, record, voice } = this.#parts;
    const { kind, node, on } = change;
    if (this.#bars.length >= BARS_MAX) {
      return voice.reply(id, 'busy', 'too many requests for this group are under way');
    }
    if (!options.group.nodes.includes(node)) {
      const text = `${node} is not among the nodes of "${options.group.id}"`;
      return voice.reply(id, 'no-node', text);
    }
    const known = record.present !== undefined && hasBar(record.present, kind, node) === on;
    this.#bars = [...this.#bars, { id, change, known }];
    record.propose('bar', change, now);
  }

  #barSettled(change: BarChange, outcome: ProposalOutcome): void {
    const { options, voice } = this.#parts;
    const same = ({ change: { kind, node, on } }: AskedBar): boolean =>
      kind === change.kind && node === change.node && on === change.on;
    const answered = this.#bars.filter(same);
    this.#bars = this.#bars.filter((asked) => !answered.includes(asked));
    if (outcome.type !== 'chosen') {
      const text = `Cannot record it for "${options.group.id}": ${whyNot(outcome)}`;
      for (const { id } of answered) voice.reply(id, 'no-quorum', text);
      return;
    }
    const text = told(change);
    if (answered.some(({ known }) => !known)) {
      const nobody = change.on && this.#nobodyLeft() ? '; nobody runs it then' : '';
      const level = nobody === '' ? 'info' : 'warning';
      voice.say(level, kindOf(change), `${text}: an administrator asked for it${nobody}`);
    }
    for (const { id } of answered) voice.reply(id, undefined, text);
  }

  #nobodyLeft(): boolean {
    const { options, reachable, record } = this.#parts;
    const there = reachable();
    const { present } = record;
    if (present === undefined) return false;
    return options.group.nodes.every((node) => {
      return barOf(present, node) !== undefined || !(node === options.me || there.has(node));
    });
  }
}

function whyNot(outcome: Exclude<ProposalOutcome, { type: 'chosen' }>): string {
  return outcome.type === 'empty' ? 'the group was never started' : outcome.why;
}

function kindOf({ kind, on }: BarChange): string {
  if (kind === 'standby') return on ? 'standby' : 'standby-lifted';
  return on ? 'banned' : 'ban-lifted';
}

function told({ kind, node, on }: BarChange): string {
  const what = kind === 'standby' ? 'in standby' : 'banned from the group';
  return `${node} is ${on ? '' : 'no longer '}${what}`;
}
