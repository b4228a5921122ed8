/**
 * On which nodes a group of type `everywhere` belongs: on each that is allowed, healthy, has room
 * and nothing that it must be apart from. It never displaces anybody, for it has other nodes. A
 * node that it should leave (standby, failed there) keeps it only if no other node has it.
 */
import { must } from '../../base/assert.ts';
import { type Entry, type Look, type Outcome } from './look.ts';
import { NOWHERE } from './standing.ts';
import { groupName, nodeName, obstacleClause, refusal } from './words.ts';

export function chooseEverywhere(look: Look): Outcome {
  const group = must(look.unit.members[0], 'a unit has members');
  const entries: Entry[] = [];
  const reluctant: { readonly node: number; readonly why: string }[] = [];
  const missing = look.shapeOf(group).after.find((other) => !look.view.willRun(other));
  for (const node of nodesOf(look, group)) {
    const found = instance(look, group, node, missing);
    if (typeof found === 'string') reluctant.push({ node, why: found });
    else entries.push(found);
  }
  const elsewhere = entries.some(({ target, wait }) => target >= 0 && !wait);
  for (const { node, why } of reluctant) {
    const name = nodeName(look, node);
    entries.push(
      elsewhere
        ? entry(group, node, NOWHERE, `not on ${name}, ${why}`)
        : entry(
            group,
            node,
            node,
            `${name}: stays, though it should leave ${name}, ${why}: no other node has it`,
          ),
    );
  }
  if (entries.length === 0) {
    entries.push(entry(group, NOWHERE, NOWHERE, 'nowhere: it has no node; next: allow one'));
  }
  return {
    entries: entries.toSorted((a, b) => a.instance - b.instance),
    displaced: [],
    back: undefined,
  };
}

function nodesOf(look: Look, group: number): readonly number[] {
  const { preferred, rest } = look.unit;
  const all = new Set([...preferred, ...rest, ...look.now(group).runsOn]);
  return [...all].toSorted((a, b) => a - b);
}

/** An entry, or, where it should leave if another node has it, the words for why. */
function instance(
  look: Look,
  group: number,
  node: number,
  missing: number | undefined,
): Entry | string {
  const standing = look.standingAt(group, node);
  const name = nodeName(look, node);
  switch (standing.kind) {
    case 'off':
      return entry(group, node, NOWHERE, `wanted offline`);
    case 'fixed': {
      const { target, wait, why } = { ...standing, target: standing.node };
      const where = target < 0 ? 'nowhere' : `${name}: ${wait ? 'waits' : 'left as it is'}`;
      const reason = target < 0 ? `${where}: ${why}` : `${where}, ${why}`;
      return { ...entry(group, node, target, reason), wait };
    }
    case 'leaving':
    case 'content': {
      const pushed = pushedOut(look, group, node);
      if (pushed !== undefined) return entry(group, node, NOWHERE, `not on ${name}: ${pushed}`);
      if (standing.kind === 'content') {
        return entry(group, node, node, `${name}: runs here and stays`);
      }
      if (!standing.hard) return obstacleClause(standing.obstacle);
      return entry(group, node, NOWHERE, `not on ${name}, ${obstacleClause(standing.obstacle)}`);
    }
    case 'idle': {
      if (missing !== undefined) {
        const why = `it comes after ${groupName(look, missing)}, which is not going to run`;
        return entry(group, node, NOWHERE, `not on ${name}: ${why}`);
      }
      const why = refusal(look, [group], node);
      if (why !== undefined) return entry(group, node, NOWHERE, `not on ${name}: ${why.text}`);
      return entry(group, node, node, `${name}: runs everywhere`);
    }
  }
}

/** Why more important groups leave it no place on a node where it runs. */
function pushedOut(look: Look, group: number, node: number): string | undefined {
  const rival = look.rival(group, look.superiors(node));
  if (rival !== undefined) {
    return `${groupName(look, rival)} runs there, from which it must be apart`;
  }
  if (look.displacer(node) === undefined || look.lacking(node, [group]) < 0) return undefined;
  return 'it makes room for something more important';
}

function entry(group: number, instance: number, target: number, reason: string): Entry {
  return { group, instance, target, wait: false, reason };
}
