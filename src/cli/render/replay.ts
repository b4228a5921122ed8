/** What replaying a decision found, for people. */
import type { ShownStep } from '../../sim/why/episodes.ts';
import type { Difference, Replay } from '../../sim/why/replay.ts';
import { localTime, plain } from './event.ts';

const WIDTH = 11;
/** Of an effect in a difference. */
const EFFECT_CHARACTERS_MAX = 400;

export function renderReplay(replay: Replay, release: string): string {
  const { event, steps, leftOut } = replay;
  const lines: string[] = [];
  if (event !== undefined) {
    lines.push(`Event ${event.id} of ${replay.node}, ${localTime(event.time)}: ${event.text}`, '');
  }
  if (leftOut > 0) lines.push(`(${leftOut} earlier steps are left out)`);
  for (const step of steps) lines.push(...linesOf(step));
  lines.push('', ...verdict(replay, release));
  return `${lines.map(plain).join('\n')}\n`;
}

function linesOf({ beforeMs, told, decided, phase, reason }: ShownStep): readonly string[] {
  const at = `-${beforeMs.toFixed(1)} ms`.padStart(WIDTH);
  const indent = ' '.repeat(WIDTH);
  const first = told.length === 0 ? ['the peers are as before'] : told;
  return [
    ...first.map((text, index) => `${index === 0 ? at : indent}  told     ${text}`),
    ...(phase === undefined ? [] : [`${indent}  now      ${phase}`]),
    ...(reason === undefined || reason === '' ? [] : [`${indent}  because  ${reason}`]),
    ...decided.map((text) => `${indent}  decided  ${text}`),
  ];
}

function verdict(replay: Replay, release: string): readonly string[] {
  const { differences, differencesLeftOut, stepsRun, effectsCompared, notRun } = replay;
  const lines: string[] = [];
  if (stepsRun > 0) {
    const same = differences.length === 0;
    lines.push(
      `Decided once more, from ${localTime(replay.from)} on, ${stepsRun} steps:`,
      same ? `all ${effectsCompared} effects are those that were recorded.` : 'it is not the same.',
    );
  }
  if (notRun !== undefined) lines.push(`Not replayed: ${notRun}.`);
  if (replay.release !== release && (differences.length > 0 || notRun !== undefined)) {
    lines.push(
      `It was recorded by Tako ${replay.release} and replayed by ${release}: ` +
        'other releases may decide otherwise.',
    );
  }
  for (const difference of differences) lines.push(...differenceLines(difference));
  if (differencesLeftOut > 0) lines.push(`... and ${differencesLeftOut} more steps differ`);
  return lines;
}

function differenceLines(difference: Difference): readonly string[] {
  const { step, afterMs, told, recorded, decidedNow } = difference;
  const short = (effects: readonly string[]): string =>
    effects.length === 0 ? 'nothing' : effects.join(' ').slice(0, EFFECT_CHARACTERS_MAX);
  return [
    `  Step ${step} (${told}, ${(afterMs / 1000).toFixed(3)} s after the start):`,
    `    recorded:    ${short(recorded)}`,
    `    decided now: ${short(decidedNow)}`,
  ];
}
