/**
 * What the parts of a configuration must be to one another. Each check looks at a {@link Draft},
 * so it also runs on a file whose other parts are faulty, and adds what it finds to `out`.
 */
import { normalizeTiming } from './config-normalize.ts';
import { checkWithoutWitness, warnOfTwoVoters } from './config-check-fences.ts';
import { checkRegistry } from './config-check-registry.ts';
import { checkGroups } from './config-check-groups.ts';
import { checkRelations } from './config-check-relations.ts';
import type { Draft, DraftMember } from './config-draft.ts';
import { type ConfigFinding, type ConfigPath, type Findings, suggest } from './config-finding.ts';
import { formatDuration, parseAddress } from './config-words.ts';

export function checkDraft(draft: Draft): ConfigFinding[] {
  const all: ConfigFinding[] = [];
  const out: Findings = {
    error: (finding) => all.push({ severity: 'error', ...finding }),
    warning: (finding) => all.push({ severity: 'warning', ...finding }),
  };
  checkTiming(draft, out);
  checkMembers(draft, out);
  checkAddresses(draft, out);
  checkPaths(draft, out);
  checkDirectLinks(draft, out);
  checkVotes(draft, out);
  checkWithoutWitness(draft, out);
  checkRegistry(draft, out);
  checkGroups(draft, out);
  checkRelations(draft, out);
  return all;
}

interface TimingRule {
  readonly key: string;
  readonly holds: boolean;
  readonly found: number;
  readonly expected: string;
  readonly next: string;
}

function checkTiming(draft: Draft, out: Findings): void {
  if (draft.timing === undefined) return;
  const t = normalizeTiming(draft.timing);
  const lifeMs = t.addressLifeSeconds * 1000;
  const show = formatDuration;
  const range = (key: string, found: number, low: number, high: number): TimingRule => ({
    key,
    holds: found >= low && found <= high,
    found,
    expected: `from ${show(low)} to ${show(high)}`,
    next: `Set timing.${key} to a value in that range, or leave it out for the default`,
  });
  const atLeast = (key: string, found: number, low: number, why: string): TimingRule => ({
    key,
    holds: found >= low,
    found,
    expected: `at least ${show(low)} (${why})`,
    next: `Raise timing.${key}, or lower what it depends on`,
  });
  const rules: TimingRule[] = [
    range('heartbeat', t.heartbeatMs, 10, 5000),
    range('lease', t.leaseMs, 40, 60_000),
    range('node-lost', t.nodeLostMs, 60, 300_000),
    range('secondary-lost', t.secondaryLostMs, 50, 300_000),
    range('suspend-grace', t.suspendGraceMs, 100, 3_600_000),
    range('address-life', lifeMs, 2000, 60_000),
    atLeast('lease', t.leaseMs, 4 * t.heartbeatMs, 'four heartbeats'),
    atLeast(
      'node-lost',
      t.nodeLostMs,
      t.leaseMs + 2 * t.heartbeatMs,
      'the lease and two heartbeats',
    ),
    atLeast('address-life', lifeMs, 2 * t.leaseMs, 'two leases'),
    atLeast('suspend-grace', t.suspendGraceMs, t.leaseMs, 'one lease'),
    {
      key: 'address-life',
      holds: lifeMs % 1000 === 0,
      found: lifeMs,
      expected: 'whole seconds, as the kernel counts them',
      next: 'Write it as 3s, for example',
    },
  ];
  const reported = new Set<string>();
  for (const rule of rules.filter(({ holds }) => !holds)) {
    // One fault per key: a value out of range breaks its dependencies as well.
    if (reported.has(rule.key)) continue;
    reported.add(rule.key);
    const { key, expected, next } = rule;
    const given = key in draft.timing;
    out.error({
      path: given ? ['timing', key] : ['timing'],
      found: given ? show(rule.found) : `${key} of ${show(rule.found)}, its default`,
      expected,
      next,
    });
  }
}

function checkMembers(draft: Draft, out: Findings): void {
  const links = draft.links.map(({ id }) => id);
  for (const member of [...draft.nodes, ...draft.witnesses]) {
    for (const link of member.addresses?.keys() ?? []) {
      if (links.includes(link)) continue;
      out.error({
        path: [...member.path, link],
        atKey: true,
        found: `the link "${link}", which does not exist`,
        expected: `one of the links: ${links.join(', ')}`,
        next: suggest(link, links, 'Add it under "links" or correct the name'),
      });
    }
    if (member.addresses?.size === 0) {
      out.error({
        path: member.path,
        found: 'no address',
        expected: 'an address on at least one link',
        next: `Write, for example, ${member.id}: { ${links[0] ?? 'lan'}: 10.77.0.1 }`,
      });
    }
  }
  for (const witness of draft.witnesses) {
    if (!draft.nodes.some(({ id }) => id === witness.id)) continue;
    out.error({
      path: witness.path,
      atKey: true,
      found: `"${witness.id}", which is also a node`,
      expected: 'a machine that is not a node: it must live when a node dies',
      next: 'Name a third machine, or leave the witness out',
    });
  }
  checkCommonLinks([...draft.nodes, ...draft.witnesses], out);
}

/** Two members without a common link can never hear each other. */
function checkCommonLinks(members: readonly DraftMember[], out: Findings): void {
  for (const [i, member] of members.entries()) {
    for (const other of members.slice(0, i)) {
      const [mine, theirs] = [member.addresses, other.addresses];
      // A member without any address has been reported already.
      if (mine === undefined || theirs === undefined || mine.size * theirs.size === 0) continue;
      if (member.id === other.id || [...mine.keys()].some((link) => theirs.has(link))) continue;
      out.error({
        path: member.path,
        found: `"${member.id}" and "${other.id}" have no link in common`,
        expected: 'at least one link on which both have an address',
        next: 'Give both an address on the same link',
      });
    }
  }
}

/** No address twice, and no virtual IP that belongs to a machine. */
function checkAddresses(draft: Draft, out: Findings): void {
  const seen = new Map<string, string>();
  const take = (path: ConfigPath, text: string, what: string): void => {
    const canonical = parseAddress(text)?.canonical;
    if (canonical === undefined) return;
    const holder = seen.get(canonical);
    if (holder === undefined) {
      seen.set(canonical, what);
      return;
    }
    out.error({
      path,
      found: `${text}, which is already ${holder}`,
      expected: 'an address that is used once',
      next: 'Give each node, link and virtual IP an address of its own',
    });
  };
  for (const member of [...draft.nodes, ...draft.witnesses]) {
    for (const [link, text] of member.addresses ?? []) {
      take([...member.path, link], text, `the address of "${member.id}" on link "${link}"`);
    }
  }
  for (const group of draft.groups) {
    for (const { id, path, value } of group.resources) {
      if (value?.agent !== 'virtual-ip') continue;
      const text = value.address.slice(0, value.address.indexOf('/'));
      take([...path, 'address'], text, `the virtual IP "${group.id}.${id}"`);
    }
  }
}

function checkPaths(draft: Draft, out: Findings): void {
  if (draft.keyFile === undefined) return;
  for (const { path, value } of draft.groups.flatMap(({ resources }) => resources)) {
    if (value?.agent !== 'mirror' || !draft.keyFile.startsWith(`${value.path}/`)) continue;
    out.error({
      path: ['key-file'],
      found: `${draft.keyFile}, which lies inside the mirror "${String(path.at(-1))}"`,
      expected: 'a file outside of every mirror: it is needed before a mirror is mounted',
      next: 'Move the key, for example to /etc/tako/cluster.key',
    });
  }
}

/** A cable has two ends; with more members its lost carrier is no sign of one peer's death. */
function checkDirectLinks(draft: Draft, out: Findings): void {
  for (const { id, path } of draft.links.filter(({ direct }) => direct)) {
    const members = [...draft.nodes, ...draft.witnesses].filter((m) => m.addresses?.has(id));
    if (members.length <= 2) continue;
    out.error({
      path: [...path, 'direct'],
      found: `true for a link with ${members.length} members`,
      expected: 'a cable between exactly two nodes',
      next: 'Remove "direct", or take the addresses of the others off this link',
    });
  }
}

function checkVotes(draft: Draft, out: Findings): void {
  const voters = draft.nodes.length + draft.witnesses.length;
  if (draft.nodes.length === 1 && draft.witnesses.length === 0) {
    out.warning({
      path: ['nodes'],
      found: 'a single node',
      expected: 'two or more: there is nowhere to fail over to',
      next: 'Add a second node, and a witness',
    });
  } else if (draft.hasRegistry) {
    // Of however many nodes a store outside breaks the tie.
    return;
  } else if (voters === 2) {
    warnOfTwoVoters(draft, out);
  } else if (voters % 2 === 0) {
    out.warning({
      path: draft.witnesses.length > 0 ? ['witness'] : ['nodes'],
      found: `${voters} voters, an even number`,
      expected: `an odd number: ${voters} voters survive no more losses than ${voters - 1}`,
      next: draft.witnesses.length > 0 ? 'Leave the witness out' : 'Add a witness',
    });
  }
}
