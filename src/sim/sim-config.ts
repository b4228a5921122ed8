/** The small cluster that simulations run: two nodes and a witness, or more nodes, two links. */
import type {
  Amounts,
  Config,
  FailbackConfig,
  GroupConfig,
  GroupType,
  NodeConfig,
  PlacementConfig,
  QuarantineConfig,
  ResourceConfig,
  Timing,
} from '../protocol/config.ts';
import { HOOK_POINTS } from '../protocol/hook.ts';
import type { GroupId, LinkId, NodeId, ResourceId } from '../protocol/ids.ts';

export const DEFAULT_TIMING: Timing = {
  heartbeatMs: 50,
  leaseMs: 300,
  nodeLostMs: 1000,
  secondaryLostMs: 400,
  clockDrift: 0.01,
  addressLifeSeconds: 3,
  suspendGraceMs: 10_000,
};

const ACTION_TIMEOUT_MS = 10_000;

export interface SimGroup {
  readonly id: string;
  readonly nodes: readonly string[];
  /** Never, when left out. */
  readonly failback?: FailbackConfig | undefined;
  readonly placement?: PlacementConfig | undefined;
  /** `everywhere`: a program alone, on each of the nodes. */
  readonly type?: GroupType | undefined;
}

export function simConfig(options: {
  readonly nodes: readonly string[];
  readonly witness?: string | undefined;
  readonly groups: readonly SimGroup[];
  readonly timing?: Timing | undefined;
  readonly actionTimeoutMs?: number | undefined;
  /** Every group has a hook at every point, with so much time. */
  readonly hookTimeoutMs?: number | undefined;
  /** By node; no limit where there is none. */
  readonly capacity?: Readonly<Record<string, Amounts>> | undefined;
  /** Never, when left out. */
  readonly quarantine?: QuarantineConfig | undefined;
}): Config {
  const member = (name: string, index: number, links: readonly string[]): NodeConfig => ({
    id: name as NodeId,
    addresses: Object.fromEntries(links.map((link, k) => [link, `10.${k}.0.${index + 1}`])),
  });
  const nodes = options.nodes.map((name, index) => member(name, index, ['mirror', 'lan']));
  const { hookTimeoutMs, witness } = options;
  const hooks = hookTimeoutMs === undefined ? undefined : hooksEverywhere(hookTimeoutMs);
  return {
    cluster: 'sim',
    keyFile: '',
    basePort: 7400,
    timing: options.timing ?? DEFAULT_TIMING,
    links: [
      { id: 'mirror' as LinkId, kind: 'udp', direct: true },
      { id: 'lan' as LinkId, kind: 'udp', direct: false },
    ],
    nodes: nodes.map((node) => withCapacity(node, options.capacity?.[node.id])),
    ...(options.quarantine !== undefined && { quarantine: options.quarantine }),
    witness: witness === undefined ? undefined : member(witness, 99, ['lan']),
    groups: options.groups.map((group, index) => ({
      ...simGroup(group, index, options.actionTimeoutMs ?? ACTION_TIMEOUT_MS),
      hooks,
    })),
  };
}

function withCapacity(node: NodeConfig, capacity: Amounts | undefined): NodeConfig {
  return capacity === undefined ? node : { ...node, capacity };
}

function hooksEverywhere(timeoutMs: number): GroupConfig['hooks'] {
  const call = { type: 'command', command: ['hook'], user: undefined } as const;
  return Object.fromEntries(HOOK_POINTS.map((point) => [point, { timeoutMs, call }]));
}

function simGroup(
  { id, nodes, failback = { policy: 'never' }, placement, type }: SimGroup,
  index: number,
  timeoutMs: number,
): GroupConfig {
  const policy = {
    monitorMs: 1000,
    monitorTimeoutMs: 5000,
    deepMonitor: undefined,
    unknownLimit: 3,
    onFailure: 'failover' as const,
    startTimeoutMs: timeoutMs,
    stopTimeoutMs: timeoutMs,
    restarts: { limit: 3, windowMs: 60_000 },
  };
  const named = (name: string): ResourceId => name as ResourceId;
  const resources: readonly ResourceConfig[] = [
    {
      ...policy,
      id: named('data'),
      after: [],
      agent: 'mirror',
      path: `/srv/${id}`,
      mode: 'durable',
      index,
    },
    {
      ...policy,
      id: named('program'),
      after: [named('data')],
      agent: 'process',
      command: ['program'],
      user: undefined,
      directory: '/',
      environment: {},
      stopSignal: 'SIGTERM',
      readyPort: undefined,
      checkCommand: undefined,
    },
    {
      ...policy,
      id: named('address'),
      after: [named('program')],
      agent: 'virtual-ip',
      address: `10.1.0.${100 + index}`,
      prefixLength: 24,
      family: 4,
      link: 'lan' as LinkId,
    },
  ];
  const common = {
    ...{ id: id as GroupId, nodes: nodes as readonly NodeId[], failback },
    ...(placement !== undefined && { placement }),
  };
  if (type !== 'everywhere') return { ...common, resources };
  const programs = resources.filter(({ agent }) => agent === 'process');
  const alone = programs.map((program) => ({ ...program, after: [], onFailure: 'retry' as const }));
  return { ...common, type, resources: alone };
}
