/**
 * Starting and stopping groups of type `everywhere`, as people ask for it: everywhere, by what is
 * recorded as wanted, or on one node, by a ban of that node. What is recorded is obeyed by nodes that
 * do not answer now as soon as they are back.
 */
import { TakoError } from '../base/tako-error.ts';
import type { OperatorRequest } from '../core/node/node-io.ts';
import type { Clock } from '../ports/clock.ts';
import type { Timer } from '../ports/timer.ts';
import type { GroupStatus, InstanceStatus } from '../protocol/api.ts';
import type { GroupConfig } from '../protocol/config.ts';
import type { NodeId } from '../protocol/ids.ts';
import { until } from './until.ts';

export interface EverywhereParts {
  readonly me: NodeId;
  readonly clock: Clock;
  readonly timer: Timer;
  /** Whether it can be asked now; waits a moment for one that is heard but not connected yet. */
  readonly reach: (node: NodeId) => Promise<boolean>;
  readonly status: (group: GroupConfig) => GroupStatus;
  readonly at: (node: NodeId, group: GroupConfig, request: OperatorRequest) => Promise<string>;
}

/** How long an instance that was banned may take to stop, as the person waits. */
const STOPPED_TIMEOUT_MS = 50_000;

/** Has all instances start or stop; resolves when those that answer have. */
export async function setEverywhere(
  parts: EverywhereParts,
  group: GroupConfig,
  type: 'start' | 'stop',
): Promise<string> {
  const { at, me, reach } = parts;
  const reached = await Promise.all(group.nodes.map(reach));
  const there = group.nodes.filter((_, index) => reached[index]);
  const first = there.includes(me) ? me : (there[0] ?? me);
  // The first one records it, the others find it recorded.
  const outcomes = [await asked(() => at(first, group, { type }))];
  const rest = there.filter((node) => node !== first);
  outcomes.push(...(await Promise.all(rest.map((node) => asked(() => at(node, group, { type }))))));
  const away = group.nodes.filter((node) => !there.includes(node));
  const obeys = type === 'start' ? 'starts it' : 'stops it';
  const later = away.map((node) => `${node} does not answer: it ${obeys} when it is back`);
  const text = [...outcomes.map((outcome) => outcome.text), ...later].join('; ');
  const failed = outcomes.find(({ error }) => error !== undefined)?.error;
  if (failed === undefined) return text;
  const next = `See "tako status" and "tako why ${group.id}"`;
  throw new TakoError(failed.code, text, { next, cause: failed });
}

interface Outcome {
  readonly text: string;
  readonly error: TakoError | undefined;
}

/** Throws what concerns all: that nothing could be recorded, or that another request is under way. */
async function asked(ask: () => Promise<string>): Promise<Outcome> {
  try {
    return { text: await ask(), error: undefined };
  } catch (error) {
    if (!(error instanceof TakoError)) throw error;
    if (error.code === 'no-quorum' || error.code === 'busy') throw error;
    return { text: error.message, error };
  }
}

/** Ends the instance of one node, and keeps it from starting there. */
export async function stopOn(
  parts: EverywhereParts,
  group: GroupConfig,
  node: NodeId,
): Promise<string> {
  checkMember(group, node);
  await parts.at(parts.me, group, { type: 'bar', kind: 'ban', node, on: true });
  const recorded = `"${group.id}" is banned from ${node}`;
  if (!(await parts.reach(node))) {
    return `${recorded}; ${node} does not answer: what runs there goes on until it is back`;
  }
  const isStopped = (): boolean => instance(parts, group, node)?.state === 'stopped';
  const stopped = await until(parts, isStopped, STOPPED_TIMEOUT_MS);
  if (stopped) return `"${group.id}" is stopped on ${node}, until it is started there`;
  const found = instance(parts, group, node);
  const text = `${recorded}, but is ${found?.state ?? 'unknown'} there: ${found?.reason ?? ''}`;
  throw new TakoError('timed-out', text, { next: `See "tako why ${group.id}"` });
}

/** Lets the group run on that node again, and tries anew what failed there. */
export async function startOn(
  parts: EverywhereParts,
  group: GroupConfig,
  node: NodeId,
): Promise<string> {
  checkMember(group, node);
  await parts.at(parts.me, group, { type: 'bar', kind: 'ban', node, on: false });
  if (parts.status(group).want === 'offline') {
    const next = `"tako group start ${group.id}" starts it`;
    return `"${group.id}" may run on ${node}, but is stopped everywhere: ${next}`;
  }
  if (await parts.reach(node)) return parts.at(node, group, { type: 'start' });
  return `"${group.id}" may run on ${node}, which does not answer: it starts it when it is back`;
}

/** Whatever needs an owner. */
export function refuseMove({ id }: GroupConfig, what: string): TakoError {
  const text = `Cannot ${what} "${id}": it runs on each of its nodes at once, and nobody owns it`;
  const next = `"tako group stop ${id} --node NODE" ends it on one node, "start" lets it run there again`;
  return new TakoError('runs-everywhere', text, { next });
}

function checkMember({ id, nodes }: GroupConfig, node: NodeId): void {
  if (nodes.includes(node)) return;
  throw new TakoError('no-such-node', `"${id}" never runs on ${node}`, {
    next: `Use one of its nodes: ${nodes.join(', ')}`,
  });
}

function instance(
  parts: EverywhereParts,
  group: GroupConfig,
  node: NodeId,
): InstanceStatus | undefined {
  return parts.status(group).instances?.find((one) => one.node === node);
}
