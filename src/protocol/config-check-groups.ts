/** Checks within and between groups: nodes, order, mirrors, virtual IPs, ports. */
import type { Draft, DraftGroup, DraftResource } from './config-draft.ts';
import { type Findings, suggest } from './config-finding.ts';
import { BASE_PORT_DEFAULT, MIRROR_PORT_OFFSET } from './config-normalize.ts';
import { checkFailback, checkResourcePolicy } from './config-check-policy.ts';
import { checkType } from './config-check-type.ts';
import { MIRRORS_MAX } from './config-schema.ts';
import { isWithin } from './config-words.ts';

/** Directories of the system itself, which no secondary could guard without breaking. */
const SYSTEM_DIRECTORIES = [
  '/',
  '/bin',
  '/boot',
  '/etc',
  '/home',
  '/lib',
  '/lib64',
  '/root',
  '/run',
  '/sbin',
  '/tmp',
  '/usr',
  '/usr/bin',
  '/usr/lib',
  '/var',
  '/var/lib',
  '/var/tmp',
];
const KERNEL_TREES = ['/dev', '/proc', '/sys'];
/** Tako's own, in their usual places. */
const OWN_TREES = ['/run/tako', '/var/lib/tako', '/etc/tako'];

export function checkGroups(draft: Draft, out: Findings): void {
  for (const group of draft.groups) {
    checkGroupNodes(draft, group, out);
    checkOrder(group, out);
    checkStay(group, out);
    checkFailback(group, out);
    checkType(draft, group, out);
    for (const resource of group.resources) {
      checkVirtualIp(draft, group, resource, out);
      checkReadyPort(draft, resource, out);
      checkResourcePolicy(resource, out);
    }
  }
  checkMirrors(draft, out);
}

function checkGroupNodes(draft: Draft, group: DraftGroup, out: Findings): void {
  const known = draft.nodes.map(({ id }) => id);
  for (const [i, id] of (group.nodes ?? []).entries()) {
    const path = [...group.path, 'nodes', i];
    const isWitness = draft.witnesses.some((witness) => witness.id === id);
    if (!known.includes(id)) {
      out.error({
        path,
        found: isWitness ? `the witness "${id}"` : `the node "${id}", which does not exist`,
        expected: `one of the nodes: ${known.join(', ')}`,
        next: isWitness
          ? 'Leave it out: a witness votes and runs nothing'
          : suggest(id, known, 'Add it under "nodes" or correct the name'),
      });
    } else if (group.nodes?.indexOf(id) !== i) {
      out.error({
        path,
        found: `"${id}" for the second time`,
        expected: 'each node once, the preferred one first',
        next: 'Remove one of the two',
      });
    }
  }
  const hasMirror = group.resources.some(({ value }) => value?.agent === 'mirror');
  if (hasMirror && group.nodes?.length === 1 && draft.nodes.length > 1) {
    out.warning({
      path: [...group.path, 'nodes'],
      found: 'one node for a group with a mirror',
      expected: 'two or more: with one there is no second copy',
      next: 'Add the node that shall hold the copy',
    });
  }
}

/** The resources that must be started before this one, by the words and the default. */
function startsAfter(group: DraftGroup, at: number): readonly string[] {
  const given = group.resources[at]?.value?.after;
  if (given !== undefined) return given;
  const previous = at > 0 ? group.resources[at - 1]?.id : undefined;
  return previous === undefined ? [] : [previous];
}

function checkOrder(group: DraftGroup, out: Findings): void {
  const ids = group.resources.map(({ id }) => id);
  for (const { id, path, value } of group.resources) {
    for (const [i, other] of (value?.after ?? []).entries()) {
      if (ids.includes(other) && other !== id) continue;
      out.error({
        path: [...path, 'after', i],
        found:
          other === id ? `"${id}" itself` : `the resource "${other}", which does not exist here`,
        expected: `other resources of the group "${group.id}": ${ids.filter((o) => o !== id).join(', ')}`,
        next: suggest(
          other,
          ids.filter((o) => o !== id),
          'Name a resource of the same group, or [] for none',
        ),
      });
    }
  }
  const cycle = findCycle(group, ids);
  if (cycle === undefined) return;
  const culprit = group.resources.find(
    ({ id, value }) => cycle.includes(id) && value?.after?.length,
  );
  out.error({
    path: culprit === undefined ? [...group.path, 'resources'] : [...culprit.path, 'after'],
    found: `a circle: ${cycle.join(' after ')}`,
    expected: 'an order in which something can start first',
    next: 'Change one "after" of the circle (without one, a resource comes after the one listed before it)',
  });
}

/** Some circle of `after`, its first member repeated at the end. */
function findCycle(group: DraftGroup, ids: readonly string[]): string[] | undefined {
  const done = new Set<string>();
  const visit = (id: string, trail: readonly string[]): string[] | undefined => {
    if (trail.includes(id)) return [...trail.slice(trail.indexOf(id)), id];
    if (done.has(id) || !ids.includes(id)) return undefined;
    for (const other of startsAfter(group, ids.indexOf(id))) {
      if (other === id) continue;
      const cycle = visit(other, [...trail, id]);
      if (cycle !== undefined) return cycle;
    }
    done.add(id);
    return undefined;
  };
  for (const id of ids) {
    const cycle = visit(id, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

/** What comes after a resource that may be left failed goes down with it. */
function checkStay(group: DraftGroup, out: Findings): void {
  for (const [at, { id, path, value }] of group.resources.entries()) {
    if (value === undefined || value.agent === 'virtual-ip') continue;
    if (value['on-failure'] === 'stay') continue;
    const below = startsAfter(group, at).find((name) => {
      const other = group.resources.find((resource) => resource.id === name);
      return other?.value?.['on-failure'] === 'stay';
    });
    if (below === undefined) continue;
    out.warning({
      path: value.after === undefined ? path : [...path, 'after'],
      found: `"${id}" after "${below}", which is left failed when restarts do not help`,
      expected: `nothing that matters after "${below}": it cannot run without it`,
      next: `Name in "after" of "${id}" only what it needs, or set "on-failure: stay" there too`,
    });
  }
}

function checkVirtualIp(
  draft: Draft,
  group: DraftGroup,
  resource: DraftResource,
  out: Findings,
): void {
  const { value } = resource;
  if (value?.agent !== 'virtual-ip') return;
  const path = [...resource.path, 'link'];
  const link = draft.links.find(({ id }) => id === value.link);
  if (link === undefined) {
    out.error({
      path,
      found: `the link "${value.link}", which does not exist`,
      expected: `one of the links: ${draft.links.map(({ id }) => id).join(', ')}`,
      next: suggest(
        value.link,
        draft.links.map(({ id }) => id),
        'Add it under "links" or correct the name',
      ),
    });
    return;
  }
  for (const id of group.nodes ?? []) {
    const node = draft.nodes.find((candidate) => candidate.id === id);
    // Without any address it has been reported already.
    if (node?.addresses === undefined || node.addresses.size === 0) continue;
    if (node.addresses.has(value.link)) continue;
    out.error({
      path,
      found: `the link "${value.link}", on which "${id}" has no address`,
      expected: 'a link that every node of the group is on',
      next: `Give "${id}" an address on it, or choose another link`,
    });
  }
  if (link.direct) {
    out.warning({
      path,
      found: `the direct link "${value.link}"`,
      expected: 'the link that the clients reach: on a cable between two nodes there are none',
      next: 'Choose the link of the local network',
    });
  }
}

function checkReadyPort(draft: Draft, { path, value }: DraftResource, out: Findings): void {
  if (value?.agent !== 'process' || value['ready-port'] === undefined) return;
  const base = draft.basePort ?? BASE_PORT_DEFAULT;
  const top = base + MIRROR_PORT_OFFSET + Math.max(0, mirrorsOf(draft).length - 1);
  const port = value['ready-port'];
  if (port < base || port > top) return;
  out.error({
    path: [...path, 'ready-port'],
    found: `${port}, a port that Tako uses itself (${base} to ${top})`,
    expected: 'a port of the program',
    next: 'Let the program use another port, or set "base-port"',
  });
}

interface DraftMirror {
  readonly group: DraftGroup;
  readonly resource: DraftResource;
  readonly directory: string;
}

function mirrorsOf(draft: Draft): DraftMirror[] {
  return draft.groups.flatMap((group) =>
    group.resources.flatMap((resource) =>
      resource.value?.agent === 'mirror'
        ? [{ group, resource, directory: resource.value.path }]
        : [],
    ),
  );
}

function checkMirrors(draft: Draft, out: Findings): void {
  const mirrors = mirrorsOf(draft);
  for (const [i, mirror] of mirrors.entries()) {
    const path = [...mirror.resource.path, 'path'];
    checkDirectory(mirror.directory, path, out);
    for (const other of mirrors.slice(0, i)) {
      if (!mayShareNode(mirror.group, other.group)) continue;
      const relation = relationOf(mirror.directory, other.directory);
      if (relation === undefined) continue;
      out.error({
        path,
        found: `${mirror.directory}, which ${relation} the mirror "${other.group.id}.${other.resource.id}"`,
        expected: 'directories of which none lies inside another',
        next: 'Protect the outer directory only, or separate the two',
      });
    }
  }
  if (mirrors.length > MIRRORS_MAX) {
    out.error({
      path: ['groups'],
      found: `${mirrors.length} mirrors`,
      expected: `at most ${MIRRORS_MAX} in a cluster`,
      next: 'Put directories that belong together below one mirror',
    });
  }
}

function relationOf(inner: string, outer: string): string | undefined {
  if (inner === outer) return 'is also';
  if (isWithin(inner, outer)) return `lies inside ${outer},`;
  return isWithin(outer, inner) ? `contains ${outer},` : undefined;
}

function mayShareNode(a: DraftGroup, b: DraftGroup): boolean {
  if (a.nodes === undefined || b.nodes === undefined || a === b) return true;
  return a.nodes.some((node) => b.nodes?.includes(node));
}

function checkDirectory(
  directory: string,
  path: readonly (string | number)[],
  out: Findings,
): void {
  const belongs = [...KERNEL_TREES, ...OWN_TREES].some((tree) => isWithin(directory, tree));
  if (!belongs && !SYSTEM_DIRECTORIES.includes(directory)) return;
  out.error({
    path,
    found: `${directory}, a directory of the system`,
    expected: "a directory that holds a service's data, such as /srv/ledger",
    next: 'Protect only the directory with the data',
  });
}
