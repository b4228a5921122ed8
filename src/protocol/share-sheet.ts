/**
 * What one node writes of itself on a share that is a witness (`src/core/share-witness`). Nobody
 * else ever writes it; whoever votes reads those of all nodes.
 */
import type { Epoch, GroupId, NodeId } from './ids.ts';
import type { Ballot, VotedRecord } from './record.ts';

/** The part of the share's acceptor that this node has written. */
export interface SheetVote {
  readonly group: GroupId;
  readonly promised: Ballot;
  readonly accepted: VotedRecord | undefined;
}

/** While it stands the share upholds nobody else for a group, at any epoch below this one. */
export interface SheetBar {
  readonly group: GroupId;
  readonly owner: NodeId;
  readonly below: Epoch;
}

/** The node seeks the lease of a group, and may hold a promise of the share. */
export interface SheetClaim {
  readonly group: GroupId;
  readonly epoch: Epoch;
  /** The sheet's count of renewals when this one was renewed: never the same twice. */
  readonly renewed: number;
  readonly held: boolean;
  /** So long may a promise bind, reckoned on any clock. */
  readonly termMs: number;
}

export interface Sheet {
  /** Renewals of claims by this node, over all its lives. */
  readonly renewals: number;
  readonly votes: readonly SheetVote[];
  readonly bars: readonly SheetBar[];
  readonly claims: readonly SheetClaim[];
}

export const EMPTY_SHEET: Sheet = { renewals: 0, votes: [], bars: [], claims: [] };
/** Groups that a share votes for, all that a configuration may have: a sheet has a fixed size. */
export const SHARE_GROUPS_MAX = 64;
