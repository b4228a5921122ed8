/**
 * What would become of a state that is too large to be simulated, or of another configuration: by the
 * planner that decides placement in production (`src/core/placement`, told by `placing-facts.ts` as
 * each node tells it), step by step. It says where groups would be and why, not how long that takes.
 */
import { unreachable } from '../../base/assert.ts';
import { TakoError } from '../../base/tako-error.ts';
import type { ClusterStatus } from '../../protocol/api.ts';
import type { Config } from '../../protocol/config.ts';
import type { GroupId, NodeId } from '../../protocol/ids.ts';
import { configChanges } from './config-changes.ts';
import { PlannedState } from './planned-state.ts';
import type { Step, TimedStep } from './steps.ts';
import type { GroupOutcome, Happening, Prediction, StepReport } from './what-if.ts';

const UNKNOWN: readonly string[] = [
  'How long anything takes: where groups would be was planned, not simulated',
  'Whether programs start and stop as they should, and what hooks say: all goes well here',
  'Windows for failback: they count as closed',
];

const UNKNOWN_OF_CONFIG: readonly string[] = [
  'The way there: it takes effect on each node when Tako is started anew, one after the other',
  'How long groups are away meanwhile: those of a node move or stop when Tako ends there',
];

/** Throws a TakoError for a step that can't be planned. */
export function planIf(
  config: Config,
  status: ClusterStatus,
  steps: readonly TimedStep[],
): Prediction {
  const state = new PlannedState(config, status);
  const differences = state.differences();
  const reports = steps.map((step) => reportOf(state, step));
  const changed = steps.some(({ step }) => step.type === 'config');
  return {
    how: 'planned',
    seenBy: status.node,
    seenAt: status.time,
    steps: reports,
    differences,
    unknown: changed ? [...UNKNOWN, ...UNKNOWN_OF_CONFIG] : UNKNOWN,
  };
}

function reportOf(state: PlannedState, { step, words, forMs }: TimedStep): StepReport {
  const before = { groups: state.served(), instances: state.instances() };
  const happenings: Happening[] = [];
  const say = (group: string, kind: string, text: string): void =>
    void happenings.push({ afterMs: undefined, node: state.seenBy, group, kind, text });
  perform(state, step, say);
  for (const { group, text } of state.settle(forMs)) say(group, 'planned', text);
  const after = { groups: state.served(), instances: state.instances() };
  const groups = namesOf(before.groups, after.groups);
  const everywhere = namesOf(before.instances, after.instances);
  const outcomes = [
    ...groups.flatMap((group) =>
      outcomeOf(state, group, [before.groups.get(group), after.groups.get(group)]),
    ),
    ...everywhere.flatMap((group) =>
      instancesOutcome(group, before.instances.get(group) ?? [], after.instances.get(group) ?? []),
    ),
  ];
  const unchanged = groups.length + everywhere.length - outcomes.length;
  return { step: words, lookedAtMs: forMs, happenings, outcomes, unchanged };
}

function namesOf<T>(
  before: ReadonlyMap<GroupId, T>,
  after: ReadonlyMap<GroupId, T>,
): readonly GroupId[] {
  return [...new Set([...before.keys(), ...after.keys()])];
}

function instancesOutcome(
  group: GroupId,
  before: readonly NodeId[],
  after: readonly NodeId[],
): readonly GroupOutcome[] {
  if (before.join() === after.join()) return [];
  const nowhere = { before: undefined, after: undefined, awayMs: undefined, why: undefined };
  return [{ group, ...nowhere, instances: { before, after } }];
}

/** None for a group that serves where it did, or rests as it shall and did. */
function outcomeOf(
  state: PlannedState,
  group: GroupId,
  [before, after]: readonly [NodeId | undefined, NodeId | undefined],
): readonly GroupOutcome[] {
  const why = after === undefined ? state.whyDown(group) : undefined;
  if (before === after && why === undefined) return [];
  return [{ group, before, after, awayMs: undefined, why }];
}

function perform(
  state: PlannedState,
  step: Step,
  say: (group: string, kind: string, text: string) => void,
): void {
  switch (step.type) {
    case 'lose':
      return state.lose(step.node);
    case 'return':
      return state.comeBack(step.node);
    case 'move': {
      const against = state.move(step.group, step.to);
      if (against !== undefined) say(step.group, 'answer', `Refused: ${against}`);
      return;
    }
    case 'start':
    case 'stop':
      return state.want(step.group, step.type === 'start' ? 'online' : 'offline');
    case 'config':
      for (const text of configChanges(state.config, step.config)) say('', 'config', text);
      return state.reconfigure(step.config);
    case 'cut':
    case 'mend':
    case 'fail':
    case 'break':
    case 'maintain':
      throw new TakoError(
        'bad-request',
        `Cannot simulate "${step.type}" here: it is planned only`,
        {
          next:
            'A state of more than 16 members or 50 groups, or another configuration, knows the steps ' +
            'lose, return, move, start, stop and config',
        },
      );
    default:
      return unreachable(step);
  }
}
