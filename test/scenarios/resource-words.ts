/**
 * The words of a scenario that concern single resources: their policy (the words of the
 * configuration file), how their agents misbehave, and what the engine shows of them.
 *
 *     resource log after=data on-failure=stay     before `cluster`: one more program, or other
 *                                                 words for one that is there; in every group, or
 *                                                 in one (`web/log`)
 *     fault n1 program stop=hangs deep=fails      how its agent misbehaves; `=well` ends it
 *     resources n1                                what its engine shows
 */
import { must } from '../../src/base/assert.ts';
import type { Config, GroupConfig, HookConfig, ResourceConfig } from '../../src/protocol/config.ts';
import { parseDuration, parseRestarts } from '../../src/protocol/config-words.ts';
import { HOOK_POINTS, type HookPoint } from '../../src/protocol/hook.ts';
import type { GroupId, NodeId, ResourceId } from '../../src/protocol/ids.ts';
import type { AgentFault, FaultyAction } from '../../src/sim/agent-faults.ts';
import type { World } from '../../src/sim/world.ts';

type Change = Partial<ResourceConfig> & { readonly id: ResourceId };

interface Told {
  /** None: every group. */
  readonly group: string | undefined;
  readonly change: Change;
}

export class ResourceWords {
  readonly #told: Told[] = [];
  readonly #hooks: Partial<Record<HookPoint, HookConfig>> = {};

  /** `NAME KEY=VALUE ...`; `restarts=2/60s`, `deep-monitor=5s/1s` (each, at most). */
  add([name = '', ...settings]: readonly string[]): void {
    const pairs = settings.map((text) => text.split('=') as [string, string]);
    const changes = pairs.map(([key, value]) => changeOf(key, value));
    const [id = '', group] = name.split('/').toReversed();
    this.#told.push({
      group,
      change: Object.assign({ id: id as ResourceId }, ...changes) as Change,
    });
  }

  /** `POINT`, with two seconds to answer. */
  addHook(point: string): void {
    const known = must(
      HOOK_POINTS.find((p) => p === point),
      `a hook point, not ${point}`,
    );
    const call = { type: 'command', command: ['hook'], user: undefined } as const;
    this.#hooks[known] = { timeoutMs: 2000, call };
  }

  applyTo(config: Config): Config {
    return { ...config, groups: config.groups.map((group) => this.#changed(group)) };
  }

  #changed(group: GroupConfig): GroupConfig {
    const told = this.#told.filter((one) => one.group === undefined || one.group === group.id);
    const resources = told.map(({ change }) => change).reduce(withChange, group.resources);
    return { ...group, resources, hooks: this.#hooks };
  }
}

function withChange(all: readonly ResourceConfig[], change: Change): readonly ResourceConfig[] {
  if (all.some(({ id }) => id === change.id)) {
    const to = (r: ResourceConfig): ResourceConfig =>
      r.id === change.id ? ({ ...r, ...change } as ResourceConfig) : r;
    return all.map(to);
  }
  const like = must(
    all.find(({ agent }) => agent === 'process'),
    'there is a program',
  );
  return [...all, { ...like, ...change } as ResourceConfig];
}

function changeOf(key: string, value: string): Partial<ResourceConfig> {
  switch (key) {
    case 'after':
      return { after: (value === '' ? [] : value.split(',')) as ResourceId[] };
    case 'on-failure':
      return { onFailure: value as ResourceConfig['onFailure'] };
    case 'restarts':
      return { restarts: must(parseRestarts(value.replace('/', ' within ')), value) };
    case 'unknown-limit':
      return { unknownLimit: value === 'never' ? undefined : Number(value) };
    case 'report-silence':
      return { reportSilence: value as ResourceConfig['reportSilence'] };
    case 'deep-monitor': {
      const [every = '', timeout = ''] = value.split('/');
      return { deepMonitor: { everyMs: ms(every), timeoutMs: ms(timeout) } };
    }
    case 'monitor':
      return { monitorMs: ms(value) };
    case 'monitor-timeout':
      return { monitorTimeoutMs: ms(value) };
    case 'start-timeout':
      return { startTimeoutMs: ms(value) };
    case 'stop-timeout':
      return { stopTimeoutMs: ms(value) };
    default:
      throw new Error(`Unknown word of a resource: ${key}`);
  }
}

function ms(text: string): number {
  return must(parseDuration(text), `a duration, not ${text}`);
}

/** `NODE RESOURCE ACTION=FAULT ...`; `ACTION=well` ends it. */
export function setFaults(world: World, words: readonly string[]): void {
  const [node = '', resource = '', ...faults] = words;
  for (const text of faults) {
    const [action, how] = text.split('=') as [FaultyAction, string];
    const fault = how === 'well' ? undefined : (how as AgentFault);
    world.setFault(node as NodeId, resourceNamed(world, resource), { action, fault });
  }
}

/** `NODE RESOURCE ok|failed [TTL]`: what the program says of itself. */
export function report(world: World, words: readonly string[]): void {
  const [node = '', name = '', health = '', ttl] = words;
  const [group = '', resource = ''] = resourceNamed(world, name).split('/');
  const said = {
    resource: resource as ResourceId,
    health: health === 'ok' ? ('ok' as const) : ('failed' as const),
    detail: health === 'ok' ? '' : 'its tables are damaged',
    ttlMs: ttl === undefined ? undefined : ms(ttl),
  };
  world.node(node as NodeId)?.tell({ type: 'reported', group: group as GroupId, report: said });
}

/** One line for each resource, as the engine of that node sees it. */
export function showResources(world: World, id: NodeId, group: string): void {
  const node = world.node(id);
  const engine = node?.core?.engine(group === '' ? firstGroup(world) : (group as GroupId));
  for (const r of engine?.view(must(node, 'it has an engine').now()) ?? []) {
    const counts = `restarts ${r.restarts}, failures ${r.failures}, unanswered ${r.unknowns}`;
    const detail = r.detail === '' ? '' : `: ${r.detail}`;
    world.note(`** ${id} ${r.id} ${r.state}${r.left ? ', left' : ''} (${counts})${detail}`);
  }
}

/** `GROUP/RESOURCE`; a name alone is one of the first group. */
export function resourceNamed(world: World, name: string): string {
  return name.includes('/') ? name : `${firstGroup(world)}/${name}`;
}

function firstGroup(world: World): GroupId {
  return must(world.config.groups[0], 'there is a group').id;
}
