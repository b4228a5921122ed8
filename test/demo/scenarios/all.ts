/** Every scenario, in the order in which `npm run demo -- --check` runs them. */
import type { Scenario } from '../scenario.ts';
import { ADMINISTRATION_SCENARIOS } from './administration.ts';
import { LINK_SCENARIOS } from './links.ts';
import { POWER_SCENARIOS } from './power.ts';
import { PROGRAM_SCENARIOS } from './programs.ts';

export const SCENARIOS: readonly Scenario[] = [
  ...POWER_SCENARIOS,
  ...PROGRAM_SCENARIOS,
  ...LINK_SCENARIOS,
  ...ADMINISTRATION_SCENARIOS,
];
