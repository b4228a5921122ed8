/**
 * The words of a scenario that come first: what groups there are, and of which members the cluster
 * is made.
 *
 *     group web mirrors=none nodes=n2,n1     before `cluster`; without any there is the group `db`
 *     group db mirrors=data,logs             several mirrors; the first one is always `data`
 *     group db failback=5s                   it returns to its first node when that is up so long
 *     group db failback=5s@02:00-04:00       and only at these times
 *     resource ...                           see `resource-words.ts`
 *     hook before-start                      every group has that hook
 *     cluster n1 n2 witness=w1 clocks=any    `any`: clocks need not keep the bound that is configured
 *     cluster n1 n2 registry=etcd            the records are in an etcd
 */
import { must } from '../../src/base/assert.ts';
import type {
  Config,
  FailbackConfig,
  GroupConfig,
  ResourceConfig,
} from '../../src/protocol/config.ts';
import { parseDuration } from '../../src/protocol/config-words.ts';
import type { ResourceId } from '../../src/protocol/ids.ts';
import { parseWeekWindow } from '../../src/protocol/week-window.ts';
import { simConfig } from '../../src/sim/sim-config.ts';
import { World } from '../../src/sim/world.ts';
import { ResourceWords } from './resource-words.ts';

interface GroupWord {
  readonly id: string;
  readonly mirrors: readonly string[];
  readonly nodes: readonly string[] | undefined;
  readonly failback: FailbackConfig;
}

/** Often enough to find a lost write; what is decided does not depend on how many there are. */
const WRITE_EVERY_MS = 40;
/** Mirrors are told apart by a number; the first of each group has that of the group. */
const MORE_MIRRORS = 100;

export class ClusterWords {
  readonly #resources = new ResourceWords();
  readonly #groups: GroupWord[] = [];
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

  #newWorld(words: readonly string[]): World {
    const witness = valueOf(words, 'witness');
    const registry = valueOf(words, 'registry') === 'etcd' ? 'etcd' : undefined;
    const nodes = words.filter((word) => !word.includes('='));
    const told = this.#groups.length === 0 ? [groupWord(['db'])] : this.#groups;
    const groups = told.map(({ id, nodes: own, failback }) => ({
      id,
      nodes: own ?? nodes,
      failback,
    }));
    const config = withMirrors(simConfig({ nodes, witness, groups, registry }), told);
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

function groupWord(words: readonly string[]): GroupWord {
  const mirrors = valueOf(words, 'mirrors') ?? 'data';
  return {
    id: must(words[0], 'a group has a name'),
    mirrors: mirrors === 'none' ? [] : mirrors.split(','),
    nodes: valueOf(words, 'nodes')?.split(','),
    failback: failbackOf(valueOf(words, 'failback')),
  };
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
