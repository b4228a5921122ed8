/**
 * The words of the administrator's YAML file: which keys exist, what they mean and what form their
 * values have. The JSON Schema for editors is made from this file, so every key has a description.
 *
 * Convention: the `error` text of a rule says what is *expected*; the loader puts in front of it
 * where and what was found. What depends on more than one place is in `config-checks.ts`, the
 * defaults and the final shape in `config-normalize.ts`.
 */
import { z } from 'zod';
import {
  DURATION_PATTERN,
  DURATION_WANTED,
  isHookUrl,
  isWithinHookTimeout,
  isPlainAbsolutePath,
  isUsableAddress,
  NAME_PATTERN,
  NAME_RESERVED,
  NAME_WANTED,
  parseAddress,
  parseAddressWithPrefix,
  parseDuration,
  parseRestarts,
  RATE_PATTERN,
  RATE_WANTED,
  RESTARTS_PATTERN,
  RESTARTS_WANTED,
  UNKNOWN_LIMIT_MAX,
} from './config-words.ts';
import { isFenceOption } from './fence.ts';
import { parseWeekWindow, WEEK_WINDOW_WANTED } from './week-window.ts';

/** Bounds that keep a file readable and every later loop small. */
/** Each votes, and all are asked at each vote, unless a store outside decides ({@link NODES_MAX}). */
export const VOTING_NODES_MAX = 9;
export const NODES_MAX = 32;
/** Members of etcd that are asked. */
export const ENDPOINTS_MAX = 9;
export const LINKS_MAX = 8;
export const GROUPS_MAX = 64;
export const RESOURCES_MAX = 64;
/** Of a whole cluster; mirror k uses TCP port `base-port + 10 + k`. */
export const MIRRORS_MAX = 200;

export const STOP_SIGNALS = [
  'SIGTERM',
  'SIGINT',
  'SIGQUIT',
  'SIGHUP',
  'SIGUSR1',
  'SIGUSR2',
] as const;

const UNKNOWN_LIMIT_WANTED = `a number from 1 to ${UNKNOWN_LIMIT_MAX}, or never`;
const PATH_WANTED = 'an absolute path without "." or ".." parts and without a slash at the end';

const name = z
  .string()
  .regex(NAME_PATTERN, NAME_WANTED)
  .refine((text) => text !== NAME_RESERVED, `another name: "${NAME_RESERVED}" is reserved`);
const duration = z.string().regex(DURATION_PATTERN, DURATION_WANTED);
const path = z.string().regex(/^\//u, PATH_WANTED).refine(isPlainAbsolutePath, PATH_WANTED);
const address = z.string().refine((text) => {
  const parsed = parseAddress(text);
  return parsed !== undefined && isUsableAddress(parsed);
}, 'an IPv4 or IPv6 address of one machine, such as 10.77.0.1');
const text = (wanted: string): z.ZodString =>
  z
    .string()
    .min(1, wanted)
    .max(4000, wanted)
    .regex(/^[^\0]*$/u, wanted);

const timing = z
  .strictObject({
    heartbeat: duration.optional().describe('Time between two heartbeats on a link. Default 50ms.'),
    lease: duration
      .optional()
      .describe(
        'Life of a lease; at least four heartbeats. Shorter: faster takeover. Default 300ms.',
      ),
    'node-lost': duration
      .optional()
      .describe(
        'Silence on every link that alone counts as loss of a node; at least the lease and two heartbeats. Default 1s.',
      ),
    'secondary-lost': duration
      .optional()
      .describe(
        'Silence of a secondary copy after which the primary asks to go on alone. Default 400ms.',
      ),
    'clock-drift': z
      .number('a fraction from 0.0001 to 0.2, such as 0.01')
      .min(0.0001, 'a fraction from 0.0001 to 0.2, such as 0.01')
      .max(0.2, 'a fraction from 0.0001 to 0.2, such as 0.01')
      .optional()
      .describe(
        "How much faster one node's clock may run than another's, as a fraction. Default 0.01.",
      ),
    'address-life': duration
      .optional()
      .describe(
        'Life that the kernel gives a virtual IP between renewals, whole seconds. Default 3s.',
      ),
    'suspend-grace': duration
      .optional()
      .describe(
        'How long a suspended owner waits for its lease before it stops the group. Default 10s.',
      ),
  })
  .describe('Times of the failure detector. The defaults suit a local network; see the reference.');

const link = z
  .strictObject({
    kind: z.literal('udp', 'the kind "udp"').describe('Transport of the heartbeats.'),
    direct: z
      .boolean('true or false')
      .optional()
      .describe(
        'A cable between two nodes, without a switch: loss of its carrier is a sign that the peer died. Default false.',
      ),
  })
  .describe('A network path between the nodes.');

const addresses = z
  .record(name, address)
  .describe("The node's address on each link that it is on.");

const shareWitness = z
  .strictObject({
    share: path.describe('Where the share is mounted on every node.'),
    'any-file-system': z
      .boolean()
      .optional()
      .describe('Take a file system that Tako does not know to be shared.'),
  })
  .describe('A directory on a share that votes, in place of a machine.');

/** The one key of a node that is no link. */
export const CAPACITY_KEY = 'capacity';
/** Kinds of things that groups need and nodes have. */
export const KINDS_MAX = 16;
const AMOUNT_WANTED = 'a number from 0 to 1000000000, such as 16 or 0.5';
const PRIORITY_WANTED = 'a whole number from -1000000 to 1000000';

const amounts = z
  .record(name, z.number(AMOUNT_WANTED).min(0, AMOUNT_WANTED).max(1_000_000_000, AMOUNT_WANTED))
  .refine((all) => Object.keys(all).length <= KINDS_MAX, `at most ${KINDS_MAX} kinds`);

const node = z
  .object({
    [CAPACITY_KEY]: amounts
      .optional()
      .describe(
        'What the node has of what groups need, such as {memory: 64}, in units of your choice. No limit of what is not named.',
      ),
  })
  .catchall(address)
  .describe("The node's address on each link that it is on, and its capacity.");

const URL_WANTED = 'an address such as https://ops.example/tako, without user and password in it';
const HOOK_TIMEOUT_WANTED = 'a duration from 200ms to 1m';

/** One hook: a program or a web server. */
export const hookSchema = z
  .strictObject({
    command: z
      .array(text('a program or an argument: text of 1 to 4000 characters'))
      .min(1, 'the program and its arguments, such as [/etc/tako/hooks/before-start]')
      .max(256, 'at most 256 words')
      .optional()
      .describe(
        'Program and arguments, started without a shell: told by TAKO_* variables and JSON on stdin, answers by its exit code.',
      ),
    user: z
      .string()
      .regex(/^[a-z_][a-z0-9_.-]{0,31}\$?$/u, 'the name of a local user')
      .optional()
      .describe('Local user that runs the command. Default root.'),
    url: z
      .string()
      .max(2000, URL_WANTED)
      .refine(isHookUrl, URL_WANTED)
      .optional()
      .describe('Where the JSON is sent by POST, http or https; redirects are not followed.'),
    'token-file': path
      .optional()
      .describe(
        'File with a secret that is sent to the url as "Authorization: Bearer". Read at each call.',
      ),
    'ca-file': path
      .optional()
      .describe(
        'PEM file with the only authorities that may vouch for an https url. Default: the public ones that come with Node.js. Read at each call.',
      ),
    timeout: duration
      .refine((value) => isWithinHookTimeout(value), HOOK_TIMEOUT_WANTED)
      .optional()
      .describe(
        'Without an answer by then Tako goes on without the hook; 200ms to 1m. Default 2s before something and on a failure, 30s after something.',
      ),
  })
  .refine(
    (hook) => (hook.command === undefined) !== (hook.url === undefined),
    'either "command" or "url"',
  )
  .refine(
    (hook) => hook.user === undefined || hook.command !== undefined,
    '"user" only beside "command"',
  )
  .refine(
    (hook) => hook['token-file'] === undefined || hook.url !== undefined,
    '"token-file" only beside "url"',
  )
  .refine(
    (hook) => hook['ca-file'] === undefined || hook.url?.startsWith('https:') === true,
    '"ca-file" only beside a "url" with https',
  )
  .describe('A program or a web server that is asked or told.');

const hooks = z
  .strictObject({
    'before-failover': hookSchema
      .optional()
      .describe('Asked by the node that would take over from a lost one; may veto.'),
    'before-start': hookSchema
      .optional()
      .describe('Asked before the first resource starts on a node; may veto an automatic start.'),
    'after-start': hookSchema.optional().describe('Told when all has started.'),
    'after-failover': hookSchema.optional().describe('Told when all has started after a failover.'),
    'on-failure': hookSchema
      .optional()
      .describe(
        'Asked when a resource has failed: built-in recovery, wait, stay, failover, or repaired. For resources without a failure-hook.',
      ),
    'before-failback': hookSchema
      .optional()
      .describe('Asked before a planned move to the preferred node; may veto.'),
    'before-stop': hookSchema
      .optional()
      .describe('Asked before all stops in order; may veto a planned move or stop.'),
    'after-stop': hookSchema.optional().describe('Told when all has stopped, by force too.'),
    'after-failback': hookSchema
      .optional()
      .describe('Told when all has started after a planned move to the preferred node.'),
  })
  .describe("What is asked or told at the turns of the group's life. Default: nothing.");

const common = {
  after: z
    .array(name)
    .max(RESOURCES_MAX)
    .optional()
    .describe(
      'Resources of this group that must be started before. Default: the one listed before; [] means none.',
    ),
  monitor: duration.optional().describe('Time between two checks. Default 1s.'),
  'monitor-timeout': duration
    .optional()
    .describe(
      'A check that takes longer found no answer; see unknown-limit. Default 10s, 5s for a virtual IP.',
    ),
  'unknown-limit': z
    .union(
      [z.number().int().min(1).max(UNKNOWN_LIMIT_MAX), z.literal('never')],
      UNKNOWN_LIMIT_WANTED,
    )
    .optional()
    .describe(
      'So many checks in a row without an answer count as a failure; never: none ever do. Default 3.',
    ),
  'start-timeout': duration
    .optional()
    .describe(
      'A start that takes longer is stopped and counts as a failure. Default 1m for a mirror, 30s for a process, 5s for a virtual IP.',
    ),
  'stop-timeout': duration
    .optional()
    .describe(
      'A stop that takes longer is tried again, and nothing starts elsewhere meanwhile. Default 30s for a mirror, 10s for a process, 5s for a virtual IP.',
    ),
  restarts: z
    .string()
    .regex(RESTARTS_PATTERN, RESTARTS_WANTED)
    .refine((value) => parseRestarts(value) !== undefined, RESTARTS_WANTED)
    .optional()
    .describe(
      'Restarts on the same node before on-failure applies: "3 within 60s", or "never". Default "3 within 1m".',
    ),
  'on-failure': z
    .enum(['failover', 'retry', 'stop', 'stay'], 'one of: failover, retry, stop, stay')
    .optional()
    .describe(
      'What follows when restarts did not help. failover: the group moves to another node (default; not with "type: everywhere"). retry: the instance is tried again and again, after 10s at first, 5m at last (default with "type: everywhere", and only there). stop: the group, or the instance, stops here, in order, until somebody starts it. stay: the resource is left failed and the rest goes on.',
    ),
  'failure-hook': hookSchema
    .optional()
    .describe("Asked when this resource has failed, in place of the group's on-failure hook."),
  'report-silence': z
    .enum(['unknown', 'failed'], 'one of: unknown, failed')
    .optional()
    .describe(
      'What it counts as when a program that promised to report its health does not. unknown: as a check without an answer (default).',
    ),
};

const mirror = z
  .strictObject({
    agent: z.literal('mirror'),
    path: path.describe('The directory to mirror, at the same place on every node of the group.'),
    mode: z
      .enum(['durable', 'every-write'], 'one of: durable, every-write')
      .optional()
      .describe(
        'durable: fsync and the like wait for the other copy (default). every-write: each write does, for programs that never sync.',
      ),
    scrub: z
      .string()
      .regex(RATE_PATTERN, RATE_WANTED)
      .optional()
      .describe(
        'How fast the copies in sync are compared with the primary, again and again: a rate, or "never". Default "2MB/s".',
      ),
    ...common,
  })
  .describe('A directory that is copied to the other nodes as it is written.');

const virtualIp = z
  .strictObject({
    agent: z.literal('virtual-ip'),
    address: z
      .string()
      .refine((value) => {
        const parsed = parseAddressWithPrefix(value);
        return parsed !== undefined && isUsableAddress(parsed);
      }, 'an address with its prefix length, such as 10.77.0.100/24')
      .describe('The address that moves with the group, with its prefix length.'),
    link: name.describe("The link whose network interface carries the address: the clients' one."),
    ...common,
  })
  .describe('An address that is always where the group is.');

const process = z
  .strictObject({
    agent: z.literal('process'),
    command: z
      .array(text('a program or an argument: text of 1 to 4000 characters'))
      .min(1, 'the program and its arguments, such as [/usr/bin/node, server.js]')
      .max(256, 'at most 256 words')
      .describe('Program and arguments, started without a shell. It must stay in the foreground.'),
    user: z
      .string()
      .regex(/^[a-z_][a-z0-9_.-]{0,31}\$?$/u, 'the name of a local user')
      .optional()
      .describe('Local user that runs it. Default root.'),
    directory: path.optional().describe('Its working directory. Default /.'),
    environment: z
      .record(
        z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/u, 'a variable name such as DATA_DIR'),
        z.union([z.string().max(32_768), z.number(), z.boolean()], 'text, a number, true or false'),
      )
      .optional()
      .describe('Environment variables added to a minimal set.'),
    'stop-signal': z
      .enum(STOP_SIGNALS, `one of: ${STOP_SIGNALS.join(', ')}`)
      .optional()
      .describe('Asks it to end; SIGKILL follows after stop-timeout. Default SIGTERM.'),
    'ready-port': z
      .number('a TCP port from 1 to 65535')
      .int('a TCP port from 1 to 65535')
      .min(1, 'a TCP port from 1 to 65535')
      .max(65_535, 'a TCP port from 1 to 65535')
      .optional()
      .describe('TCP port on this node that accepts connections once the program is ready.'),
    'check-command': z
      .array(text('a program or an argument: text of 1 to 4000 characters'))
      .min(1, 'the program and its arguments, such as [/usr/bin/pg_isready, --quiet]')
      .max(256, 'at most 256 words')
      .optional()
      .describe(
        'A program that ends with exit code 0 when all is well: the deep check, and the last word on whether a start is done. Runs as the same user, in the same directory.',
      ),
    'deep-monitor': duration
      .optional()
      .describe('Time between two deep checks. Needs check-command. Default 30s.'),
    'deep-monitor-timeout': duration
      .optional()
      .describe('A deep check that takes longer found no answer. Default 20s.'),
    ...common,
  })
  .describe('A program that Tako starts, watches and stops.');

/** One resource, whatever its agent. */
export const resourceSchema = z
  .discriminatedUnion('agent', [mirror, virtualIp, process], {
    error: 'one of the agents: mirror, virtual-ip, process',
  })
  .describe('A thing that runs on one node at a time, or, with "type: everywhere", on each.');

const relation = (meaning: string): z.ZodOptional<z.ZodArray<typeof name>> =>
  z.array(name).max(GROUPS_MAX, `at most ${GROUPS_MAX} groups`).optional().describe(meaning);

export const groupSchema = z
  .strictObject({
    type: z
      .enum(['failover', 'everywhere'], 'one of: failover, everywhere')
      .optional()
      .describe(
        'failover: it runs on one of its nodes at a time (default). everywhere: on each of them at once, for programs that share nothing, such as web servers behind a load balancer.',
      ),
    nodes: z
      .array(name)
      .min(1, 'at least one node')
      .max(NODES_MAX, `at most ${NODES_MAX} nodes`)
      .describe(
        'Nodes that may run the group, the preferred one first. At the very first start its data count. With "type: everywhere": the nodes that run it.',
      ),
    failback: z
      .enum(['never', 'when-in-sync'], 'one of: never, when-in-sync')
      .optional()
      .describe(
        'Whether the group returns to the first of its nodes by itself after a failover. Default never.',
      ),
    'failback-after': duration
      .optional()
      .describe('How long that node must have been up without a break. Default 5m.'),
    'failback-windows': z
      .array(z.string().refine((text) => parseWeekWindow(text) !== undefined, WEEK_WINDOW_WANTED))
      .min(1, WEEK_WINDOW_WANTED)
      .max(50, 'at most 50 windows')
      .optional()
      .describe(
        'When the group may return, by the local time of the node that runs it. Default at any time.',
      ),
    after: relation(
      'Groups that must be online before this one starts, on whatever node they are. Nothing is stopped when one of them stops.',
    ),
    together: relation(
      'Groups that run on the same node as this one. They start, fail over, move and fail back as one.',
    ),
    apart: relation('Groups that never run on the same node as this one.'),
    'apart-if-possible': relation(
      'Groups that run on other nodes than this one where there is a choice.',
    ),
    priority: z
      .number(PRIORITY_WANTED)
      .int(PRIORITY_WANTED)
      .min(-1_000_000, PRIORITY_WANTED)
      .max(1_000_000, PRIORITY_WANTED)
      .optional()
      .describe(
        'The higher, the more important: where there is not room for all, the less important one gives way. Default 0.',
      ),
    needs: amounts
      .optional()
      .describe(
        "What the group takes of a node's capacity while it runs there, such as {memory: 8}. Default nothing.",
      ),
    resources: z
      .record(name, resourceSchema)
      .refine((all) => Object.keys(all).length >= 1, 'at least one resource')
      .refine(
        (all) => Object.keys(all).length <= RESOURCES_MAX,
        `at most ${RESOURCES_MAX} resources`,
      )
      .describe('What runs together, in the order in which it is started.'),
    hooks: hooks.optional(),
  })
  .describe('Resources that run on one node together and move together, or run on each node.');

const FENCE_OPTION_WANTED = 'a name such as "ip", other than "action"';
const FENCE_VALUE_WANTED = 'one line of text, a number, true or false';

/** What turns one node off. */
export const fenceSchema = z
  .strictObject({
    command: z
      .array(text('a program or an argument: text of 1 to 4000 characters'))
      .min(1, 'the program and its arguments, such as [/usr/sbin/fence_ipmilan]')
      .max(256, 'at most 256 words')
      .describe(
        'Program and arguments, started without a shell: reads key=value lines on stdin, action=off or action=status among them; status answers by exit code 0 for on and 2 for off.',
      ),
    options: z
      .record(
        z.string().refine((key) => isFenceOption(key), FENCE_OPTION_WANTED),
        z.union(
          [
            z
              .string()
              .max(4000)
              .regex(/^[^\p{Cc}]*$/u, FENCE_VALUE_WANTED),
            z.number(),
            z.boolean(),
          ],
          FENCE_VALUE_WANTED,
        ),
      )
      .optional()
      .describe('Lines that it is told before the action.'),
    'options-file': path
      .optional()
      .describe(
        'File with more such lines, for passwords; only its owner may read it. Read at each call.',
      ),
    timeout: duration
      .optional()
      .describe(
        'For turning off and finding out together; without an answer by then nothing is known. 1s to 10m. Default 30s.',
      ),
  })
  .describe('What turns a node off, on the word of the other one.');
const ENDPOINT_WANTED = 'an address such as https://10.77.0.21:2379, without a path';
const PREFIX_WANTED = 'a path such as /tako, without a slash at the end';

const etcd = z
  .strictObject({
    endpoints: z
      .array(z.string().refine(isEndpoint, ENDPOINT_WANTED))
      .min(1, 'at least one endpoint')
      .max(ENDPOINTS_MAX, `at most ${ENDPOINTS_MAX} endpoints`)
      .describe('The client addresses of the members of etcd, one each.'),
    prefix: z
      .string()
      .regex(/^(?:\/[A-Za-z0-9._-]+)+$/u, PREFIX_WANTED)
      .max(200, PREFIX_WANTED)
      .optional()
      .describe('Of all keys of Tako in etcd; the name of the cluster follows it. Default /tako.'),
    'ca-file': path
      .optional()
      .describe('PEM file with the only authorities that count for https; else the public ones.'),
    'cert-file': path.optional().describe("PEM file with this node's certificate for etcd."),
    'key-file': path.optional().describe('PEM file with the key of that certificate.'),
    user: text('the name of a user of etcd').optional().describe('User of etcd.'),
    'password-file': path
      .optional()
      .describe('File with the password of that user, readable by its owner only.'),
  })
  .describe('An etcd, version 3.4 or later, that holds the ownership records.');

const registry = z
  .strictObject({ etcd })
  .describe('Where the ownership records are. Without it: with the nodes and the witness.');

function isEndpoint(value: string): boolean {
  const [, host = '', bare = '', port = ''] =
    /^https?:\/\/(?:\[([0-9A-Fa-f:]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/u.exec(value) ?? [];
  return host + bare !== '' && Number(port) >= 1 && Number(port) <= 65_535;
}

export const timingSchema = timing;
export const registrySchema = registry;
export const linkSchema = link;
export const hooksSchema = hooks;
export const addressesSchema = addresses;
export const shareWitnessSchema = shareWitness;
export const amountsSchema = amounts;

const QUARANTINE_TIME_WANTED = 'a duration from 1s to 24h';
const quarantineTime = duration.refine((text) => {
  const ms = parseDuration(text) ?? 0;
  return ms >= 1000 && ms <= 86_400_000;
}, QUARANTINE_TIME_WANTED);
const RETURNS_WANTED = 'a number from 1 to 50';
const quarantine = z
  .union(
    [
      z.literal('never'),
      z.strictObject({
        returns: z
          .number(RETURNS_WANTED)
          .int(RETURNS_WANTED)
          .min(1, RETURNS_WANTED)
          .max(50, RETURNS_WANTED)
          .optional()
          .describe('So many returns are still well. Default 3.'),
        within: quarantineTime.optional().describe('Time in which they are counted. Default 10m.'),
        for: quarantineTime
          .optional()
          .describe('How long after its last return the node gets nothing new. Default 10m.'),
      }),
    ],
    { error: 'a map of returns, within (1s to 24h) and for (1s to 24h), or never' },
  )
  .describe('When a node that comes and goes is given nothing new for a while; or never.');

const basePort = 'a port from 1024 to 65000';

export const configSchema = z
  .strictObject({
    cluster: name.describe(
      'Name of the cluster; part of every key, so that two clusters never mix.',
    ),
    'key-file': path.describe(
      'File with the cluster key, mode 0600; "tako key new FILE" makes one.',
    ),
    'base-port': z
      .number(basePort)
      .int(basePort)
      .min(1024, basePort)
      .max(65_000, basePort)
      .optional()
      .describe(
        'UDP heartbeats use it, TCP uses base-port + 1 (control) and base-port + 10 upwards (mirrors). Default 8256.',
      ),
    timing: timing.optional(),
    links: z
      .record(name, link)
      .refine((all) => Object.keys(all).length >= 1, 'at least one link')
      .refine((all) => Object.keys(all).length <= LINKS_MAX, `at most ${LINKS_MAX} links`)
      .describe('Network paths, in order of preference for data.'),
    nodes: z
      .record(name, node)
      .refine((all) => Object.keys(all).length >= 1, 'at least one node')
      .refine((all) => Object.keys(all).length <= NODES_MAX, `at most ${NODES_MAX} nodes`)
      .describe('Machines that run groups, each with its address on each link.'),
    witness: z
      .record(name, z.union([shareWitness, addresses]))
      .refine((all) => Object.keys(all).length === 1, 'exactly one witness')
      .optional()
      .describe('A machine that votes and runs nothing, or a share, so that two nodes can decide.'),
    quarantine: quarantine.optional(),
    'maintenance-warning': z
      .union([z.literal('never'), duration], { error: `${DURATION_WANTED}, or never` })
      .optional()
      .describe('A maintenance that lasts longer is warned of; or never. Default 4h.'),
    'without-witness': z
      .enum(['by-hand', 'fence'], 'one of: by-hand, fence')
      .optional()
      .describe(
        'Of two nodes without a witness, what happens when one is lost. by-hand: nothing, until an administrator forces it (default). fence: the other one turns it off and goes on when it is known to be off.',
      ),
    fences: z
      .record(name, fenceSchema)
      .optional()
      .describe('What turns each node off, with without-witness: fence.'),
    'fence-delay': duration
      .optional()
      .describe(
        'How long the node that goes second waits, so that two that are cut off do not turn each other off. The owner of more groups goes first. Default 5s.',
      ),
    registry: registry.optional(),
    groups: z
      .record(name, groupSchema)
      .refine((all) => Object.keys(all).length <= GROUPS_MAX, `at most ${GROUPS_MAX} groups`)
      .describe('What the cluster keeps running.'),
  })
  .describe('Configuration of a Tako cluster; the same file on every node.');

/** The file as it was written, after the schema and before the defaults. */
export type ConfigFile = z.infer<typeof configSchema>;
export type ResourceFile = z.infer<typeof resourceSchema>;
export type HookFile = z.infer<typeof hookSchema>;
