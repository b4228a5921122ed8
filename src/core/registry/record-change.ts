/**
 * The changes that the record of a group can undergo, as data: evaluated by the proposer against
 * the present record, within one vote. Every change names the epoch that it was decided for, so
 * that a decision made on old knowledge is rejected instead of applied.
 */
import { unreachable } from '../../base/assert.ts';
import type { Epoch, NodeId, ResourceId } from '../../protocol/ids.ts';
import type { Electorate, Maintenance, OwnershipRecord } from '../../protocol/record.ts';
import { type BarChange, barOf, withBar } from './bars.ts';
import { leftAlone, type MaintenanceChange, withMaintenance } from './maintenance.ts';
import { type Seats, electorate, sameVoters } from './electorate.ts';
import { type ForceChange, evaluateForce, withoutKept } from './forced-line.ts';

export type RecordChange =
  /** Learn the present record; writes it once more so that every voter has it. */
  | { readonly type: 'read' }
  /** The very first record of a group. */
  | {
      readonly type: 'create';
      readonly owner: NodeId;
      readonly mirrors: readonly ResourceId[];
      /** Nodes that are in standby for other groups already. */
      readonly standby?: readonly NodeId[] | undefined;
      /** Nodes, or the cluster, that are in maintenance already. */
      readonly maintenance?: readonly Maintenance[] | undefined;
    }
  /** Take over from a lost owner, or start anew after a restart of one's own. */
  | { readonly type: 'claim'; readonly owner: NodeId; readonly epoch: Epoch }
  /** Hand over a group that is stopped, its copies equal; to the same node: start it again. */
  | {
      readonly type: 'transfer';
      readonly to: NodeId;
      readonly epoch: Epoch;
      /** An administrator chose that node. */
      readonly byHand: boolean;
    }
  | {
      readonly type: 'expel' | 'admit';
      readonly owner: NodeId;
      readonly epoch: Epoch;
      readonly mirror: ResourceId;
      readonly peer: NodeId;
    }
  | { readonly type: 'want'; readonly want: 'online' | 'offline' }
  | ForceChange
  | BarChange
  | MaintenanceChange
  /** First half of a change of voters: from now on both electorates are needed. */
  | {
      readonly type: 'joinVoters';
      readonly owner: NodeId;
      readonly epoch: Epoch;
      readonly voters: Electorate;
    }
  /**
   * Second half: the former ones are not needed any more. To be proposed only by who knows that a
   * record that names just these two electorates was chosen.
   */
  | {
      readonly type: 'settleVoters';
      readonly owner: NodeId;
      readonly epoch: Epoch;
      readonly voters: Electorate;
      readonly formerVoters: Electorate;
    };

export type Evaluation =
  | { readonly type: 'write'; readonly record: OwnershipRecord }
  /** It is so already; written again all the same, to settle any unfinished vote. */
  | { readonly type: 'settled'; readonly record: OwnershipRecord }
  | { readonly type: 'empty' }
  | {
      readonly type: 'rejected';
      readonly record: OwnershipRecord | undefined;
      readonly why: string;
    };

type Present = OwnershipRecord | undefined;

/**
 * What `change` makes of the present record. Pure; the same on every node. `seats`: who answered,
 * and with which memory; a first record is made by all of them.
 */
export function evaluate(change: RecordChange, present: Present, seats: Seats): Evaluation {
  if (change.type === 'read') {
    return present === undefined ? { type: 'empty' } : { type: 'settled', record: present };
  }
  if (change.type === 'create') return evaluateCreate(change, present, seats);
  if (change.type === 'force') return evaluateForce(change, present, seats);
  if (present === undefined) return reject(present, 'the group has no record yet');
  switch (change.type) {
    case 'claim':
      return evaluateClaim(change, present);
    case 'transfer':
      return evaluateTransfer(change, present);
    case 'expel':
    case 'admit':
      return evaluateCopy(change, present);
    case 'want':
      if (present.want === change.want) return { type: 'settled', record: present };
      return { type: 'write', record: { ...present, want: change.want } };
    case 'bar':
      return withBar(change, present);
    case 'maintain':
      return withMaintenance(change, present);
    case 'joinVoters':
      return evaluateJoin(change, present);
    case 'settleVoters':
      return evaluateSettle(change, present);
    default:
      return unreachable(change);
  }
}

function reject(record: Present, why: string): Evaluation {
  return { type: 'rejected', record, why };
}

function evaluateCreate(
  change: Extract<RecordChange, { type: 'create' }>,
  present: Present,
  seats: Seats,
): Evaluation {
  if (present !== undefined) {
    if (present.epoch === 1 && present.owner === change.owner) {
      return { type: 'settled', record: present };
    }
    return reject(present, 'the group has a record already');
  }
  const inSync: Record<ResourceId, readonly NodeId[]> = {};
  for (const mirror of change.mirrors) inSync[mirror] = [change.owner];
  return {
    type: 'write',
    record: {
      epoch: 1 as Epoch,
      owner: change.owner,
      inSync,
      want: 'online',
      voters: electorate([...seats].map(([node, seat]) => ({ node, seat }))),
      ...((change.standby?.length ?? 0) > 0 && { standby: change.standby }),
      ...((change.maintenance?.length ?? 0) > 0 && { maintenance: change.maintenance }),
    },
  };
}

function evaluateClaim(
  change: Extract<RecordChange, { type: 'claim' }>,
  present: OwnershipRecord,
): Evaluation {
  const next = (change.epoch + 1) as Epoch;
  if (present.epoch === next && present.owner === change.owner) {
    return { type: 'settled', record: present };
  }
  if (present.epoch !== change.epoch) {
    return reject(present, `the record moved on to epoch ${present.epoch}`);
  }
  for (const [mirror, nodes] of Object.entries(present.inSync)) {
    if (!nodes.includes(change.owner)) {
      return reject(present, `the copy of "${mirror}" on ${change.owner} is not in sync`);
    }
  }
  const barred = change.owner === present.owner ? undefined : barOf(present, change.owner);
  if (barred !== undefined) return reject(present, `${change.owner} ${barred}`);
  if (change.owner !== present.owner && leftAlone(present) !== undefined) {
    return reject(present, 'the group is in maintenance');
  }
  const inSync: Record<ResourceId, readonly NodeId[]> = {};
  for (const mirror of Object.keys(present.inSync)) inSync[mirror as ResourceId] = [change.owner];
  const byHand = change.owner === present.owner ? present.byHand : undefined;
  return {
    type: 'write',
    record: { ...present, epoch: next, owner: change.owner, inSync, byHand },
  };
}

function evaluateTransfer(
  change: Extract<RecordChange, { type: 'transfer' }>,
  present: OwnershipRecord,
): Evaluation {
  const next = (change.epoch + 1) as Epoch;
  if (present.epoch === next && present.owner === change.to) {
    return { type: 'settled', record: present };
  }
  if (present.epoch !== change.epoch) {
    return reject(present, `the record moved on to epoch ${present.epoch}`);
  }
  for (const [mirror, nodes] of Object.entries(present.inSync)) {
    if (!nodes.includes(change.to)) {
      return reject(present, `the copy of "${mirror}" on ${change.to} is not in sync`);
    }
  }
  const barred = change.to === present.owner ? undefined : barOf(present, change.to);
  if (barred !== undefined) return reject(present, `${change.to} ${barred}`);
  const byHand = change.to === present.owner ? present.byHand : change.byHand || undefined;
  return { type: 'write', record: { ...present, epoch: next, owner: change.to, byHand } };
}

function evaluateCopy(
  change: Extract<RecordChange, { type: 'expel' | 'admit' }>,
  present: OwnershipRecord,
): Evaluation {
  const refused = notTheOwners(change, present);
  if (refused !== undefined) return refused;
  const nodes = present.inSync[change.mirror] ?? [change.owner];
  const listed = nodes.includes(change.peer);
  if (listed === (change.type === 'admit')) return { type: 'settled', record: present };
  const others = nodes.filter((node) => node !== change.peer);
  const after = change.type === 'admit' ? [...others, change.peer].sort() : others;
  const inSync = { ...present.inSync, [change.mirror]: after };
  if (change.type === 'expel' || present.keptAside === undefined) {
    return { type: 'write', record: { ...present, inSync } };
  }
  const keptAside = withoutKept(present, change.mirror, change.peer);
  return { type: 'write', record: { ...present, inSync, keptAside } };
}

function evaluateJoin(
  change: Extract<RecordChange, { type: 'joinVoters' }>,
  present: OwnershipRecord,
): Evaluation {
  const refused = notTheOwners(change, present);
  if (refused !== undefined) return refused;
  if (sameVoters(present.voters, change.voters)) return { type: 'settled', record: present };
  if (present.formerVoters !== undefined) {
    return reject(present, 'another change of the voters is under way');
  }
  const { voters } = change;
  return { type: 'write', record: { ...present, voters, formerVoters: present.voters } };
}

function evaluateSettle(
  change: Extract<RecordChange, { type: 'settleVoters' }>,
  present: OwnershipRecord,
): Evaluation {
  const refused = notTheOwners(change, present);
  if (refused !== undefined) return refused;
  const { voters, formerVoters } = present;
  if (!sameVoters(voters, change.voters)) return reject(present, 'the voters are others by now');
  if (formerVoters === undefined) return { type: 'settled', record: present };
  if (!sameVoters(formerVoters, change.formerVoters)) {
    return reject(present, 'the voters are others by now');
  }
  return { type: 'write', record: { ...present, formerVoters: undefined } };
}

function notTheOwners(
  change: { readonly owner: NodeId; readonly epoch: Epoch },
  present: OwnershipRecord,
): Evaluation | undefined {
  if (present.epoch === change.epoch && present.owner === change.owner) return undefined;
  return reject(present, `${present.owner} owns the group at epoch ${present.epoch}`);
}
