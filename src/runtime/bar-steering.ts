/**
 * Standby of a node and bans from a group, as people ask for them. Each is recorded in the record
 * of every group that it concerns, by a vote of the node that was asked: any member may.
 */
import { TakoError } from '../base/tako-error.ts';
import type { OperatorRequest } from '../core/node/node-io.ts';
import type { ClusterStatus, GroupStatus } from '../protocol/api.ts';
import { type GroupConfig, isEverywhere } from '../protocol/config.ts';
import type { GroupId, NodeId } from '../protocol/ids.ts';

export interface BarParts {
  readonly groups: readonly GroupConfig[];
  readonly status: () => ClusterStatus;
  readonly ask: (group: GroupId, request: OperatorRequest) => Promise<string>;
}

export interface Ban {
  readonly group: GroupConfig;
  readonly node: NodeId;
  readonly on: boolean;
}

export async function setStandby(
  { groups, status, ask }: BarParts,
  node: NodeId,
  on: boolean,
): Promise<string> {
  const own = groups.filter(({ nodes }) => nodes.includes(node));
  const set = async ({ id }: GroupConfig): Promise<string | undefined> => {
    try {
      await ask(id, { type: 'bar', kind: 'standby', node, on });
      return undefined;
    } catch (error) {
      if (error instanceof TakoError) return `"${id}": ${error.message}`;
      throw error;
    }
  };
  const failed = (await Promise.all(own.map(set))).filter((text) => text !== undefined);
  const word = on ? 'standby' : 'unstandby';
  if (failed.length > 0) {
    const done = own.length - failed.length;
    const what = `Cannot record "${word} ${node}" for ${failed.length} of its ${own.length} groups`;
    throw new TakoError('no-quorum', `${what} (${failed.join('; ')}); done for ${done}`, {
      next: `Run "tako ${word} ${node}" again when "tako status" shows a majority of voters`,
    });
  }
  if (!on) return `${node} is no longer in standby: it may be given groups again`;
  const wanted = status().groups.filter(({ want }) => want !== 'offline');
  const leaving = namesOf(wanted.filter(({ owner }) => owner === node));
  const stopping = namesOf(wanted.filter((group) => runsInstance(group, node)));
  const parts = [
    ...(leaving === '' ? [] : [`leaving it, one after the other: ${leaving}`]),
    ...(stopping === '' ? [] : [`stopping there: ${stopping}`]),
  ];
  return `${node} is in standby: ${parts.join('; ') || 'nothing runs there'}`;
}

function namesOf(groups: readonly GroupStatus[]): string {
  return groups.map(({ id }) => `"${id}"`).join(', ');
}

function runsInstance({ instances = [] }: GroupStatus, node: NodeId): boolean {
  return instances.some((one) => one.node === node && one.state !== 'stopped');
}

export async function setBan({ ask }: BarParts, { group, node, on }: Ban): Promise<string> {
  if (!group.nodes.includes(node)) {
    throw new TakoError('no-such-node', `"${group.id}" never runs on ${node}`, {
      next: `Use one of its nodes: ${group.nodes.join(', ')}`,
    });
  }
  await ask(group.id, { type: 'bar', kind: 'ban', node, on });
  const goes = isEverywhere(group) ? 'is stopped' : 'leaves as soon as it can';
  return on
    ? `"${group.id}" is banned from ${node}; if it runs there, it ${goes}`
    : `"${group.id}" may run on ${node} again`;
}
