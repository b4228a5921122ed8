/** What a group of type `everywhere` can't have, for nothing of it is on one node only. */
import { type Draft, type DraftGroup, type DraftResource, RELATIONS } from './config-draft.ts';
import type { Findings } from './config-finding.ts';

const TYPE = '"type: everywhere"';
/** What is asked or told when a group goes from one node to another. */
const MOVING_HOOKS = [
  'before-failover',
  'after-failover',
  'before-failback',
  'after-failback',
] as const;
const MOVING_WORDS = ['failback', 'failback-after', 'failback-windows'] as const;
/** What is weighed when a node is chosen. */
const PLACING_WORDS = [...RELATIONS, 'needs', 'priority'] as const;

export function checkType(draft: Draft, group: DraftGroup, out: Findings): void {
  checkAfter(draft, group, out);
  const everywhere = group.type === 'everywhere';
  for (const resource of group.resources) {
    if (everywhere) checkShared(resource, out);
    checkOnFailure(resource, everywhere, out);
  }
  if (!everywhere) return;
  for (const word of [...MOVING_WORDS, ...PLACING_WORDS]) {
    if (!group.words.includes(word)) continue;
    out.error({
      path: [...group.path, word],
      found: `"${word}" in a group with ${TYPE}`,
      expected: 'a group that runs on one node at a time: this one is on all its nodes already',
      next: 'Remove it',
    });
  }
  for (const hook of MOVING_HOOKS) {
    if (!group.hooks.includes(hook)) continue;
    out.error({
      path: [...group.path, 'hooks', hook],
      found: `the hook "${hook}" in a group with ${TYPE}, which never moves`,
      expected: 'one of: before-start, after-start, on-failure, before-stop, after-stop',
      next: 'Remove it, or use before-start and after-stop, which each instance has for itself',
    });
  }
}

/** Other groups may come after one that runs everywhere, where that runs. */
function checkAfter(draft: Draft, group: DraftGroup, out: Findings): void {
  for (const [i, name] of group.relations.after.entries()) {
    const other = draft.groups.find(({ id }) => id === name);
    if (other?.type !== 'everywhere' || other === group) continue;
    const missing = (group.nodes ?? []).filter((node) => other.nodes?.includes(node) === false);
    if (missing.length === 0) continue;
    out.error({
      path: [...group.path, 'after', i],
      found: `"${name}", which does not run on ${missing.join(', ')}`,
      expected: `a group that runs on each node of "${group.id}": there it starts after it`,
      next: `Add ${missing.join(', ')} to the nodes of "${name}", or remove it here`,
    });
  }
}

/** Data that one node writes, and an address that one node holds. */
function checkShared({ path, value }: DraftResource, out: Findings): void {
  if (value?.agent === 'mirror') {
    out.error({
      path,
      found: `a mirror in a group with ${TYPE}`,
      expected: 'programs only: a mirror is written on one node at a time',
      next: 'Put the mirror, and the program that writes to it, in a group of its own without "type"',
    });
  }
  if (value?.agent === 'virtual-ip') {
    out.error({
      path,
      found: `a virtual IP in a group with ${TYPE}`,
      expected: 'programs only: an address is on one node at a time',
      next: 'Put the address in a group of its own without "type", on the same nodes',
    });
  }
}

function checkOnFailure({ path, value }: DraftResource, everywhere: boolean, out: Findings): void {
  const policy = value?.['on-failure'];
  if (everywhere && policy === 'failover') {
    out.error({
      path: [...path, 'on-failure'],
      found: `failover in a group with ${TYPE}`,
      expected: 'retry, stop or stay: it runs on the other nodes already',
      next: 'Leave it out to have the instance tried again and again (retry), or choose stop or stay',
    });
  }
  if (!everywhere && policy === 'retry') {
    out.error({
      path: [...path, 'on-failure'],
      found: `retry in a group without ${TYPE}`,
      expected: 'failover, stop or stay',
      next: 'Use failover: where nobody can take over, it is tried again here',
    });
  }
}
