/**
 * The recording of what a node's core was given and what it decided, line by line, so that the same
 * core can be run again over it (`src/sim/replay`). A line each: the head (all that the core was made
 * of), the start, every event with its effects, and the numbers under which effects became events.
 *
 * Invariants:
 *   - Whatever the core reads of an event is in its line, exactly: the core given the decoded event
 *     decides the same. What it never reads (when an `up` peer was last heard, round trips) is left
 *     out, and reports of peers that say the same as the ones before are not repeated.
 *   - No secrets: of the configuration only what decides is kept, not what programs are started with;
 *     what hooks wrote is left out of events and effects alike.
 */
import type { Instant } from '../base/time.ts';
import type { NodeCoreOptions } from '../core/node/node-core.ts';
import type { CoreEvent, Effect } from '../core/node/node-io.ts';
import type { AcceptorEntry } from '../core/registry/acceptor.ts';
import type { Config, GroupConfig, HookConfig, ResourceConfig } from '../protocol/config.ts';
import type { EventDraft, TakoEvent } from '../protocol/event.ts';
import type { PeerReport } from '../protocol/heart-ipc.ts';
import type { NodeId, SeatId } from '../protocol/ids.ts';
import { FORMATS } from '../protocol/versions.ts';

/** The first line. */
export interface RecordingHead {
  readonly version: number;
  /** Release of Tako that decided. */
  readonly release: string;
  readonly node: NodeId;
  /** When control started: by the clock on the wall, and by the one that instants are of. */
  readonly time: string;
  readonly at: Instant;
  /** Events of this node up to this number are from before. */
  readonly eventsBefore: number;
  readonly config: Config;
  readonly seat: SeatId;
  readonly restored: readonly AcceptorEntry[];
}

export type RecordedLine =
  /** The second line; elsewhere there is none, so without it lines in between are gone. */
  | { readonly type: 'begin' }
  | { readonly type: 'start'; readonly at: Instant; readonly did: readonly Effect[] }
  | { readonly type: 'step'; readonly told: CoreEvent; readonly did: readonly Effect[] }
  /** Of the `event` effects that have no number yet, the `nth`, from 0 on, has this one. */
  | { readonly type: 'event'; readonly id: number; readonly time: string; readonly nth: number };

/** Hears all that a core is told and decides, in order; must not fail. */
export interface DecisionRecorder {
  started(at: Instant, did: readonly Effect[]): void;
  stepped(told: CoreEvent, did: readonly Effect[]): void;
  /** The event of an effect got its number. */
  published(draft: EventDraft, event: Pick<TakoEvent, 'id' | 'time'>): void;
}

export function encodeHead(
  options: NodeCoreOptions,
  at: Pick<RecordingHead, 'release' | 'time' | 'at' | 'eventsBefore'>,
): string {
  const head: RecordingHead = {
    version: FORMATS.decisions,
    ...at,
    node: options.me,
    config: withoutSecrets(options.config),
    seat: options.seat,
    restored: [...options.restored],
  };
  return `${JSON.stringify(head)}\n`;
}

/** Makes the lines behind the head. */
export class RecordingEncoder implements DecisionRecorder {
  readonly #write: (line: string) => void;
  #peers = '';
  #unnumbered: EventDraft[] = [];

  constructor(write: (line: string) => void) {
    this.#write = write;
    write('{"begin":true}\n');
  }

  started(at: Instant, did: readonly Effect[]): void {
    this.#await(did);
    this.#write(`{"at":${at},"did":${effectsText(did)}}\n`);
  }

  stepped(told: CoreEvent, did: readonly Effect[]): void {
    this.#await(did);
    const text = this.#toldText(told);
    const effects = did.length === 0 ? '' : `,"did":${effectsText(did)}`;
    this.#write(`{"told":${text}${effects}}\n`);
  }

  published(draft: EventDraft, { id, time }: Pick<TakoEvent, 'id' | 'time'>): void {
    const nth = this.#unnumbered.indexOf(draft);
    if (nth < 0) return;
    this.#unnumbered.splice(nth, 1);
    this.#write(`${JSON.stringify({ event: id, time, nth })}\n`);
  }

  #await(did: readonly Effect[]): void {
    for (const effect of did) if (effect.type === 'event') this.#unnumbered.push(effect.draft);
  }

  #toldText(told: CoreEvent): string {
    if (told.type === 'hookAnswered') {
      return JSON.stringify({ ...told, answer: { ...told.answer, output: '' } });
    }
    if (told.type !== 'peers') return JSON.stringify(told);
    const peers = JSON.stringify(told.peers.map(readByCore));
    const same = peers === this.#peers;
    this.#peers = peers;
    const { type, now } = told;
    return same ? JSON.stringify({ type, now }) : `{"type":"peers","now":${now},"peers":${peers}}`;
  }
}

/** Reads the lines behind the head, in order. */
export class RecordingDecoder {
  #peers: readonly PeerReport[] = [];

  /** Throws for what is no such line. */
  decode(text: string): RecordedLine {
    const line: unknown = JSON.parse(text);
    if (!isObject(line)) throw new Error('it is no object');
    if (line['begin'] === true) return { type: 'begin' };
    const { told, did = [], at, event, time, nth } = line;
    if (!areEffects(did)) throw new Error('"did" is no list of effects');
    if (typeof event === 'number' && typeof time === 'string' && typeof nth === 'number') {
      return { type: 'event', id: event, time, nth };
    }
    if (typeof at === 'number') return { type: 'start', at: at as Instant, did };
    if (!isObject(told) || typeof told['type'] !== 'string' || typeof told['now'] !== 'number') {
      throw new Error('it tells of no event');
    }
    return { type: 'step', told: this.#withPeers(told as unknown as CoreEvent), did };
  }

  #withPeers(told: CoreEvent): CoreEvent {
    if (told.type !== 'peers') return told;
    this.#peers = (told as { readonly peers?: readonly PeerReport[] }).peers ?? this.#peers;
    return { ...told, peers: this.#peers };
  }
}

/** Throws for what is no head. A newer version is for the caller to refuse. */
export function decodeHead(text: string): RecordingHead {
  const head: unknown = JSON.parse(text);
  if (!isObject(head) || typeof head['version'] !== 'number') throw new Error('it has no version');
  if (head['version'] > FORMATS.decisions) return head as unknown as RecordingHead;
  const whole =
    ['release', 'node', 'time', 'seat'].every((key) => typeof head[key] === 'string') &&
    isObject(head['config']) &&
    Array.isArray(head['restored']);
  if (!whole) throw new Error('something is missing in its first line');
  return head as unknown as RecordingHead;
}

/** As effects are written, so that decided ones can be compared with recorded ones. */
export function effectText(effect: Effect): string {
  const hidden = effect.type === 'event' && effect.draft.details?.['output'] !== undefined;
  if (!hidden) return JSON.stringify(effect);
  const { draft } = effect;
  return JSON.stringify({
    ...effect,
    draft: { ...draft, details: { ...draft.details, output: '' } },
  });
}

function effectsText(effects: readonly Effect[]): string {
  return `[${effects.map(effectText).join(',')}]`;
}

/** Between two reports of an idle cluster nothing of this changes. */
function readByCore(peer: PeerReport): PeerReport {
  return {
    ...peer,
    lastHeardAt: peer.state === 'up' ? undefined : peer.lastHeardAt,
    links: peer.links.map((link) => ({
      ...link,
      lastHeardAt: undefined,
      roundTripMs: undefined,
    })),
  };
}

/** The configuration without the words that programs, hooks and keys are reached by. */
export function withoutSecrets(config: Config): Config {
  return { ...config, keyFile: '', groups: config.groups.map(bareGroup) };
}

function bareGroup(group: GroupConfig): GroupConfig {
  const hooks = Object.entries(group.hooks ?? {}).map(([at, hook]) => [at, bareHook(hook)]);
  return {
    ...group,
    hooks: group.hooks === undefined ? undefined : Object.fromEntries(hooks),
    resources: group.resources.map(bareResource),
  };
}

function bareResource(resource: ResourceConfig): ResourceConfig {
  const { failureHook } = resource;
  const hook = failureHook === undefined ? undefined : bareHook(failureHook);
  if (resource.agent !== 'process') return { ...resource, failureHook: hook };
  const { checkCommand } = resource;
  return {
    ...resource,
    failureHook: hook,
    command: [],
    environment: {},
    checkCommand: checkCommand === undefined ? undefined : [],
  };
}

function bareHook({ timeoutMs }: HookConfig): HookConfig {
  return { timeoutMs, call: { type: 'command', command: [], user: undefined } };
}

function areEffects(value: unknown): value is readonly Effect[] {
  return Array.isArray(value) && value.every((one) => isObject(one) && 'type' in one);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
