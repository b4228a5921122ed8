/**
 * From the administrator's words to the shape that the programs use: defaults filled in, durations
 * in milliseconds, maps as lists in the order of the file. Expects a file without faults.
 */
import { must } from '../base/assert.ts';
import {
  type Config,
  type EtcdConfig,
  type FailbackConfig,
  type GroupConfig,
  type HookConfig,
  type NodeConfig,
  type PlacementConfig,
  type QuarantineConfig,
  type ResourceConfig,
  type Timing,
  type WithoutWitness,
  type WitnessConfig,
} from './config.ts';
import {
  amountsSchema,
  shareWitnessSchema,
  CAPACITY_KEY,
  type ConfigFile,
  type HookFile,
  type ResourceFile,
} from './config-schema.ts';
import {
  parseAddress,
  parseAddressWithPrefix,
  parseDuration,
  parseRate,
  parseRestarts,
} from './config-words.ts';
import { HOOK_POINTS, type HookPoint } from './hook.ts';
import type { GroupId, LinkId, NodeId, ResourceId } from './ids.ts';
import { parseWeekWindow } from './week-window.ts';

export const BASE_PORT_DEFAULT = 8256;
/** Mirror k listens on `base-port + MIRROR_PORT_OFFSET + k`. */
export const MIRROR_PORT_OFFSET = 10;
const ETCD_PREFIX_DEFAULT = '/tako';
/** A third of the time that a vote has. */
const ETCD_TIMEOUT_MS = 1000;
const FAILBACK_AFTER_DEFAULT = '5m';
const FENCE_DELAY_DEFAULT = '5s';
export const FENCE_TIMEOUT_DEFAULT = '30s';
const RESTARTS_DEFAULT = '3 within 1m';
const MAINTENANCE_WARNING_DEFAULT = '4h';
/** Where the file says nothing; the words of the reference. */
export const MONITOR_DEFAULT = '1s';
export const DEEP_MONITOR_DEFAULT = { every: '30s', timeout: '20s' } as const;
const UNKNOWN_LIMIT_DEFAULT = 3;
/** A terabyte in six days, and nothing that a disk would notice. */
const SCRUB_DEFAULT = '2MB/s';
/** Somebody waits for the answer of a hook that is asked; nobody for one that is told. */
const HOOK_TIMEOUT_DEFAULT = { asked: '2s', told: '30s' } as const;
const TIMEOUTS = {
  mirror: { start: '1m', stop: '30s', monitor: '10s' },
  process: { start: '30s', stop: '10s', monitor: '10s' },
  'virtual-ip': { start: '5s', stop: '5s', monitor: '5s' },
} as const;

type GroupFile = ConfigFile['groups'][string];

export function normalizeConfig(file: ConfigFile): Config {
  const witness = Object.entries(file.witness ?? {})[0];
  const mirrors = { next: 0 };
  return {
    cluster: file.cluster,
    keyFile: file['key-file'],
    basePort: file['base-port'] ?? BASE_PORT_DEFAULT,
    timing: normalizeTiming(file.timing),
    links: Object.entries(file.links).map(([id, link]) => ({
      id: id as LinkId,
      kind: link.kind,
      direct: link.direct ?? false,
    })),
    nodes: Object.entries(file.nodes).map(normalizeNode),
    witness: witness === undefined ? undefined : normalizeWitness(witness),
    quarantine: quarantineOf(file.quarantine),
    maintenanceWarnMs: warningOf(file['maintenance-warning'] ?? MAINTENANCE_WARNING_DEFAULT),
    withoutWitness: normalizeWithoutWitness(file),
    ...(file.registry !== undefined && { registry: { etcd: etcdOf(file.registry.etcd) } }),
    groups: Object.entries(file.groups).map(([id, group]) => normalizeGroup(id, group, mirrors)),
  };
}

function quarantineOf(given: ConfigFile['quarantine'] = {}): QuarantineConfig | undefined {
  if (given === 'never') return undefined;
  const { for: forTime = '10m', returns = 3, within = '10m' } = given;
  return { returns, withinMs: ms(within), forMs: ms(forTime) };
}

function warningOf(text: string): number | undefined {
  return text === 'never' ? undefined : ms(text);
}

function normalizeWithoutWitness(file: ConfigFile): WithoutWitness | undefined {
  if (file['without-witness'] === undefined) return undefined;
  if (file['without-witness'] === 'by-hand') return { by: 'by-hand' };
  const delayMs = ms(file['fence-delay'] ?? FENCE_DELAY_DEFAULT);
  const fences = Object.entries(file.fences ?? {}).map(([node, fence]) => ({
    node: node as NodeId,
    command: fence.command,
    options: Object.fromEntries(
      Object.entries(fence.options ?? {}).map(([key, value]) => [key, String(value)]),
    ),
    optionsFile: fence['options-file'],
    timeoutMs: ms(fence.timeout ?? FENCE_TIMEOUT_DEFAULT),
  }));
  return { by: 'fence', delayMs, fences };
}

function etcdOf(file: NonNullable<ConfigFile['registry']>['etcd']): EtcdConfig {
  return {
    endpoints: file.endpoints,
    prefix: file.prefix ?? ETCD_PREFIX_DEFAULT,
    timeoutMs: ETCD_TIMEOUT_MS,
    caFile: file['ca-file'],
    certFile: file['cert-file'],
    keyFile: file['key-file'],
    user: file.user,
    passwordFile: file['password-file'],
  };
}

/** With the defaults for what is not given. */
export function normalizeTiming(timing: ConfigFile['timing']): Timing {
  const given = timing ?? {};
  return {
    heartbeatMs: ms(given.heartbeat ?? '50ms'),
    leaseMs: ms(given.lease ?? '300ms'),
    nodeLostMs: ms(given['node-lost'] ?? '1s'),
    secondaryLostMs: ms(given['secondary-lost'] ?? '400ms'),
    clockDrift: given['clock-drift'] ?? 0.01,
    addressLifeSeconds: ms(given['address-life'] ?? '3s') / 1000,
    suspendGraceMs: ms(given['suspend-grace'] ?? '10s'),
  };
}

function normalizeWitness(entry: [string, Readonly<Record<string, unknown>>]): WitnessConfig {
  const [id, file] = entry;
  const parsed = shareWitnessSchema.safeParse(file);
  if (!parsed.success) return normalizeNode(entry);
  const { share: path, 'any-file-system': any } = parsed.data;
  return { id: id as NodeId, addresses: {}, share: { path, anyFileSystem: any === true } };
}

function normalizeNode([id, member]: [string, Readonly<Record<string, unknown>>]): NodeConfig {
  const canonical: Record<LinkId, string> = {};
  for (const [link, text] of Object.entries(member)) {
    if (typeof text !== 'string') continue;
    canonical[link as LinkId] = must(parseAddress(text), 'the schema checked it').canonical;
  }
  const capacity = amountsSchema.optional().parse(member[CAPACITY_KEY]);
  return { id: id as NodeId, addresses: canonical, ...(capacity !== undefined && { capacity }) };
}

function normalizeGroup(id: string, group: GroupFile, mirrors: { next: number }): GroupConfig {
  const everywhere = group.type === 'everywhere';
  let previous: ResourceId | undefined;
  const resources = Object.entries(group.resources).map(([name, file]) => {
    const resource = normalizeResource(name as ResourceId, file, previous, mirrors);
    previous = resource.id;
    return everywhere && file['on-failure'] === undefined
      ? { ...resource, onFailure: 'retry' as const }
      : resource;
  });
  const failback = failbackOf(group);
  const hooks = hooksOf(group.hooks);
  const placement = placementOf(group);
  const common = { id: id as GroupId, nodes: group.nodes as NodeId[], failback, resources, hooks };
  return {
    ...common,
    ...(everywhere && { type: 'everywhere' as const }),
    ...(placement !== undefined && { placement }),
    ...(everywhere && { type: 'everywhere' as const }),
  };
}

function placementOf(group: GroupFile): PlacementConfig | undefined {
  const { after, apart, needs, priority, together, 'apart-if-possible': soft } = group;
  if ([after, apart, needs, priority, together, soft].every((word) => word === undefined)) {
    return undefined;
  }
  const names = (list: readonly string[] | undefined): readonly GroupId[] =>
    (list ?? []) as readonly GroupId[];
  return {
    after: names(after),
    together: names(together),
    apart: names(apart),
    apartIfPossible: names(soft),
    priority: priority ?? 0,
    needs: needs ?? {},
  };
}

function hooksOf(file: GroupFile['hooks']): GroupConfig['hooks'] {
  if (file === undefined) return undefined;
  const hooks: Partial<Record<HookPoint, HookConfig>> = {};
  for (const point of HOOK_POINTS) {
    const hook = file[point];
    if (hook !== undefined) hooks[point] = hookOf(hook, point);
  }
  return hooks;
}

function hookOf(file: HookFile, point: HookPoint): HookConfig {
  const preset = point.startsWith('after-') ? 'told' : 'asked';
  const timeoutMs = ms(file.timeout ?? HOOK_TIMEOUT_DEFAULT[preset]);
  if (file.url !== undefined) {
    const { url, 'token-file': tokenFile, 'ca-file': caFile } = file;
    return { timeoutMs, call: { type: 'http', url, tokenFile, caFile } };
  }
  const command = must(file.command, 'the schema checked it');
  return { timeoutMs, call: { type: 'command', command, user: file.user } };
}

function failbackOf(group: GroupFile): FailbackConfig {
  if (group.failback !== 'when-in-sync') return { policy: 'never' };
  const healthyForMs = ms(group['failback-after'] ?? FAILBACK_AFTER_DEFAULT);
  const windows = group['failback-windows']?.flatMap((text) => parseWeekWindow(text) ?? []);
  return { policy: 'when-in-sync', healthyForMs, ...(windows === undefined ? {} : { windows }) };
}

function normalizeResource(
  id: ResourceId,
  file: ResourceFile,
  previous: ResourceId | undefined,
  mirrors: { next: number },
): ResourceConfig {
  const timeouts = TIMEOUTS[file.agent];
  const common = {
    id,
    after: (file.after as ResourceId[] | undefined) ?? (previous === undefined ? [] : [previous]),
    monitorMs: ms(file.monitor ?? MONITOR_DEFAULT),
    monitorTimeoutMs: ms(file['monitor-timeout'] ?? timeouts.monitor),
    deepMonitor: undefined,
    unknownLimit: unknownLimitOf(file),
    startTimeoutMs: ms(file['start-timeout'] ?? timeouts.start),
    stopTimeoutMs: ms(file['stop-timeout'] ?? timeouts.stop),
    restarts: must(parseRestarts(file.restarts ?? RESTARTS_DEFAULT), 'the schema checked it'),
    onFailure: file['on-failure'] ?? 'failover',
    failureHook: failureHookOf(file),
    reportSilence: file['report-silence'] ?? 'unknown',
  };
  if (file.agent === 'mirror') {
    const index = mirrors.next;
    mirrors.next += 1;
    const scrubBytesPerSecond = parseRate(file.scrub ?? SCRUB_DEFAULT);
    const own = { path: file.path, mode: file.mode ?? 'durable', scrubBytesPerSecond, index };
    return { ...common, agent: 'mirror', ...own };
  }
  if (file.agent === 'virtual-ip') {
    const parsed = must(parseAddressWithPrefix(file.address), 'the schema checked it');
    const { canonical: address, prefixLength, family } = parsed;
    return {
      ...common,
      agent: 'virtual-ip',
      address,
      prefixLength,
      family,
      link: file.link as LinkId,
    };
  }
  return {
    ...common,
    agent: 'process',
    deepMonitor: deepMonitorOf(file),
    command: file.command,
    user: file.user,
    directory: file.directory ?? '/',
    environment: Object.fromEntries(
      Object.entries(file.environment ?? {}).map(([key, value]) => [key, String(value)]),
    ),
    stopSignal: file['stop-signal'] ?? 'SIGTERM',
    readyPort: file['ready-port'],
    checkCommand: file['check-command'],
  };
}

function failureHookOf(file: ResourceFile): HookConfig | undefined {
  const hook = file['failure-hook'];
  return hook === undefined ? undefined : hookOf(hook, 'on-failure');
}

function unknownLimitOf(file: ResourceFile): number | undefined {
  const limit = file['unknown-limit'] ?? UNKNOWN_LIMIT_DEFAULT;
  return limit === 'never' ? undefined : limit;
}

/** A program has a deep check when it is told how to check deeply. */
function deepMonitorOf(
  file: Extract<ResourceFile, { agent: 'process' }>,
): ResourceConfig['deepMonitor'] {
  if (file['check-command'] === undefined) return undefined;
  return {
    everyMs: ms(file['deep-monitor'] ?? DEEP_MONITOR_DEFAULT.every),
    timeoutMs: ms(file['deep-monitor-timeout'] ?? DEEP_MONITOR_DEFAULT.timeout),
  };
}

function ms(text: string): number {
  return must(parseDuration(text), 'the schema checked it');
}
