/**
 * Who breaks the tie in this cluster, and what its people risk with that: for `tako status` and
 * the API. Said from the configuration alone, because it is a choice and not an incident: it is
 * shown as long as it holds, and changes neither the summary nor its level.
 */
import type { DecidedBy } from '../protocol/api.ts';
import type { Config } from '../protocol/config.ts';

const BOTH_NEEDED =
  'both must be up and reach each other to decide: when one is lost, or the network between ' +
  'them, nothing fails over and groups that run are suspended, until the other is back or a person ' +
  'forces it ("tako force"); a witness on a third machine ends that';
const BY_FENCE =
  'whoever is left turns the other one off and goes on: should a fence say "off" of a node that runs, ' +
  'both sides serve and two histories arise; while it gives no answer, nothing fails over';

const ETCD_LOST =
  'what runs goes on while the nodes see one another, but nothing fails over, moves, starts or ' +
  'stops, and a copy that falls silent holds its writes up, until a majority of etcd answers';

type Deciders = Pick<Config, 'nodes' | 'registry' | 'witness' | 'withoutWitness'>;

/** `etcdFails`: why this node cannot read from etcd at present, if it cannot. */
export function decidedBy(
  { nodes, registry, witness, withoutWitness }: Deciders,
  etcdFails?: string,
): DecidedBy {
  if (registry !== undefined) {
    const risk = etcdFails === undefined ? undefined : `${etcdFails}: ${ETCD_LOST}`;
    return { by: 'etcd', risk };
  }
  if (nodes.length === 1) {
    const leans = witness === undefined ? '' : ', and it needs the witness to run a group';
    return { by: 'one-node', risk: `there is no other node to fail over to${leans}` };
  }
  if (witness !== undefined) return { by: 'witness', risk: undefined };
  if (withoutWitness?.by === 'fence') return { by: 'fence', risk: BY_FENCE };
  if (nodes.length === 2) return { by: 'both-nodes', risk: BOTH_NEEDED };
  return { by: 'nodes', risk: undefined };
}
