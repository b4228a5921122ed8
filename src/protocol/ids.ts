/** Names of things. Branded, so that the name of a node cannot pass as that of a group. */
import type { Brand } from '../base/brand.ts';

/** A node or the witness. */
export type NodeId = Brand<string, 'NodeId'>;
export type LinkId = Brand<string, 'LinkId'>;
export type GroupId = Brand<string, 'GroupId'>;
/** A resource, unique within its group. */
export type ResourceId = Brand<string, 'ResourceId'>;
/** A mirror: its group and resource name as `GROUP.RESOURCE`, unique within the cluster. */
export type MirrorId = Brand<string, 'MirrorId'>;
/** Number of a period of ownership of a group; its mirrors use the same. Grows by one each time. */
export type Epoch = Brand<number, 'Epoch'>;
/**
 * The memory of a voter: random, made together with its storage. A voter that lost its disk comes
 * back with another one, and counts only once it was voted in anew.
 */
export type SeatId = Brand<string, 'SeatId'>;
/** One run of a heart process: 16 random bytes in hexadecimal, new at every start. */
export type BootId = Brand<string, 'BootId'>;

export function mirrorId(group: GroupId, resource: ResourceId): MirrorId {
  return `${group}.${resource}` as MirrorId;
}
