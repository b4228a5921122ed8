/**
 * What Tako and the hooks of an administrator say to one another: the points at which a hook is
 * called, what it is told, and what it may answer. Pure; the way there (a program, HTTP) is in
 * `src/adapters/hooks`.
 *
 * Invariant: whatever a hook writes becomes one of the answers that its point allows, or `none`
 * with the reason; `none` always means that Tako goes on without the hook.
 */
import type { Epoch, GroupId, NodeId, ResourceId } from './ids.ts';

/** In the order in which they come in the life of a group. */
export const HOOK_POINTS = [
  'before-failover',
  'before-start',
  'after-start',
  'after-failover',
  'on-failure',
  'before-failback',
  'before-stop',
  'after-stop',
  'after-failback',
] as const;

export type HookPoint = (typeof HOOK_POINTS)[number];

/** Why the group starts or stops here. */
export type HookCause = 'first-start' | 'start' | 'failover' | 'move' | 'failback' | 'stop';

export interface HookFacts {
  readonly cause: HookCause | 'leave' | 'restart' | 'authority-lost' | 'failure';
  /** Where it ran or runs, and where it goes, as far as that is known. */
  readonly from: NodeId | undefined;
  readonly to: NodeId | undefined;
  /** One sentence. */
  readonly reason: string;
  readonly resource?: ResourceId | undefined;
}

/** The words of an answer. `go`: as if there were no hook. */
export type HookWord = 'go' | 'veto' | 'wait' | 'failover' | 'stay' | 'repaired';

/** What a hook is told: JSON on stdin or as the body of a POST, and the variables `TAKO_*`. */
export interface HookCall extends HookFacts {
  readonly event: HookPoint;
  readonly group: GroupId;
  readonly node: NodeId;
  readonly epoch: Epoch;
  /** The answers that are heeded; any other counts as no answer. */
  readonly answers: readonly HookWord[];
  /** An answer that comes later counts as none. */
  readonly timeoutMs: number;
}

export interface HookAnswer {
  readonly word: HookWord | 'none';
  /** In the hook's words; for `none` why there is no answer. */
  readonly reason: string;
  /** With `wait`. */
  readonly waitMs: number;
  /** What it wrote, shortened, for a person. */
  readonly output: string;
}

/** Exit codes of a program; every other one, and any signal, is no answer. */
const EXIT_WORDS: Readonly<Record<number, HookWord>> = {
  0: 'go',
  10: 'veto',
  11: 'stay',
  12: 'failover',
  13: 'repaired',
  14: 'wait',
};

const WORDS: readonly HookWord[] = Object.values(EXIT_WORDS);
/** The longest a `wait` lasts, whatever it asks for, and what it lasts when it does not say. */
export const WAIT_MS_MAX = 60_000;
export const WAIT_MS_DEFAULT = 5000;
/** Of the reason that a hook gives. */
const REASON_CHARACTERS_MAX = 300;
/** Of what it wrote, as kept in the event. */
const OUTPUT_CHARACTERS_MAX = 1000;
/** Longer texts are no answer. */
export const ANSWER_BYTES_MAX = 8192;

/** What there is to answer at a point. */
export function answersAt(point: HookPoint, mayVeto: boolean): readonly HookWord[] {
  if (point === 'on-failure') return ['go', 'wait', 'stay', 'failover', 'repaired'];
  return mayVeto ? ['go', 'veto'] : ['go'];
}

export function noAnswer(why: string, output = ''): HookAnswer {
  return { word: 'none', reason: why, waitMs: 0, output: shortened(output) };
}

/** The environment variables of a program that is called. */
export function hookEnvironment(call: HookCall): Readonly<Record<string, string>> {
  return {
    TAKO_EVENT: call.event,
    TAKO_GROUP: call.group,
    TAKO_NODE: call.node,
    TAKO_EPOCH: String(call.epoch),
    TAKO_CAUSE: call.cause,
    TAKO_FROM: call.from ?? '',
    TAKO_TO: call.to ?? '',
    TAKO_REASON: oneLine(call.reason),
    TAKO_RESOURCE: call.resource ?? '',
    TAKO_ANSWERS: call.answers.join(' '),
    TAKO_TIMEOUT_MS: String(call.timeoutMs),
  };
}

/** The answer of a program that ended with that code; the last line with a `{` may say more. */
export function answerOfProgram(call: HookCall, exitCode: number, output: string): HookAnswer {
  const word = EXIT_WORDS[exitCode];
  if (word === undefined) return noAnswer(`it ended with exit code ${exitCode}`, output);
  const line = lastJsonLine(output);
  if (line === undefined) return heeded(call, { word, reason: '', waitMs: undefined }, output);
  const said = readAnswer(line);
  if (typeof said === 'string') return noAnswer(said, output);
  if (word !== 'go' && said.word !== undefined && said.word !== word) {
    return noAnswer(`exit code ${exitCode} says ${word}, its text says ${said.word}`, output);
  }
  return heeded(call, { ...said, word: word === 'go' ? (said.word ?? 'go') : word }, output);
}

/** The answer of a web server: status 2xx, with an answer as its body or with nothing. */
export function answerOfServer(call: HookCall, status: number, body: string): HookAnswer {
  if (status < 200 || status > 299) return noAnswer(`it answered with HTTP status ${status}`, body);
  if (body.trim() === '') return heeded(call, { word: 'go', reason: '', waitMs: undefined }, body);
  const said = readAnswer(body);
  if (typeof said === 'string') return noAnswer(said, body);
  return heeded(call, { ...said, word: said.word ?? 'go' }, body);
}

interface Said {
  readonly word: HookWord | undefined;
  readonly reason: string;
  readonly waitMs: number | undefined;
}

function heeded(call: HookCall, said: Said, output: string): HookAnswer {
  const word = said.word ?? 'go';
  if (!call.answers.includes(word)) {
    const allowed = call.answers.join(', ');
    return noAnswer(
      `it answered "${word}", which ${call.event} does not heed (${allowed})`,
      output,
    );
  }
  const waitMs = word === 'wait' ? Math.min(said.waitMs ?? WAIT_MS_DEFAULT, WAIT_MS_MAX) : 0;
  const reason = oneLine(said.reason).slice(0, REASON_CHARACTERS_MAX);
  return { word, reason, waitMs, output: shortened(output) };
}

/** What a JSON answer says; a text tells what is wrong with it. */
function readAnswer(text: string): Said | string {
  if (text.length > ANSWER_BYTES_MAX) return 'its answer is too long';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'its answer is no JSON';
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return 'its answer is no JSON object';
  }
  const { answer, reason, waitMs } = value as Readonly<Record<string, unknown>>;
  const word = WORDS.find((known) => known === answer);
  if (answer !== undefined && word === undefined) {
    return `its answer is none of: ${WORDS.join(', ')}`;
  }
  if (reason !== undefined && typeof reason !== 'string') return 'its "reason" is no text';
  if (waitMs !== undefined && !isMilliseconds(waitMs)) {
    return 'its "waitMs" is no number of milliseconds';
  }
  return { word, reason: reason ?? '', waitMs };
}

function isMilliseconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function lastJsonLine(output: string): string | undefined {
  const lines = output.split('\n').map((line) => line.trim());
  return lines.findLast((line) => line.startsWith('{'));
}

function oneLine(text: string): string {
  // Control characters would garble whatever shows the text.
  return text.replaceAll(/\p{Cc}+/gu, ' ').trim();
}

function shortened(output: string): string {
  const text = output.trim();
  return text.length <= OUTPUT_CHARACTERS_MAX ? text : `...${text.slice(-OUTPUT_CHARACTERS_MAX)}`;
}
