/**
 * A witness process: what it reads about the clusters that it serves, and what it says on its local
 * socket (`RUNDIR/witness.sock`, one JSON object per line, one question per connection).
 */
import type { Config } from './config.ts';
import type { HeartMeters, PeerState } from './heart-ipc.ts';
import type { Epoch, GroupId, LinkId, NodeId, SeatId } from './ids.ts';

/** Clusters of one witness process; each has sockets and files of its own. */
export const WITNESS_CLUSTERS_MAX = 256;

/** One cluster as a witness sees it: what its file says, without the groups. */
export interface WitnessCluster {
  /** Name of the file without its ending: unique on this witness, unlike the cluster's own name. */
  readonly name: string;
  readonly file: string;
  readonly keyFile: string;
  /** Who this witness is in that cluster. */
  readonly self: NodeId;
  /** `groups` is empty: a witness has no use for them. */
  readonly config: Config;
  /** `FILE:LINE:COLUMN` of the addresses of the witness, for messages. */
  readonly addressesAt: string;
}

/** Why a file cannot be used: with line and column, and the next step on a line of its own. */
export interface WitnessFault {
  readonly name: string;
  readonly text: string;
}

/** All files of the directory, judged. */
export interface WitnessReading {
  readonly clusters: readonly WitnessCluster[];
  readonly faults: readonly WitnessFault[];
}

/**
 * `opening`: its storage is being read. `failed`: it was ended by an error and is tried again.
 * `unusable`: its file or key is, and there is no earlier one to go on with.
 */
export type WitnessClusterState = 'opening' | 'serving' | 'failed' | 'stopping' | 'unusable';

export interface WitnessNodeStatus {
  readonly node: NodeId;
  readonly state: PeerState;
  /** Undefined: never since this cluster was started. */
  readonly heardMsAgo: number | undefined;
  readonly reason: string;
}

export interface WitnessVote {
  readonly group: GroupId;
  readonly owner: NodeId;
  readonly epoch: Epoch;
}

export interface WitnessClusterStatus {
  readonly name: string;
  /** The cluster's own name and the witness's name in it; undefined while its file is unusable. */
  readonly cluster: string | undefined;
  readonly self: NodeId | undefined;
  readonly state: WitnessClusterState;
  /** What is wrong, in words; empty when nothing is. */
  readonly detail: string;
  /** What is wrong with its file, when it is served by an earlier one. */
  readonly fault: string | undefined;
  /** For how long it has been in this state. */
  readonly forMs: number;
  /** How often an error ended it since the process started. */
  readonly failures: number;
  readonly seat: SeatId | undefined;
  readonly links: readonly {
    readonly link: LinkId;
    readonly address: string;
    readonly port: number;
  }[];
  readonly nodes: readonly WitnessNodeStatus[];
  /** The record that it last voted for, per group. */
  readonly votes: readonly WitnessVote[];
  /** What came and did not count, and why; undefined while it does not beat. */
  readonly meters: HeartMeters | undefined;
  /** Questions that were dropped because too many writes or groups were there already. */
  readonly dropped: number;
}

export type ToWitness = { readonly type: 'status' } | { readonly type: 'reload' };

export type FromWitness =
  | { readonly type: 'cluster'; readonly status: WitnessClusterStatus }
  /** The last line of a status. */
  | {
      readonly type: 'process';
      readonly pid: number;
      readonly residentBytes: number;
      readonly directory: string;
    }
  /** The end of a reload: what was done, a line each, and what is wrong. */
  | {
      readonly type: 'reloaded';
      readonly done: readonly string[];
      readonly faults: readonly string[];
    };
