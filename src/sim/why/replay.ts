/**
 * Runs the production core again over a recording (`src/runtime/recording.ts`): shows what it was told
 * and what it decided around an event, step by step, and compares each decision with the recorded one.
 * Where the recording's beginning is gone the recorded steps are shown, and nothing can be run again.
 *
 * Reads line by line, so that the length of a recording costs time, not memory.
 */
import { InvariantError, must } from '../../base/assert.ts';
import { TakoError, messageOf } from '../../base/tako-error.ts';
import { NodeCore } from '../../core/node/node-core.ts';
import type { Effect } from '../../core/node/node-io.ts';
import type { RecordingText } from '../../ports/recording.ts';
import type { GroupId, NodeId } from '../../protocol/ids.ts';
import { FORMATS } from '../../protocol/versions.ts';
import {
  decodeHead,
  effectText,
  type RecordedLine,
  RecordingDecoder,
  type RecordingHead,
} from '../../runtime/recording.ts';
import { Episodes, type ShownStep } from './episodes.ts';

/** Which event: its number, or the latest one that there is of the group. */
export type Wanted = number | 'last';

export interface Difference {
  /** Of the recording, the first is 1. */
  readonly step: number;
  /** Milliseconds after control had started. */
  readonly afterMs: number;
  readonly told: string;
  readonly recorded: readonly string[];
  readonly decidedNow: readonly string[];
}

export interface ReplayedEvent {
  readonly id: number;
  readonly time: string;
  readonly kind: string;
  readonly text: string;
}

export interface Replay {
  readonly node: NodeId;
  readonly group: GroupId;
  /** Release of Tako that decided then. */
  readonly release: string;
  readonly from: string;
  /** What was asked for; none: the recording has no such event. */
  readonly event: ReplayedEvent | undefined;
  readonly steps: readonly ShownStep[];
  /** Steps of the episode before those. */
  readonly leftOut: number;
  /** Steps that the core was taken through, and effects that were compared. */
  readonly stepsRun: number;
  readonly effectsCompared: number;
  /** Why the core could not be run again, or not to the end. */
  readonly notRun: string | undefined;
  readonly differences: readonly Difference[];
  readonly differencesLeftOut: number;
}

const DIFFERENCES_MAX = 20;
const HEAD_LINES = 1;

/** Throws `bad-request` or `version-unsupported` for what is no recording of this release. */
export async function replay(
  recording: RecordingText,
  group: GroupId,
  wanted: Wanted,
): Promise<Replay> {
  let run: Run | undefined;
  let number = 0;
  for await (const text of recording.lines) {
    number += 1;
    if (run === undefined) run = new Run(headOf(recording.name, text), group, wanted);
    else if (!run.take(text, number)) break;
  }
  if (run === undefined) throw unusable(recording.name, 'it is empty');
  return run.result();
}

/**
 * Finds the recording, of those of a node with the newest first, in which that event is, and replays
 * it. Throws as `replay` does, and `bad-request` where none has it.
 */
export async function replayOneOf(
  recordings: readonly RecordingText[],
  group: GroupId,
  wanted: Wanted,
): Promise<{ readonly recording: RecordingText; readonly replay: Replay }> {
  for (const recording of recordings) {
    const head = await headIn(recording);
    // It ended before its first line was whole: the disk was full.
    if (head === undefined || (wanted !== 'last' && head.eventsBefore >= wanted)) continue;
    const found = await replay(recording, group, wanted);
    if (found.event !== undefined) return { recording, replay: found };
    if (wanted !== 'last') break;
  }
  const what = wanted === 'last' ? 'an event' : `event ${wanted}`;
  throw new TakoError('bad-request', `Cannot replay ${what} of "${group}": no recording has it`, {
    next: 'See "tako events": numbers count on each node for itself; ask on the node that decided',
  });
}

async function headIn(recording: RecordingText): Promise<RecordingHead | undefined> {
  for await (const text of recording.lines) return headOf(recording.name, text);
  return undefined;
}

function headOf(name: string, text: string): RecordingHead {
  let head: RecordingHead;
  try {
    head = decodeHead(text);
  } catch (error) {
    throw unusable(name, messageOf(error));
  }
  if (head.version <= FORMATS.decisions) return head;
  const found = `it has version ${head.version}, this release knows up to ${FORMATS.decisions}`;
  throw new TakoError('version-unsupported', `Cannot replay "${name}": ${found}`, {
    next: `Replay it with the release that wrote it, ${head.release}, or a newer one`,
  });
}

class Run {
  readonly #head: RecordingHead;
  readonly #group: GroupId;
  readonly #wanted: Wanted;
  readonly #decoder = new RecordingDecoder();
  readonly #episodes: Episodes;
  readonly #differences: Difference[] = [];
  /** Effects that became events, their numbers still to come. */
  readonly #unnumbered: Extract<Effect, { readonly type: 'event' }>[] = [];
  #core: NodeCore | undefined;
  #notRun: string | undefined;
  #differencesLeftOut = 0;
  #stepsRun = 0;
  #effects = 0;
  #event: ReplayedEvent | undefined;
  #found: ReturnType<Episodes['upToNow']> | undefined;

  constructor(head: RecordingHead, group: GroupId, wanted: Wanted) {
    this.#head = head;
    this.#group = group;
    this.#wanted = wanted;
    this.#episodes = new Episodes(group);
    if (!head.config.groups.some(({ id }) => id === group)) {
      throw new TakoError('no-such-group', `The recording has no group "${group}"`, {
        next: `It has: ${head.config.groups.map(({ id }) => id).join(', ') || 'none'}`,
      });
    }
    const { node: me, config, restored, seat } = head;
    this.#core = new NodeCore({ me, config, restored, seat });
  }

  /** False: no more lines are needed. */
  take(text: string, number: number): boolean {
    let line: RecordedLine;
    try {
      line = this.#decoder.decode(text);
    } catch (error) {
      // What is behind it can't be trusted to follow from what is before.
      const found = `line ${number} of the recording is damaged (${messageOf(error)})`;
      this.#notRun = `${found}; it was read up to there`;
      return false;
    }
    if (number === HEAD_LINES + 1 && line.type !== 'begin') {
      this.#core = undefined;
      this.#notRun =
        'the beginning of this recording was dropped, to keep it small; these are the steps as ' +
        'they were recorded';
    }
    if (line.type === 'begin') return true;
    if (line.type === 'event') return this.#numbered(line);
    const at = line.type === 'start' ? line.at : line.told.now;
    const core = this.#core;
    const did = core === undefined ? line.did : this.#again(core, line);
    this.#stepsRun += 1;
    const state = core?.group(this.#group);
    this.#episodes.add({
      at,
      told: line.type === 'start' ? undefined : line.told,
      did,
      phase: state?.phase,
      reason: state?.reason,
    });
    this.#unnumbered.push(...line.did.filter((effect) => effect.type === 'event'));
    return true;
  }

  result(): Replay {
    const { node, release, time } = this.#head;
    const found = this.#found ?? { steps: [], leftOut: 0 };
    return {
      node,
      group: this.#group,
      release,
      from: time,
      event: this.#event,
      ...found,
      stepsRun: this.#core === undefined ? 0 : this.#stepsRun,
      effectsCompared: this.#effects,
      notRun: this.#notRun,
      differences: this.#differences,
      differencesLeftOut: this.#differencesLeftOut,
    };
  }

  /** What the core decides now; where that is something else, it is noted. */
  #again(
    core: NodeCore,
    line: Extract<RecordedLine, { type: 'start' | 'step' }>,
  ): readonly Effect[] {
    let did: readonly Effect[];
    try {
      did = line.type === 'start' ? core.start(line.at) : core.step(line.told);
    } catch (error) {
      if (!(error instanceof InvariantError) && !(error instanceof TypeError)) throw error;
      this.#core = undefined;
      this.#notRun = `the core of this release ended in step ${this.#stepsRun + 1}: ${error.message}`;
      return line.did;
    }
    this.#effects += did.length;
    const decidedNow = did.map(effectText);
    const recorded = line.did.map(effectText);
    if (areSame(decidedNow, recorded)) return did;
    if (this.#differences.length >= DIFFERENCES_MAX) this.#differencesLeftOut += 1;
    else {
      const at = line.type === 'start' ? line.at : line.told.now;
      this.#differences.push({
        step: this.#stepsRun + 1,
        afterMs: at - this.#head.at,
        told: line.type === 'start' ? 'start' : line.told.type,
        recorded: without(recorded, decidedNow),
        decidedNow: without(decidedNow, recorded),
      });
    }
    return did;
  }

  #numbered({ id, time, nth }: Extract<RecordedLine, { type: 'event' }>): boolean {
    const [effect] = this.#unnumbered.splice(nth, 1);
    if (effect === undefined) return true;
    const { kind, text, group } = effect.draft;
    const sought = this.#wanted === 'last' ? group === this.#group : id === this.#wanted;
    if (!sought) return true;
    this.#event = { id, time, kind, text };
    this.#found = this.#episodes.upToNow();
    return this.#wanted === 'last';
  }
}

/** The order of an object's fields says nothing; it may differ after they were read from text. */
function areSame(some: readonly string[], others: readonly string[]): boolean {
  if (some.length !== others.length) return false;
  return some.every((one, index) => {
    const other = must(others[index], 'as many');
    return one === other || sorted(one) === sorted(other);
  });
}

function sorted(text: string): string {
  return JSON.stringify(JSON.parse(text), (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  });
}

function without(some: readonly string[], others: readonly string[]): readonly string[] {
  const rest = some.filter((one) => !others.includes(one));
  // The same ones in another order.
  return rest.length === 0 ? some : rest;
}

function unusable(name: string, found: string): TakoError {
  return new TakoError('bad-request', `Cannot replay "${name}": ${found}`, {
    next: 'Give a file that "tako why GROUP --replay --save FILE" wrote',
  });
}
