/**
 * The configuration as the programs use it: validated, defaults filled in, durations in
 * milliseconds, lists instead of maps. `config-schema.ts` makes it from the administrator's YAML.
 * It is plain JSON, so that the heart and the mirrors can read it without the schema.
 */
import type { HookPoint } from './hook.ts';
import type { GroupId, LinkId, NodeId, ResourceId } from './ids.ts';
import type { WeekWindow } from './week-window.ts';

export interface Config {
  /** Name of the cluster; part of every key, so that two clusters never mix. */
  readonly cluster: string;
  /** File with the cluster key: 32 bytes or more in base64 or hexadecimal, mode 0600. */
  readonly keyFile: string;
  /** UDP heartbeats use `basePort`, control TCP `basePort + 1`, mirror k TCP `basePort + 10 + k`. */
  readonly basePort: number;
  readonly timing: Timing;
  /** In order of preference for data. */
  readonly links: readonly LinkConfig[];
  readonly nodes: readonly NodeConfig[];
  readonly witness: WitnessConfig | undefined;
  /** A maintenance that lasts longer is warned of (14400000); undefined: none is. */
  readonly maintenanceWarnMs?: number | undefined;
  /** Undefined: a node that comes and goes is treated like any other. */
  readonly quarantine?: QuarantineConfig | undefined;
  /** Of two nodes without a witness: what happens when one is lost; absent: by hand. */
  readonly withoutWitness?: WithoutWitness | undefined;
  /** Where the ownership records are; none: with the members themselves. */
  readonly registry?: RegistryConfig | undefined;
  readonly groups: readonly GroupConfig[];
}

/** A node that came back more than `returns` times within `withinMs` gets nothing new for `forMs`. */
export interface QuarantineConfig {
  readonly returns: number;
  readonly withinMs: number;
  readonly forMs: number;
}

export type WithoutWitness =
  /** Nothing, until an administrator forces it. */
  | { readonly by: 'by-hand' }
  /** The other one turns it off, and goes on when it is known to be off. */
  | {
      readonly by: 'fence';
      /** How long the node that goes second waits before it does so. */
      readonly delayMs: number;
      /** One for each node: how the other one turns it off. */
      readonly fences: readonly FenceConfig[];
    };

/** A program that turns a node off; see `fence.ts`. */
export interface FenceConfig {
  readonly node: NodeId;
  readonly command: readonly string[];
  /** What it is told on standard input, beside the action. */
  readonly options: Readonly<Record<string, string>>;
  /** File with more lines of that kind, for what nobody else may read. */
  readonly optionsFile: string | undefined;
  /** For turning off and finding out together. */
  readonly timeoutMs: number;
}

export interface RegistryConfig {
  readonly etcd: EtcdConfig;
}

/** How the members reach etcd, by its JSON gateway. */
export interface EtcdConfig {
  /** Such as `https://10.77.0.21:2379`, one per member of etcd. */
  readonly endpoints: readonly string[];
  /** Of all keys; without a slash at the end. */
  readonly prefix: string;
  /** For the answer of one member. */
  readonly timeoutMs: number;
  /** PEM files: the only authorities that count; this node's certificate and its key. */
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly user: string | undefined;
  /** File with that user's password, mode 0600. */
  readonly passwordFile: string | undefined;
}

export interface Timing {
  /** Time between two heartbeats on a link (50). */
  readonly heartbeatMs: number;
  /** Life of a lease, counted from the sending of the heartbeat that was answered (300). */
  readonly leaseMs: number;
  /** Silence on every link that alone counts as loss of a node (1000). */
  readonly nodeLostMs: number;
  /** Silence of a secondary after which the primary asks to go on without it (400). */
  readonly secondaryLostMs: number;
  /** How much faster a clock of one node may run than another's, as a fraction (0.01). */
  readonly clockDrift: number;
  /** Life that the kernel gives a virtual IP between two renewals, whole seconds (3). */
  readonly addressLifeSeconds: number;
  /** How long a suspended owner waits for its lease before it stops the group (10000). */
  readonly suspendGraceMs: number;
}

export interface LinkConfig {
  readonly id: LinkId;
  readonly kind: 'udp';
  /** A cable between two nodes: loss of its carrier is a sign that the peer died. */
  readonly direct: boolean;
}

export interface NodeConfig {
  readonly id: NodeId;
  /** The node's address on each link that it is on. */
  readonly addresses: Readonly<Record<LinkId, string>>;
  /** What it has of each kind that groups need; no limit of what is not named. */
  readonly capacity?: Amounts | undefined;
}

/** A machine with addresses, or a directory on a share. */
export interface WitnessConfig extends NodeConfig {
  readonly share?: ShareConfig | undefined;
}

export interface ShareConfig {
  /** Where it is mounted on every node. */
  readonly path: string;
  /** Not looked at whether its file system is one that machines share. */
  readonly anyFileSystem: boolean;
}

/** The links of a member, where a share is taken for a machine that is on all but direct ones. */
export function simulatedLinks({ links }: Pick<Config, 'links'>, member: WitnessConfig): LinkId[] {
  if (member.share !== undefined) return links.filter(({ direct }) => !direct).map(({ id }) => id);
  return Object.keys(member.addresses) as LinkId[];
}

/** What a heart calls the way to a witness that is a share; none for any other witness. */
export function shareLink({ witness }: Pick<Config, 'witness'>): readonly LinkId[] {
  return witness?.share === undefined ? [] : [`share:${witness.share.path}` as LinkId];
}

/** Units that people chose, such as `{memory: 64}`. */
export type Amounts = Readonly<Record<string, number>>;

/** `failover`: on one of its nodes at a time. `everywhere`: on each of them at once. */
export type GroupType = 'failover' | 'everywhere';

export interface GroupConfig {
  readonly id: GroupId;
  /** `failover` when absent. */
  readonly type?: GroupType | undefined;
  /** Nodes that may run the group, the preferred one first. */
  readonly nodes: readonly NodeId[];
  /** Whether the group returns to the first of them by itself. */
  readonly failback: FailbackConfig;
  readonly resources: readonly ResourceConfig[];
  /** What is asked or told at the turns of the group's life. */
  readonly hooks?: Readonly<Partial<Record<HookPoint, HookConfig>>> | undefined;
  /** Its relations to other groups and what it takes; undefined where no word of that is given. */
  readonly placement?: PlacementConfig | undefined;
}

/** How a group stands to others and to the room on the nodes. */
export interface PlacementConfig {
  /** Groups that must be online before it starts, wherever they run. */
  readonly after: readonly GroupId[];
  /** Groups that run on the same node. */
  readonly together: readonly GroupId[];
  /** Groups that never run on the same node. */
  readonly apart: readonly GroupId[];
  /** Groups that run on other nodes where there is a choice. */
  readonly apartIfPossible: readonly GroupId[];
  /** The higher, the more important; 0 where none is given. */
  readonly priority: number;
  /** What it takes of a node's capacity while it runs there. */
  readonly needs: Amounts;
}

/** A program or a web server of the administrator that is asked or told; see `hook.ts`. */
export interface HookConfig {
  /** Without an answer by then Tako goes on without it. */
  readonly timeoutMs: number;
  readonly call:
    | {
        readonly type: 'command';
        readonly command: readonly string[];
        readonly user: string | undefined;
      }
    | {
        readonly type: 'http';
        readonly url: string;
        /** File with a secret that is sent as `Authorization: Bearer`. */
        readonly tokenFile: string | undefined;
        /** File with the certificates of those who may vouch for the server, in place of the public. */
        readonly caFile: string | undefined;
      };
}

export type FailbackConfig =
  | { readonly policy: 'never' }
  /** As soon as the node has been up without a break for so long, and its copies are in sync. */
  | {
      readonly policy: 'when-in-sync';
      readonly healthyForMs: number;
      /** Only then, by the civil time of the node that runs the group; at any time when absent. */
      readonly windows?: readonly WeekWindow[] | undefined;
    };

/** `light`: cheap and often. `deep`: as a client would see it, with all that it takes. */
export type MonitorDepth = 'light' | 'deep';

/** `failover` in groups of that type only, `retry` in those of type `everywhere` only. */
export type FailurePolicy = 'failover' | 'retry' | 'stop' | 'stay';

interface ResourceCommon {
  readonly id: ResourceId;
  /** Resources of the same group that must be started before this one. */
  readonly after: readonly ResourceId[];
  /** Between the answer to a check and the next one. */
  readonly monitorMs: number;
  /** A check that takes longer has found no answer. */
  readonly monitorTimeoutMs: number;
  /** Its thorough check; undefined for an agent or a resource that has none. */
  readonly deepMonitor: { readonly everyMs: number; readonly timeoutMs: number } | undefined;
  /** So many checks in a row without an answer count as a failure; undefined: none ever do. */
  readonly unknownLimit: number | undefined;
  readonly startTimeoutMs: number;
  readonly stopTimeoutMs: number;
  /** Restarts here within the window, before `onFailure` applies. */
  readonly restarts: { readonly limit: number; readonly windowMs: number };
  /** What a failure means that restarts did not cure: see {@link FailurePolicy}. */
  readonly onFailure: FailurePolicy;
  /** Asked when it has failed; the group's `on-failure` hook where it has none of its own. */
  readonly failureHook?: HookConfig | undefined;
  /** What it counts as when a program that reports its own health falls silent; `unknown`. */
  readonly reportSilence?: 'unknown' | 'failed' | undefined;
}

export interface MirrorConfig extends ResourceCommon {
  readonly agent: 'mirror';
  readonly path: string;
  readonly mode: 'durable' | 'every-write';
  /** How fast copies are compared with their primary, all the time; undefined: never. */
  readonly scrubBytesPerSecond?: number | undefined;
  /** Position among all mirrors of the cluster; fixes its TCP port. */
  readonly index: number;
}

export interface VirtualIpConfig extends ResourceCommon {
  readonly agent: 'virtual-ip';
  readonly address: string;
  readonly prefixLength: number;
  readonly family: 4 | 6;
  /** The link whose network interface carries the address. */
  readonly link: LinkId;
}

export interface ProcessConfig extends ResourceCommon {
  readonly agent: 'process';
  readonly command: readonly string[];
  readonly user: string | undefined;
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Signal that asks the program to end; SIGKILL follows when `stopTimeoutMs` is over. */
  readonly stopSignal: string;
  /** TCP port on this node that accepts connections once the program is ready. */
  readonly readyPort: number | undefined;
  /** Its deep check: a program and arguments; exit code 0 says that all is well. */
  readonly checkCommand: readonly string[] | undefined;
}

export type ResourceConfig = MirrorConfig | VirtualIpConfig | ProcessConfig;

/** Whether the group runs on each of its nodes at once. */
export function isEverywhere({ type }: Pick<GroupConfig, 'type'>): boolean {
  return type === 'everywhere';
}

/** What every daemon of a node gets at start, as one JSON file. */
export interface NodeSetup {
  readonly node: NodeId;
  /** Sockets, lease marks, pid files: lost at reboot (`/run/tako`). */
  readonly runDir: string;
  /** What must survive a reboot (`/var/lib/tako`). */
  readonly stateDir: string;
  /** The YAML file that `config` came from, for messages and for reload. */
  readonly configFile: string;
  readonly config: Config;
}
