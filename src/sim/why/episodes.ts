/**
 * Which steps of a long recording belong to the story of an event: those that concern its group and
 * changed something, back to where nothing had happened for a while.
 */
import type { Instant } from '../../base/time.ts';
import type { CoreEvent, Effect } from '../../core/node/node-io.ts';
import type { PeerReport } from '../../protocol/heart-ipc.ts';
import type { GroupId } from '../../protocol/ids.ts';
import { effectWords, toldWords } from './words.ts';

export interface ShownStep {
  /** Milliseconds before the last step shown. */
  readonly beforeMs: number;
  readonly told: readonly string[];
  readonly decided: readonly string[];
  /** Where the group stood after it, and why, when that changed. */
  readonly phase: string | undefined;
  readonly reason: string | undefined;
}

export interface Taken {
  readonly at: Instant;
  /** None: the start. */
  readonly told: CoreEvent | undefined;
  readonly did: readonly Effect[];
  readonly phase: string | undefined;
  readonly reason: string | undefined;
}

type Kept = Omit<ShownStep, 'beforeMs'> & { readonly at: Instant };

/** So long without anything of note, and another story begins. */
const QUIET_MS = 10_000;
/** Steps of one story that are shown: the latest. */
const STEPS_MAX = 300;

export class Episodes {
  readonly #group: GroupId;
  #kept: Kept[] = [];
  #leftOut = 0;
  #peers: readonly PeerReport[] = [];
  #phase: string | undefined;
  #reason: string | undefined;

  constructor(group: GroupId) {
    this.#group = group;
  }

  add({ at, told, did, phase, reason }: Taken): void {
    const decided = did.filter((effect) => this.#isOfNote(effect, told)).map(effectWords);
    const words = told === undefined ? ['control has started'] : toldWords(told, this.#peers);
    if (told?.type === 'peers') this.#peers = told.peers;
    const turned = phase !== this.#phase || reason !== this.#reason;
    const toldOf = told === undefined || isNews(told, this.#group) ? words : [];
    if (decided.length === 0 && !turned && toldOf.length === 0) return;
    const last = this.#kept.at(-1);
    if (last !== undefined && at - last.at > QUIET_MS) this.#begin();
    this.#kept.push({
      at,
      told: words,
      decided,
      phase: phase === this.#phase ? undefined : phase,
      reason: reason === this.#reason ? undefined : reason,
    });
    [this.#phase, this.#reason] = [phase, reason];
    if (this.#kept.length > 2 * STEPS_MAX) {
      this.#leftOut += this.#kept.length - STEPS_MAX;
      this.#kept = this.#kept.slice(-STEPS_MAX);
    }
  }

  /** The present story up to now. */
  upToNow(): { readonly steps: readonly ShownStep[]; readonly leftOut: number } {
    const shown = this.#kept.slice(-STEPS_MAX);
    const end = shown.at(-1)?.at ?? 0;
    return {
      steps: shown.map(({ at, ...step }) => ({ beforeMs: end - at, ...step })),
      leftOut: this.#leftOut + this.#kept.length - shown.length,
    };
  }

  #begin(): void {
    this.#kept = [];
    this.#leftOut = 0;
  }

  /** Checks are made all the time; what follows from them is told. */
  #isOfNote(effect: Effect, told: CoreEvent | undefined): boolean {
    if (effect.type === 'action' && effect.action === 'monitor') return false;
    if (effect.type === 'vote') return false;
    const group = groupOf(effect);
    if (group !== undefined) return group === this.#group;
    return told !== undefined && groupTold(told) === this.#group;
  }
}

/** News even where nothing follows from it. */
function isNews(told: CoreEvent, group: GroupId): boolean {
  switch (told.type) {
    case 'peers':
    case 'heartConnected':
    case 'heartLost':
      return true;
    case 'timePassed':
    case 'calendar':
    case 'persisted':
    case 'observed':
      return false;
    default:
      return groupTold(told) === group;
  }
}

function groupTold(told: CoreEvent): GroupId | undefined {
  switch (told.type) {
    case 'registryMessage':
      return told.message.group;
    case 'decided':
      return told.decided.group;
    default:
      return 'group' in told ? told.group : undefined;
  }
}

function groupOf(effect: Effect): GroupId | undefined {
  switch (effect.type) {
    case 'send':
      return 'group' in effect.message ? effect.message.group : undefined;
    case 'persist':
      return effect.entry.group;
    case 'event':
      return effect.draft.group;
    default:
      return 'group' in effect ? effect.group : undefined;
  }
}
