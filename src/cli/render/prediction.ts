/** What `tako simulate` found, for people. */
import type { GroupOutcome, Prediction, StepReport } from '../../sim/what-if/what-if.ts';
import { plain } from './event.ts';

export function renderPrediction(prediction: Prediction): string {
  const { seenBy, seenAt, steps, differences, unknown } = prediction;
  const lines = [`From the state that ${seenBy} saw at ${seenAt}. Nothing is changed.`];
  if (differences.length > 0) {
    lines.push('', 'Not quite that state could be simulated:');
    for (const text of differences) lines.push(`  ${text}`);
  }
  for (const step of steps) lines.push('', ...linesOf(step));
  lines.push('', 'What this cannot know:');
  for (const text of unknown) lines.push(`  ${text}`);
  return `${lines.map(plain).join('\n')}\n`;
}

function linesOf({ step, lookedAtMs, happenings, outcomes }: StepReport): readonly string[] {
  const events = happenings.map(({ afterMs, node, group, text }) => {
    const who = group === '' ? node : `${node} ${group}`;
    return `  ${`+${afterMs} ms`.padStart(11)}  ${who}: ${text}`;
  });
  return [
    `If: ${step}`,
    ...(events.length === 0 ? ['  Nobody does anything.'] : events),
    `  After ${lookedAtMs} ms:`,
    ...outcomes.map((outcome) => `    ${outcomeText(outcome)}`),
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
  return `${group} ${from} on ${after}, away for ${awayMs} ms`;
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
