/** The witness daemon in a process of its own, as a kind of the conformance suite. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Member } from './member.ts';
import type { ClusterName, WitnessKind, WitnessRig } from './kind.ts';
import { A, B, type ClusterText, timingWith, WitnessProcess } from './process.ts';
import { userOf } from './user.ts';

const STRANGER_KEY = 99;

export const daemonKind: WitnessKind = {
  name: 'the daemon',
  create: async (leaseMs) => {
    const witness = new WitnessProcess();
    const timing = timingWith(leaseMs);
    const clusters = { one: { number: 1, timing }, two: { number: 2, timing } };
    try {
      for (const name of ['one', 'two'] as const) witness.write(name, clusters[name]);
      await witness.start('one', 'two');
      return rigOf(witness, clusters);
    } catch (error) {
      await witness.destroy();
      throw error;
    }
  },
};

function rigOf(
  witness: WitnessProcess,
  clusters: Readonly<Record<ClusterName, ClusterText>>,
): WitnessRig {
  const members = new Map<string, Member>();
  const memberOf = (cluster: ClusterName, node: 'a' | 'b', key?: number): Member => {
    const name = `${cluster} ${node} ${key ?? 'own'}`;
    let member = members.get(name);
    if (member === undefined) {
      member = witness.member(node === 'a' ? A : B, { ...clusters[cluster], key });
      members.set(name, member);
    }
    return member;
  };
  return {
    user: (cluster, node) => userOf(memberOf(cluster, node), node),
    stranger: (cluster) => userOf(memberOf(cluster, 'a', STRANGER_KEY), 'a'),
    crash: async () => {
      await witness.end('SIGKILL');
    },
    loseStorage: (cluster) => witness.loseState(cluster),
    spoilStorage: (cluster) => {
      const directory = join(witness.stateDir, cluster);
      for (const file of readdirSync(directory).filter((name) => name.startsWith('acceptor.log'))) {
        writeFileSync(join(directory, file), 'garbage in place of votes');
      }
    },
    start: (...clusters) => witness.start(...clusters),
    destroy: () => witness.destroy(),
  };
}
