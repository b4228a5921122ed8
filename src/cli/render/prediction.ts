/** What `tako simulate` found, for people. */
import type { GroupOutcome, Happening, Prediction, StepReport } from '../../sim/what-if/what-if.ts';
import { plain } from './event.ts';

/** Of each kind, for a step. */
const LINES_MAX = 60;

export function renderPrediction(prediction: Prediction): string {
  const { seenBy, seenAt, steps, differences, unknown } = prediction;
  const lines = [`From the state that ${seenBy} saw at ${seenAt}. Nothing is changed.`];
  if (prediction.how === 'planned') {
    lines.push('Planned by the code that places groups; times are not simulated.');
  }
  if (differences.length > 0) {
    lines.push('', 'Not quite that state could be simulated:');
    for (const text of differences) lines.push(`  ${text}`);
  }
  for (const step of steps) lines.push('', ...linesOf(step));
  lines.push('', 'What this cannot know:');
  for (const text of unknown) lines.push(`  ${text}`);
  return `${lines.map(plain).join('\n')}\n`;
}

function linesOf(step: StepReport): readonly string[] {
  const { lookedAtMs, happenings, outcomes, unchanged } = step;
  return [
    `If: ${step.step}`,
    ...(happenings.length === 0 ? ['  Nobody does anything.'] : some(happenings.map(eventText))),
    `  After ${lookedAtMs} ms:`,
    ...some(outcomes.map((outcome) => `    ${outcomeText(outcome)}`)),
    ...(unchanged === 0
      ? []
      : [`    ${unchanged} ${unchanged === 1 ? 'group is' : 'groups are'} as before`]),
  ];
}

function eventText({ afterMs, node, group, text }: Happening): string {
  if (afterMs === undefined) return `  ${group === '' ? '' : `${group}: `}${text}`;
  const who = group === '' ? node : `${node} ${group}`;
  return `  ${`+${afterMs} ms`.padStart(11)}  ${who}: ${text}`;
}

/** What nobody reads to the end is cut; JSON has it all. */
function some(lines: readonly string[]): readonly string[] {
  if (lines.length <= LINES_MAX) return lines;
  return [
    ...lines.slice(0, LINES_MAX),
    `    ... and ${lines.length - LINES_MAX} more (see --json)`,
  ];
}

function outcomeText(outcome: GroupOutcome): string {
  const { group, before, after, awayMs, instances, why } = outcome;
  if (instances !== undefined) return instancesText(outcome, instances);
  if (after === undefined) {
    const was = before === undefined ? 'as before' : `it was online on ${before}`;
    return `${group} is down (${was}): ${why ?? 'nobody says why'}`;
  }
  const from = before === after ? 'stays' : `is online (before: ${before ?? 'nowhere'})`;
  return `${group} ${from} on ${after}${awayMs === undefined ? '' : `, away for ${awayMs} ms`}`;
}

function instancesText(
  { group, why }: GroupOutcome,
  { before, after }: NonNullable<GroupOutcome['instances']>,
): string {
  const on = (nodes: readonly string[]): string => nodes.join(', ') || 'no node';
  const same = on(before) === on(after) ? 'as before' : `before: ${on(before)}`;
  const not = why === undefined ? '' : `; not on ${why}`;
  return `${group} runs on ${on(after)} (${same})${not}`;
}
