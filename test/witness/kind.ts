/**
 * What a kind of witness gives to the conformance suite (`conformance.ts`): a witness for two
 * clusters, `one` and `two`, each with the nodes `a` and `b`, and ways to break it. How nodes
 * reach it (datagrams, files on a share, keys in etcd) is the kind's own affair.
 */
import type { Epoch, GroupId, SeatId } from '../../src/protocol/ids.ts';
import type { RegistryMessage } from '../../src/protocol/record.ts';
import type { LeaseChange, Question } from './member.ts';

export type ClusterName = 'one' | 'two';

/** A node, as far as it deals with the witness of its cluster. */
export interface WitnessUser {
  /** Asks until the witness answers; rejects when it does not within the time. */
  ask(question: Question, timeoutMs?: number): Promise<RegistryMessage>;
  /** Own acceptor and the witness's `seat` are all that the lease needs: two of three voters. */
  claim(group: GroupId, epoch: Epoch, seat: SeatId): void;
  release(group: GroupId): void;
  lease(group: GroupId): LeaseChange;
  /** For good: nothing that it says reaches the witness any more. */
  fallSilent(): void;
  /** Resolves when it is so. */
  hasLease(group: GroupId, held: boolean): Promise<void>;
}

export interface WitnessRig {
  user(cluster: ClusterName, node: 'a' | 'b'): WitnessUser;
  /** A node that names itself `a` of that cluster, and has no right to. */
  stranger(cluster: ClusterName): WitnessUser;
  /**
   * All that is not on storage is lost at once: the process of the witness is killed, or, for a
   * kind without one, all that keeps it for the nodes. Nobody is answered until `start`.
   */
  crash(): Promise<void>;
  /** The storage of that cluster is lost too. Between `crash` and `start`. */
  loseStorage(cluster: ClusterName): void;
  /** The storage of that cluster holds garbage. Between `crash` and `start`. */
  spoilStorage(cluster: ClusterName): void;
  /** Resolves when it can be asked, by the nodes of these clusters. */
  start(...clusters: readonly ClusterName[]): Promise<void>;
  destroy(): Promise<void>;
}

export interface WitnessKind {
  readonly name: string;
  /** With this lease in both clusters. */
  create(leaseMs: number): Promise<WitnessRig>;
}
