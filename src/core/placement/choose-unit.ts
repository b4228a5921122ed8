/**
 * Where the groups of a unit of type `failover` belong. What runs well stays. A unit is moved whole
 * or not at all: when no node takes all of it, what runs stays where it is, what must leave stops,
 * and what does not run waits.
 */
import { type Entry, type FailbackChance, type Look, type Outcome } from './look.ts';
import { type Found, type Member, candidates, findNode } from './search.ts';
import { NOWHERE, type Standing } from './standing.ts';
import {
  groupName,
  nodeName,
  nowhereWords,
  obstacleClause,
  obstacleWords,
  qualities,
  refusal,
} from './words.ts';

const NOBODY: ReadonlyMap<number, string> = new Map();
/** Nodes passed over that a reason speaks of. */
const PASSED_OVER_MAX = 2;

export function chooseForUnit(look: Look): Outcome {
  const entries: Entry[] = [];
  const members: Member[] = [];
  const pinned: number[] = [];
  const held = heldBack(look);
  for (const group of look.unit.members) {
    const standing = look.standing(group);
    const waits = held.get(group);
    if (standing.kind === 'off') entries.push(entry(group, NOWHERE, offWords(look, standing)));
    else if (standing.kind === 'fixed') {
      entries.push({
        ...entry(group, standing.node, fixedWords(look, standing)),
        wait: standing.wait,
      });
      if (standing.node >= 0) pinned.push(standing.node);
    } else if (waits === undefined) members.push(memberOf(look, group, standing));
    else entries.push(entry(group, NOWHERE, `nowhere: ${waits}`));
  }
  if (members.length === 0) return { entries, displaced: [], back: undefined };
  const home = commonHome(members);
  if (home !== undefined && pinned.every((node) => node === home)) {
    const mayReturn = entries.every(({ target, wait }) => target < 0 && !wait);
    const back = mayReturn ? failbackChance(look, members, home) : { words: '', chance: undefined };
    for (const { group } of members) {
      entries.push(entry(group, home, `${nodeName(look, home)}: runs here and stays${back.words}`));
    }
    return { entries, displaced: [], back: back.chance };
  }
  return place(look, members, pinned, entries);
}

function place(
  look: Look,
  members: readonly Member[],
  pinned: readonly number[],
  entries: Entry[],
): Outcome {
  const settled = members.filter(({ stay }) => stay === 'free' || stay === 'soft');
  const movers = pinned.length === 0 ? members : members.filter((each) => !settled.includes(each));
  const nodes =
    pinned.length === 0
      ? () => candidates(look, members)
      : () => commonNode([...pinned, ...settled.map(({ at }) => at)]);
  const found = movers.length === 0 ? undefined : findNode(look, movers, nodes);
  for (const member of members) {
    const moves = found !== undefined && movers.includes(member);
    entries.push(
      moves
        ? entry(member.group, found.node, placedWords(look, member, movers, found))
        : leftOver(look, member, movers, nodes),
    );
  }
  const displaced = (found?.displaced ?? []).map((unit) => ({
    node: found?.node ?? NOWHERE,
    unit,
  }));
  return { entries, displaced, back: undefined };
}

/** Idle groups that others, which run nowhere, must come before; with the words for it. */
function heldBack(look: Look): ReadonlyMap<number, string> {
  if (!look.unit.anyAfter) return NOBODY;
  const held = new Map<number, string>();
  const { members } = look.unit;
  const runsInUnit = (group: number): boolean => {
    const standing = look.standing(group);
    if (standing.kind === 'off') return false;
    if (standing.kind === 'fixed') return standing.node >= 0 && !standing.wait;
    return !held.has(group);
  };
  // Each round holds at least one more, or is the last.
  for (let round = 0; round <= members.length; round += 1) {
    const before = held.size;
    for (const group of members) {
      if (held.has(group) || look.standing(group).kind !== 'idle') continue;
      const missing = look
        .shapeOf(group)
        .after.find((other) =>
          look.shapeOf(other).unit === look.unit.rank
            ? !runsInUnit(other)
            : !look.view.willRun(other),
        );
      if (missing !== undefined) held.set(group, afterWords(look, missing));
    }
    if (held.size === before) break;
  }
  return held;
}

function afterWords(look: Look, missing: number): string {
  const name = groupName(look, missing);
  const want = look.now(missing).input.want;
  const state = want === 'offline' ? 'is wanted offline' : 'is not going to run';
  return `it comes after ${name}, which ${state}; next: get ${name} online`;
}

function memberOf(look: Look, group: number, standing: Standing): Member {
  if (standing.kind !== 'content' && standing.kind !== 'leaving') {
    return { group, at: NOWHERE, stay: 'idle', why: '' };
  }
  const at = standing.node;
  const name = nodeName(look, at);
  const rival = look.unit.anyApart ? look.rival(group, look.superiors(at)) : undefined;
  if (rival !== undefined) {
    const why = `it leaves ${name}, where ${groupName(look, rival)} runs, from which it must be apart`;
    return { group, at, stay: 'must-go', why };
  }
  const by = look.displacer(at);
  if (by !== undefined) {
    const winner = look.view.shape.units[by]?.members[0];
    const who = winner === undefined ? 'another' : groupName(look, winner);
    const why = `it makes room on ${name} for ${who}, which is more important`;
    return { group, at, stay: standing.kind === 'content' ? 'refit' : 'must-go', why };
  }
  if (standing.kind === 'content') return { group, at, stay: 'free', why: '' };
  const why = `it leaves ${name}, ${obstacleClause(standing.obstacle)}`;
  return { group, at, stay: standing.hard ? 'must-go' : 'soft', why };
}

/** The node on which all of them run and may stay. */
function commonHome(members: readonly Member[]): number | undefined {
  const at = members[0]?.at;
  return members.every((each) => each.stay === 'free' && each.at === at) ? at : undefined;
}

function commonNode(nodes: readonly number[]): readonly number[] {
  const all = new Set(nodes);
  return all.size === 1 ? [...all] : [];
}

function failbackChance(
  look: Look,
  members: readonly Member[],
  at: number,
): { readonly words: string; readonly chance: FailbackChance | undefined } {
  const to = look.unit.home;
  if (to === undefined || to === at) return { words: '', chance: undefined };
  const name = nodeName(look, to);
  let healthyForMs = 0;
  for (const { group } of members) {
    const { input } = look.now(group);
    const failback = input.type === 'failover' ? input.failback : { policy: 'never' as const };
    if (failback.policy === 'never') {
      return { words: `; ${name} is preferred, failback is off`, chance: undefined };
    }
    if (failback.policy === 'window' && !failback.open) {
      return { words: `; ${name} is preferred, the time window is closed`, chance: undefined };
    }
    healthyForMs = Math.max(healthyForMs, failback.healthyForMs);
  }
  for (const { group } of members) {
    const obstacle = look.obstacle(group, to);
    if (obstacle === undefined) continue;
    return {
      words: `; it does not fail back: ${obstacleWords(obstacle, name)}`,
      chance: undefined,
    };
  }
  const groups = members.map(({ group }) => group);
  return { words: '', chance: { to, from: at, groups, healthyForMs } };
}

function placedWords(
  look: Look,
  member: Member,
  members: readonly Member[],
  { node, displaced }: Found,
): string {
  const name = nodeName(look, node);
  if (member.at === node) return `${name}: runs here and stays`;
  const because = [leadWords(look, member, members)];
  if (displaced.length > 0) {
    const names = displaced.map((unit) =>
      groupName(look, look.view.shape.units[unit]?.members[0] ?? 0),
    );
    because.push(`nothing else is left, so ${names.join(', ')} must make room`);
  } else because.push(...passedOver(look, members, node));
  const list = because.filter((each) => each !== '');
  return `${name}: ${qualities(look, node)}${list.map((each) => `; ${each}`).join('')}`;
}

function leadWords(look: Look, member: Member, members: readonly Member[]): string {
  if (member.why !== '') return member.why;
  const standing = look.standing(member.group);
  if (standing.kind === 'idle') {
    return standing.lost >= 0 ? `its owner ${nodeName(look, standing.lost)} is lost` : '';
  }
  const cause = members.find(({ why }) => why !== '') ?? members.find(({ at }) => at !== member.at);
  if (cause === undefined) return '';
  return `it goes together with ${groupName(look, cause.group)}${cause.why === '' ? '' : `: ${cause.why}`}`;
}

/** Why not a node that comes earlier in the order. */
function passedOver(look: Look, members: readonly Member[], node: number): readonly string[] {
  const told: string[] = [];
  const left = new Set(members.map(({ at }) => at));
  for (const earlier of look.unit.preferred) {
    if (earlier === node || told.length === PASSED_OVER_MAX) break;
    // Where it came from has been told already.
    if (left.has(earlier) || isLostOwner(look, members, earlier)) continue;
    const why = refusal(
      look,
      members.map(({ group }) => group),
      earlier,
    );
    if (why !== undefined) told.push(why.text);
  }
  return told;
}

function isLostOwner(look: Look, members: readonly Member[], node: number): boolean {
  return members.some(({ group }) => {
    const standing = look.standing(group);
    return standing.kind === 'idle' && standing.lost === node;
  });
}

/** No node takes it. */
function leftOver(
  look: Look,
  member: Member,
  members: readonly Member[],
  nodes: () => Iterable<number>,
): Entry {
  const groups = members.map(({ group }) => group);
  const others = groups.filter((group) => group !== member.group);
  const { group, at, stay, why } = member;
  const unit = others[0] === undefined ? '' : `, together with ${groupName(look, others[0])}`;
  if (stay === 'free') {
    const split = unit === '' ? '' : `; no node takes it${unit}`;
    return entry(group, at, `${nodeName(look, at)}: runs here and stays${split}`);
  }
  const wider = { groups: [group, ...others], leaving: at };
  if (stay === 'soft') {
    const though = why.replace('it leaves ', 'it should leave ');
    const words = nowhereWords(look, wider, nodes());
    return entry(group, at, `${nodeName(look, at)}: stays, though ${though}; ${words}`);
  }
  const stuck = look.unit.members.length > 1 && [...nodes()].length === 0;
  const words = stuck
    ? 'what it is together with is spread or must be left alone; next: bring that to one node'
    : `${unit === '' ? '' : `${unit.slice(2)}: `}${nowhereWords(look, wider, nodes())}`;
  return entry(group, NOWHERE, `nowhere: ${why === '' ? '' : `${why}; `}${words}`);
}

function offWords(look: Look, standing: { readonly node: number }): string {
  return standing.node < 0
    ? 'wanted offline'
    : `wanted offline: stops on ${nodeName(look, standing.node)}`;
}

function fixedWords(
  look: Look,
  standing: { readonly node: number; readonly wait: boolean; readonly why: string },
): string {
  if (standing.node < 0) return `nowhere: ${standing.why}`;
  const verb = standing.wait ? 'waits' : 'left as it is';
  return `${nodeName(look, standing.node)}: ${verb}, ${standing.why}`;
}

function entry(group: number, target: number, reason: string): Entry {
  return { group, instance: NOWHERE, target, wait: false, reason };
}
