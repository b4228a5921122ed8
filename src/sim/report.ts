/** A failed life in words: what broke, under which options, what came before, how to repeat it. */
import type { Fault } from './faults.ts';
import { describeFault } from './faults.ts';
import type { LifePlan, LifeReport } from './life.ts';

export function failureText(report: LifeReport): string {
  const { plan, failure } = report;
  if (failure === undefined) return `seed ${plan.seed}: nothing broke`;
  return [
    `seed ${plan.seed} broke a promise at ${(failure.atMs / 1000).toFixed(4)} s:`,
    `  ${failure.message}`,
    `options: ${optionsText(plan)}`,
    `${plan.faults.length} faults:`,
    ...plan.faults.map(faultLine),
    `the last ${failure.lines.length} events:`,
    ...failure.lines.map((line) => `  ${line}`),
    `repeat it: npm run sim -- --seed ${plan.seed}`,
    `make it small: npm run sim -- --shrink ${plan.seed}`,
  ].join('\n');
}

export function faultLine(fault: Fault): string {
  return `  ${(fault.atMs / 1000).toFixed(3).padStart(8)} ${describeFault(fault)}`;
}

function optionsText({ swarm }: LifePlan): string {
  const { kinds, groups, ...rest } = swarm;
  const named = kinds.map(({ kind }) => kind).join('+');
  const where = groups.map(({ id, nodes }) => `${id}: ${nodes.join(' ')}`).join('; ');
  return `${JSON.stringify(rest)}; ${where}; ${named}`;
}
