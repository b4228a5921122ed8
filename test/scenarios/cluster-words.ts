/**
 * The words of a scenario that come first: what groups there are, and of which members the cluster
 * is made.
 *
 *     group web mirrors=none nodes=n2,n1     before `cluster`; without any there is the group `db`
 *     group db mirrors=data,logs             several mirrors; the first one is always `data`
 *     group web type=everywhere              a program alone, on each of its nodes at once
 *     group db failback=5s                   it returns to its first node when that is up so long
 *     group db failback=5s@02:00-04:00       and only at these times
 *     group web after=db apart=log      its relations: after, together, apart, softly-apart
 *     group web priority=5 needs=memory:8,cpu:1
 *     regroup web apart=db            later on: the file is changed so; controls that start anew read it
 *     capacity n1 memory=16           before `cluster`: what a node has
 *     resource ...                           see `resource-words.ts`
 *     hook before-start                      every group has that hook
 *     cluster n1 n2 quarantine=2/1m/30s      a node with more than 2 returns within 1m, for 30s
 *     cluster n1 n2 witness=w1 clocks=any    `any`: clocks need not keep the bound that is configured
 */
import { must } from '../../src/base/assert.ts';
import type {
  Config,
  FailbackConfig,
  Amounts,
  GroupConfig,
  GroupType,
  PlacementConfig,
  QuarantineConfig,
  ResourceConfig,
} from '../../src/protocol/config.ts';
import { parseDuration } from '../../src/protocol/config-words.ts';
import type { GroupId, ResourceId } from '../../src/protocol/ids.ts';
import { parseWeekWindow } from '../../src/protocol/week-window.ts';
import { simConfig } from '../../src/sim/sim-config.ts';
import { World } from '../../src/sim/world.ts';
import { ResourceWords } from './resource-words.ts';

interface GroupWord {
  readonly id: string;
  readonly mirrors: readonly string[];
  readonly nodes: readonly string[] | undefined;
  readonly failback: FailbackConfig;
  readonly placement: PlacementConfig | undefined;
  readonly type: GroupType;
}

/** Often enough to find a lost write; what is decided does not depend on how many there are. */
const WRITE_EVERY_MS = 40;
/** Mirrors are told apart by a number; the first of each group has that of the group. */
const MORE_MIRRORS = 100;

export class ClusterWords {
  readonly #resources = new ResourceWords();
  readonly #groups: GroupWord[] = [];
  readonly #capacity: Record<string, Amounts> = {};
  #world: World | undefined;

  get world(): World {
    return must(this.#world, 'a scenario begins with `cluster`');
  }

  /** Whether that was one of these words. */
  told(command: string, words: readonly string[]): boolean {
    switch (command) {
      case 'group':
        this.#groups.push(groupWord(words));
        return true;
      case 'regroup':
        this.#regroup(words);
        return true;
      case 'capacity':
        this.#capacity[words[0] ?? ''] = amountsOf(words.slice(1), '=');
        return true;
      case 'resource':
        this.#resources.add(words);
        return true;
      case 'hook':
        this.#resources.addHook(words[0] ?? '');
        return true;
      case 'cluster':
        this.#world = this.#newWorld(words);
        return true;
      default:
        return false;
    }
  }

  /** The one object that all nodes were given stands for the file. */
  #regroup(words: readonly string[]): void {
    const { config } = this.world;
    const group = config.groups.find(({ id }) => id === words[0]);
    this.world.note(`-- regroup ${words.join(' ')}`);
    Object.assign(must(group, 'a group of the cluster'), { placement: placementOf(words) });
    this.world.checkers.configChanged();
  }

  #newWorld(words: readonly string[]): World {
    const witness = valueOf(words, 'witness');
    const nodes = words.filter((word) => !word.includes('='));
    const told = this.#groups.length === 0 ? [groupWord(['db'])] : this.#groups;
    const groups = told.map(({ id, nodes: own, failback, placement, type }) => ({
      ...{ id, failback, placement, type },
      nodes: own ?? nodes,
    }));
    const config = withMirrors(
      simConfig({
        ...{ nodes, witness, groups, capacity: this.#capacity },
        quarantine: quarantineOf(valueOf(words, 'quarantine')),
      }),
      told,
    );
    return new World({
      config: this.#resources.applyTo(config),
      seed: 1,
      loss: 0,
      delayMs: { min: 0.2, max: 0.4 },
      drift: 0,
      clocks: valueOf(words, 'clocks') !== 'any',
      writeEveryMs: WRITE_EVERY_MS,
    });
  }
}

function valueOf(words: readonly string[], key: string): string | undefined {
  return words.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1);
}

function quarantineOf(text: string | undefined): QuarantineConfig | undefined {
  if (text === undefined) return undefined;
  const [returns, within = '', forTime = ''] = text.split('/');
  const [withinMs, forMs] = [parseDuration(within), parseDuration(forTime)];
  return {
    returns: Number(returns),
    withinMs: must(withinMs, 'a window'),
    forMs: must(forMs, 'a time'),
  };
}

function groupWord(words: readonly string[]): GroupWord {
  const type = valueOf(words, 'type') === 'everywhere' ? 'everywhere' : 'failover';
  const mirrors = type === 'everywhere' ? 'none' : (valueOf(words, 'mirrors') ?? 'data');
  return {
    id: must(words[0], 'a group has a name'),
    mirrors: mirrors === 'none' ? [] : mirrors.split(','),
    nodes: valueOf(words, 'nodes')?.split(','),
    failback: failbackOf(valueOf(words, 'failback')),
    placement: placementOf(words),
    type,
  };
}

function placementOf(words: readonly string[]): PlacementConfig | undefined {
  const keys = ['after', 'together', 'apart', 'softly-apart', 'priority', 'needs'];
  if (keys.every((key) => valueOf(words, key) === undefined)) return undefined;
  const named = (key: string): readonly GroupId[] =>
    (valueOf(words, key)?.split(',') ?? []) as readonly string[] as readonly GroupId[];
  return {
    after: named('after'),
    together: named('together'),
    apart: named('apart'),
    apartIfPossible: named('softly-apart'),
    priority: Number(valueOf(words, 'priority') ?? 0),
    needs: amountsOf(valueOf(words, 'needs')?.split(',') ?? [], ':'),
  };
}

function amountsOf(words: readonly string[], sign: string): Amounts {
  return Object.fromEntries(
    words.map((word) => {
      const [kind = '', amount] = word.split(sign);
      return [kind, Number(amount)];
    }),
  );
}

function failbackOf(text: string | undefined): FailbackConfig {
  if (text === undefined) return { policy: 'never' };
  const [after = '', times] = text.split('@');
  const healthyForMs = must(parseDuration(after), `a duration, not ${after}`);
  if (times === undefined) return { policy: 'when-in-sync', healthyForMs };
  const window = must(parseWeekWindow(times), `times of the day, not ${times}`);
  return { policy: 'when-in-sync', healthyForMs, windows: [window] };
}

function withMirrors(config: Config, told: readonly GroupWord[]): Config {
  let more = MORE_MIRRORS;
  const numbered = (): number => (more += 1);
  const groups = config.groups.map((group, index) =>
    withMirrorsOf(group, must(told[index], 'told in this order').mirrors, numbered),
  );
  return { ...config, groups };
}

/** The program comes after all of them. */
function withMirrorsOf(
  group: GroupConfig,
  names: readonly string[],
  numbered: () => number,
): GroupConfig {
  const like = group.resources.find(({ agent }) => agent === 'mirror');
  const mirrors = names.map((name) => {
    if (name === like?.id) return like;
    const path = `/srv/${group.id}-${name}`;
    return { ...like, id: name as ResourceId, path, index: numbered() } as ResourceConfig;
  });
  const others = group.resources.filter((resource) => resource !== like);
  const after = names as readonly ResourceId[];
  const placed = others.map((r) => (r.agent === 'process' ? { ...r, after } : r));
  return { ...group, resources: [...mirrors, ...placed] };
}
