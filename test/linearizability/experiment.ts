/** One cluster, a time of mischief, and the verdict on the histories of its votes. */
import { Prng } from '../../src/base/prng.ts';
import { messageOf } from '../../src/base/tako-error.ts';
import { type Judgement, type Registry, judge } from './judge.ts';
import { Mischief } from './mischief.ts';
import { type Shape, VoteCluster } from './vote-cluster.ts';

export interface ExperimentOptions {
  readonly shape: Shape;
  readonly seed: number;
  readonly seconds: number;
  readonly groups?: number | undefined;
  /** Where the sources are; this project unless told. */
  readonly root?: string | undefined;
}

export interface ExperimentResult {
  readonly judgement: Judgement;
  /** Those of the judgement, and the votes that did not come about in the end. */
  readonly failures: readonly string[];
  /** How often what was done to the cluster. */
  readonly done: Readonly<Record<string, number>>;
  /** Where histories and logs are kept; only of a run that failed. */
  readonly kept: string | undefined;
}

const GROUPS = 8;

export function registryOf(shape: Shape): Registry {
  return shape === 'etcd' ? 'etcd' : 'members';
}

export async function experiment(options: ExperimentOptions): Promise<ExperimentResult> {
  const { shape, seed, seconds, groups = GROUPS, root } = options;
  const cluster = await VoteCluster.start({ shape, groups, root });
  try {
    const mischief = new Mischief(cluster, new Prng(seed));
    await mischief.run(seconds * 1000);
    // Whatever hinders it, the histories up to there are worth a verdict.
    const hindered = await cluster.voteOnAll().then(
      () => [],
      (error: unknown) => [messageOf(error)],
    );
    const judgement = judge(cluster.votes(), cluster.members, registryOf(shape));
    const failures = [...judgement.failures, ...hindered];
    const kept = failures.length > 0 ? cluster.keepLogs() : undefined;
    return { judgement, failures, done: mischief.done, kept };
  } catch (error) {
    const text = `${messageOf(error)} (histories and logs: ${cluster.keepLogs()})`;
    throw new Error(text, { cause: error });
  } finally {
    cluster.destroy();
  }
}
