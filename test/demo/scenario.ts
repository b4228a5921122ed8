/**
 * What a scenario is, and how one is run and judged: wait until all is well, begin to measure, break
 * something and mend it, wait until all is well again, read every acknowledged record back.
 */
import { monotonicMs } from '../hosts/host.ts';
import type { Cluster } from './cluster.ts';
import { serviceOverlaps } from './service-log.ts';

export interface Scenario {
  /** For `--only`. */
  readonly name: string;
  /** For people: what is done. */
  readonly title: string;
  /** How often it is run in one go; once unless told. */
  readonly times?: number;
  /**
   * Who owns the group afterwards. `same`: nothing moved in between either. `any`: whoever can.
   */
  readonly owner: 'same' | 'other' | 'any';
  /** Longest silence that a client may see, on top of the program's own start. */
  readonly outageMs: number;
  /** Breaks and mends; gives back what is wrong, in words, beyond what is checked for every one. */
  run(cluster: Cluster, start: ScenarioStart): Promise<readonly string[]>;
}

export interface ScenarioStart {
  readonly owner: string;
  readonly other: string;
  /** The server that acknowledges. */
  readonly instance: string | undefined;
}

export interface Verdict {
  readonly scenario: Scenario;
  /** From 1, of `times`. */
  readonly round: number;
  readonly owners: readonly [string, string];
  readonly outageMs: number;
  readonly acknowledged: number;
  readonly lost: number;
  /** Nothing in it: passed. */
  readonly problems: readonly string[];
  readonly tookMs: number;
}

export async function runScenario(
  cluster: Cluster,
  scenario: Scenario,
  round: number,
): Promise<Verdict> {
  const startedAt = monotonicMs();
  const problems: string[] = [];
  let owners: [string, string] = ['?', '?'];
  let seen = { outageMs: Number.NaN, acknowledged: 0, lost: 0 };
  try {
    const before = await cluster.settled();
    const owner = before.owner ?? '?';
    owners = [owner, '?'];
    await cluster.client.mark();
    const measuredFrom = monotonicMs();
    const start = {
      owner,
      other: cluster.other(owner).name,
      instance: cluster.client.stats?.instance,
    };
    problems.push(...(await scenario.run(cluster, start)));
    const after = await cluster.settled();
    owners = [owner, after.owner ?? '?'];
    problems.push(...judgeOwner(scenario, before, after));
    seen = await look(cluster, scenario, problems);
    problems.push(...serviceOverlaps(cluster, measuredFrom));
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
  const tookMs = monotonicMs() - startedAt;
  return { scenario, round, owners, ...seen, problems, tookMs };
}

interface Placed {
  readonly owner: string | undefined;
  readonly epoch: number | undefined;
}

function judgeOwner(scenario: Scenario, before: Placed, after: Placed): string[] {
  if (scenario.owner === 'any') return [];
  if (scenario.owner === 'other') {
    return after.owner === before.owner ? [`the group is still on ${after.owner}`] : [];
  }
  if (after.owner !== before.owner) return [`the group moved to ${after.owner}`];
  if (after.epoch !== before.epoch)
    return [`the epoch went from ${before.epoch} to ${after.epoch}`];
  return [];
}

async function look(
  cluster: Cluster,
  scenario: Scenario,
  problems: string[],
): Promise<{ outageMs: number; acknowledged: number; lost: number }> {
  const report = await cluster.client.report();
  const audit = await cluster.client.audit();
  const outageMs = report.longestGapMs;
  const limitMs = scenario.outageMs + cluster.app.startMs;
  if (outageMs > limitMs) problems.push(`clients waited ${Math.round(outageMs)} ms`);
  if (report.acknowledgedSinceMark === 0) problems.push('nothing was acknowledged');
  if (audit.lost > 0) problems.push(`${audit.lost} acknowledged records are lost`);
  if (audit.duplicates > 0) problems.push(`${audit.duplicates} records are stored twice`);
  problems.push(...audit.violations);
  const { app, lab } = cluster;
  const owner = await cluster.owner();
  const lacking = await app.lacking?.(lab, owner, cluster.other(owner).name);
  if (lacking !== undefined) problems.push(lacking);
  return { outageMs, acknowledged: audit.acknowledged, lost: audit.lost };
}
