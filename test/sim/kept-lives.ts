/** Lives made small, each of which has once come upon a defect that is mended. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type LifePlan, live } from '../../src/sim/life.ts';
import { processorSeconds } from './seeds.ts';
import type { Caught } from './steps.ts';

const FOLDER = join(import.meta.dirname, 'lives');

export interface KeptJob {
  readonly kept: true;
  readonly seconds: number;
  readonly hunt: readonly string[];
}

export function keptLives(): readonly string[] {
  return readdirSync(FOLDER);
}

export function readLife(name: string): LifePlan {
  return JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as LifePlan;
}

/**
 * Tells of the first kept life that breaks one of the promises; what else breaks does not count. The
 * same faults befall clusters of other seeds, too: by a hair another message is the first.
 */
export function huntKept({ seconds: patience, hunt }: KeptJob): Caught {
  const seconds = processorSeconds();
  const plans = keptLives().map((name) => ({ name, plan: readLife(name) }));
  let lives = 0;
  for (let later = 0; seconds() <= patience; later += 1) {
    for (const { name, plan } of plans) {
      if (seconds() > patience) break;
      lives += 1;
      const message = live({ ...plan, seed: plan.seed + later }).failure?.message ?? '';
      if (!hunt.some((promise) => message.startsWith(`${promise}:`))) continue;
      const where = later === 0 ? name : `${name}, seed ${plan.seed + later}`;
      return { lives, seconds: seconds(), where, message };
    }
  }
  return { lives, seconds: seconds(), where: undefined, message: '' };
}
