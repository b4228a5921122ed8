/**
 * The words of `tako simulate`: what is to happen, step by step, with `then` in between. Names are
 * checked against the configuration here, so that the run meets only what exists.
 */
import { TakoError } from '../../base/tako-error.ts';
import { parseDuration } from '../../protocol/config-words.ts';
import type { Config, GroupConfig } from '../../protocol/config.ts';
import type { GroupId, LinkId, NodeId, ResourceId } from '../../protocol/ids.ts';
import type { Place } from '../maintenance-faults.ts';

export type Step =
  | { readonly type: 'lose' | 'return'; readonly node: NodeId }
  | { readonly type: 'cut' | 'mend'; readonly link: LinkId; readonly ends: readonly NodeId[] }
  | { readonly type: 'move'; readonly group: GroupId; readonly to: NodeId }
  | { readonly type: 'start' | 'stop'; readonly group: GroupId }
  | { readonly type: 'maintain'; readonly on: boolean; readonly place: Place }
  | {
      readonly type: 'fail';
      readonly group: GroupId;
      readonly resource: ResourceId;
      readonly times: number;
    }
  | {
      readonly type: 'break';
      readonly node: NodeId;
      readonly group: GroupId;
      readonly resource: ResourceId;
    }
  | { readonly type: 'config'; readonly file: string; readonly config: Config };

/** A step, the words it was told in, and how long it is looked at before the next. */
export interface TimedStep {
  readonly step: Step;
  readonly words: string;
  readonly forMs: number;
}

/** How long the cluster is given after a step that no `wait` follows. */
export const STEP_MS = 20_000;
const STEPS_MAX = 50;
const WAIT_MS_MAX = 600_000;
const TIMES_MAX = 100;
const USAGE =
  'Steps are: lose NODE, return NODE, cut LINK [NODE NODE], mend LINK [NODE NODE], ' +
  'move GROUP NODE, start GROUP, stop GROUP, fail GROUP/RESOURCE [TIMES], ' +
  'break NODE GROUP/RESOURCE, config FILE, maintain group GROUP, maintain node NODE, ' +
  'maintain cluster, unmaintain (the same), wait DURATION; with "then" in between';

/** The files that the words name as configurations. */
export function configFilesIn(words: readonly string[]): readonly string[] {
  return partsOf(words).flatMap(([verb, file]) => (verb === 'config' && file ? [file] : []));
}

function partsOf(words: readonly string[]): readonly (readonly string[])[] {
  return words
    .join(' ')
    .split(/\s+then\s+/u)
    .map((part) => part.trim().split(/\s+/u));
}

/**
 * Throws `bad-request`, `no-such-node` or `no-such-group`. `configs`: what the named files hold;
 * behind such a step names are those of that configuration.
 */
export function parseSteps(
  words: readonly string[],
  config: Config,
  configs: ReadonlyMap<string, Config>,
): readonly TimedStep[] {
  const steps: TimedStep[] = [];
  let present = config;
  for (const part of partsOf(words)) {
    const [verb = '', ...names] = part;
    if (verb === 'wait') {
      const last = steps.pop();
      if (last === undefined) throw wrong('"wait" stands after the step that it is for');
      steps.push({ ...last, forMs: waitOf(names) });
      continue;
    }
    const step =
      verb === 'config' ? configStep(names, present, configs) : stepOf(verb, names, present);
    if (step.type === 'config') present = step.config;
    steps.push({ step, words: part.join(' '), forMs: STEP_MS });
  }
  if (steps.length > STEPS_MAX) throw wrong(`${steps.length} steps, at most ${STEPS_MAX} are`);
  return steps;
}

function configStep(
  names: readonly string[],
  present: Config,
  configs: ReadonlyMap<string, Config>,
): Step {
  const [file = ''] = names;
  const config = configs.get(file);
  if (names.length !== 1 || config === undefined) throw wrong(`"config ${file}" is no step`);
  if (config.cluster === present.cluster) return { type: 'config', file, config };
  throw wrong(`"${file}" is of cluster "${config.cluster}", not of "${present.cluster}"`);
}

function stepOf(verb: string, names: readonly string[], config: Config): Step {
  const [first = '', second = '', third = ''] = names;
  const counts: Readonly<Record<string, readonly number[]>> = {
    lose: [1],
    return: [1],
    cut: [1, 3],
    mend: [1, 3],
    move: [2],
    start: [1],
    stop: [1],
    fail: [1, 2],
    break: [2],
    maintain: [1, 2],
    unmaintain: [1, 2],
  };
  const told = `"${[verb, ...names].join(' ')}"`;
  if (counts[verb]?.includes(names.length) !== true) throw wrong(`${told} is no step`);
  switch (verb) {
    case 'lose':
    case 'return':
      return { type: verb, node: member(first, config) };
    case 'cut':
    case 'mend': {
      const ends = names.length === 1 ? [] : [member(second, config), member(third, config)];
      return { type: verb, link: linkOf(first, config), ends };
    }
    case 'move':
      return { type: verb, group: groupOf(first, config).id, to: member(second, config) };
    case 'start':
    case 'stop':
      return { type: verb, group: groupOf(first, config).id };
    case 'fail': {
      const times = second === '' ? 1 : Number(second);
      if (!Number.isInteger(times) || times < 1 || times > TIMES_MAX) {
        throw wrong(`${told}: "${second}" is no number from 1 to ${TIMES_MAX}`);
      }
      return { type: verb, ...programOf(first, config), times };
    }
    case 'break':
      return { type: verb, node: member(first, config), ...programOf(second, config) };
    case 'maintain':
    case 'unmaintain':
      return { type: 'maintain', on: verb === 'maintain', place: placeOf(names, told, config) };
    default:
      throw wrong(`${told} is no step`);
  }
}

function placeOf([scope = '', name]: readonly string[], told: string, config: Config): Place {
  if (scope === 'cluster' && name === undefined) return { scope };
  if (scope === 'group' && name !== undefined) return { scope, group: groupOf(name, config).id };
  if (scope === 'node' && name !== undefined) return { scope, node: member(name, config) };
  throw wrong(`${told} is no step`);
}

function waitOf([text = '', ...more]: readonly string[]): number {
  const ms = more.length > 0 ? undefined : parseDuration(text);
  if (ms === undefined || ms > WAIT_MS_MAX) {
    throw wrong(`"wait ${text}" is no duration of at most ${WAIT_MS_MAX / 1000} s`);
  }
  return ms;
}

function member(name: string, { nodes, witness }: Config): NodeId {
  const found = [...nodes, ...(witness === undefined ? [] : [witness])].find((n) => n.id === name);
  if (found !== undefined) return found.id;
  throw new TakoError('no-such-node', `Cannot simulate: there is no node "${name}"`, {
    next: 'Look with "tako status" which nodes there are',
  });
}

function groupOf(name: string, { groups }: Config): GroupConfig {
  const found = groups.find(({ id }) => id === name);
  if (found !== undefined) return found;
  throw new TakoError('no-such-group', `Cannot simulate: there is no group "${name}"`, {
    next: 'Look with "tako status" which groups there are',
  });
}

function linkOf(name: string, { links }: Config): LinkId {
  const found = links.find(({ id }) => id === name);
  if (found === undefined) throw wrong(`there is no link "${name}"`);
  return found.id;
}

function programOf(name: string, config: Config): { group: GroupId; resource: ResourceId } {
  const [group = '', resource = ''] = name.split('/');
  const owner = groupOf(group, config);
  const found = owner.resources.find(({ id }) => id === resource);
  if (found?.agent !== 'process') throw wrong(`"${name}" is no resource that is a program`);
  return { group: owner.id, resource: found.id };
}

function wrong(what: string): TakoError {
  return new TakoError('bad-request', `Cannot simulate: ${what}`, { next: USAGE });
}
