/** One random life by its seed, for tests: throws with all that is needed when a promise breaks. */
import { InvariantError } from '../base/assert.ts';
import { live, type LifeReport, planLife } from './life.ts';
import { failureText } from './report.ts';

export function randomRun(seed: number): LifeReport {
  const plan = planLife(seed);
  const report = live(plan);
  if (report.failure === undefined) return report;
  throw new InvariantError(failureText(live(plan, 50)));
}
