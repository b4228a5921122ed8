/**
 * Defects of the core that the simulator has found and that are not mended yet. It makes up for
 * them, or ends a life that came upon one, so that it goes on finding others; each has a test that
 * runs without this and is expected to fail (`known-defects.test.ts`). Who mends one takes its entry
 * out here and there.
 *
 *   sealed    a control process that dies between `seal` and `unseal` leaves its mirror sealed; the
 *             next one tells it to follow the same epoch, which does not unseal it, so that copy is
 *             out until the next epoch
 *   untold    a mirror says once that a copy is silent, or has caught up. Control forgets it when it
 *             is told while probing, and forgets that a copy caught up when the copy falls silent
 *             before the vote: then it is never voted out, and writes wait, or never voted in
 *   unreconciled  a control process that takes up a running mirror does not tell it the copies of the
 *             record: one that a vote of the process before has taken out is waited for as before,
 *             counts as in sync for the mirror, and is never voted in again
 *   unsealed  a node that learns that its claim was completed by somebody else unseals its mirrors
 *             before it serves, and confirms what the primary of the epoch before still sends
 *             (rare, and not recognised here: it is a failure of N3)
 *   stuck     a claim that is withdrawn while it waits behind another vote ends without an outcome;
 *             the group stays in `claiming`, its mirrors sealed, and that node never takes over again
 *   unvoted   a copy whose admission is being voted on is given up by the mirror without a vote: an
 *             expulsion is not voted while the record does not list it, and a mirror that is started
 *             anew is told the list of the record. The admission may yet be chosen; writes are then
 *             acknowledged that a copy in sync does not have, and are lost if it takes over
 *   asleep    a mirror trusts the lease mark that it has read to its end by a clock that stands still
 *             while the machine sleeps: after it wakes, what its copies had confirmed before is
 *             acknowledged in an epoch that is over, though nothing of it is lost; a heart that hangs
 *             or is dead at that time leaves such a mark standing
 *   unasked   who missed the word of what was decided does not ask the registry: a node whose copy was
 *             admitted refuses to take over when the owner is lost, and an owner whose group is
 *             offline does not start it when that was recorded elsewhere
 *   unanswered a request to start that is recorded when nothing is left to do, or overruled by a
 *             wish recorded elsewhere, is never answered; every later one is refused as busy
 */
import type { GroupId, NodeId, ResourceId } from '../protocol/ids.ts';
import type { SimNode } from './sim-node.ts';

const DATA = 'data' as ResourceId;

export type KnownName =
  'asleep' | 'sealed' | 'stuck' | 'unreconciled' | 'untold' | 'unvoted' | 'unasked' | 'unanswered';

/** A life came upon a defect that is known. */
export class KnownDefect extends Error {
  override readonly name = 'KnownDefect';
  readonly defect: KnownName;

  constructor(defect: KnownName) {
    super(`the known defect "${defect}" showed itself`);
    this.defect = defect;
  }
}

interface Seen {
  readonly config: {
    readonly groups: readonly { readonly id: GroupId; readonly nodes: readonly NodeId[] }[];
  };
  node(id: NodeId): SimNode | undefined;
  readonly unanswered: number;
}

/** The known defect that keeps this cluster from coming right, if it is one. */
export function knownDefect(world: Seen): KnownName | undefined {
  if (world.unanswered > 0) return 'unanswered';
  for (const { id, nodes } of world.config.groups) {
    for (const node of nodes) {
      const there = world.node(node);
      const phase = there?.core?.group(id)?.phase;
      if (phase === 'claiming') return 'stuck';
      const mirror = there?.mirror(`${id}/data`);
      if (mirror?.sealed === true && phase === 'waiting') return 'sealed';
      if (mirror?.untold === true) return 'untold';
      const copies = there?.core?.group(id)?.record?.inSync[DATA] ?? [];
      const unlisted = mirror?.waitsForVoted.some((peer) => !copies.includes(peer)) === true;
      if (phase === 'owning' && unlisted) return 'unreconciled';
      const owns = phase === 'owning' && there?.core?.group(id)?.record?.owner === node;
      if (owns && mirror?.disk.partial === true) return 'unvoted';
    }
  }
  return undefined;
}
