/**
 * The control process of a node. Puts the pieces together: the core that decides, the heart and the
 * mirrors that it steers, the agents, the event log, the API and the other controls. It may be
 * killed and started again at any time.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openEventLog } from '../../adapters/event-log.ts';
import { HeartClient } from '../../adapters/heart-client.ts';
import { readLeaseMark } from '../../adapters/lease-mark-file.ts';
import { createLog } from '../../adapters/log.ts';
import { MirrorClient } from '../../adapters/mirror-client.ts';
import { openRecordLog } from '../../adapters/record-log.ts';
import { systemCalendar } from '../../adapters/calendar.ts';
import { systemClock } from '../../adapters/clock.ts';
import { sleptMs } from '../../adapters/supervise/sleep-watch.ts';
import { systemTimer } from '../../adapters/timer.ts';
import { VOTE_HISTORY, openVoteHistory } from '../../adapters/vote-history.ts';
import { readSetup } from '../../adapters/config/setup-files.ts';
import { type ControlRpc, createControlRpc } from '../../adapters/control-rpc/control-rpc.ts';
import { createApi } from '../../api/create-api.ts';
import { must } from '../../base/assert.ts';
import { messageOf } from '../../base/tako-error.ts';
import type { NodeCore, NodeCoreOptions } from '../../core/node/node-core.ts';
import type { MirrorOrder } from '../../core/node/node-io.ts';
import type { AcceptorEntry } from '../../core/registry/acceptor.ts';
import { decodeAcceptorEntry } from '../../core/registry/acceptor-entry.ts';
import { decodeMemberMessage } from '../../core/registry/registry-message.ts';
import type { EventStore } from '../../ports/event-store.ts';
import type { Fence } from '../../ports/fence.ts';
import type { HookCaller } from '../../ports/hook-caller.ts';
import type { Log } from '../../ports/log.ts';
import type { MirrorControl } from '../../ports/mirror-control.ts';
import type { RecordStore } from '../../ports/record-store.ts';
import type { StateStore } from '../../ports/state-store.ts';
import type { NodeSetup } from '../../protocol/config.ts';
import type { EventDraft, TakoEvent } from '../../protocol/event.ts';
import type { FromHeart } from '../../protocol/heart-ipc.ts';
import {
  type Epoch,
  type GroupId,
  type MirrorId,
  type ResourceId,
  type SeatId,
  mirrorId,
} from '../../protocol/ids.ts';
import { isFreshMark } from '../../protocol/lease-mark.ts';
import type { FromMirror } from '../../protocol/mirror-ipc.ts';
import { ControlRuntime } from '../../runtime/control-runtime.ts';
import { NodeSteering } from '../../runtime/node-steering.ts';
import type { DecisionRecorder } from '../../runtime/recording.ts';
import { RegistryWatch } from '../../runtime/registry-watch.ts';
import { buildAgents } from './agents.ts';
import { buildFences } from './fences.ts';
import { buildHooks } from './hooks.ts';
import { recordDecisions } from './recording.ts';
import { openRecords } from './registry.ts';
import { reloadConfig } from './reload.ts';
import { listenToPrograms } from './reports.ts';
import { verificationEvent } from './verification-event.ts';
import { VersionEvents } from './version-events.ts';

/** How often the other controls hear how this node's groups are, beside every event. */
const TELL_MS = 500;
/** A mirror that is being started anew is waited for that long before an order fails. */
const MIRROR_MS = 1500;
const EXIT_FAILED = 70;

export async function main(): Promise<void> {
  const setup = readSetup(must(process.argv[2], 'the first argument is the setup file'));
  const { node, config, runDir, stateDir } = setup;
  const log = createLog({
    name: 'control',
    level: 'info',
    bindings: { node, cluster: config.cluster },
  });
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const store = await openRecordLog<AcceptorEntry>({
    path: join(stateDir, 'acceptor.log'),
    log,
    decode: decodeAcceptorEntry,
  });
  const clock = systemClock;
  const events = openEventLog({ path: join(stateDir, 'events.ndjson'), node, clock, log });
  const mirrors = connectMirrors(setup, log);
  const hooks = buildHooks(setup, log);
  const fence = buildFences(setup, log);
  const made: NodeCoreOptions = {
    me: node,
    config,
    seat: store.id as SeatId,
    restored: [...store.entries().values()],
  };
  const recording = recordDecisions(made, { stateDir, events, log });
  const records = openRecords(config);
  const { runtime, steering, heart, rpc, watch, publish } = wire({
    ...{ setup, log, store, records, events, mirrors, hooks, fence },
    core: recording.core,
    recorder: recording.recorder,
    onlooker: openVoteHistory({ path: process.env[VOTE_HISTORY], node, clock, log }),
  });
  listenToMirrors(setup, mirrors, { runtime, publish });
  const telling = setInterval(() => steering.tellPeers(), TELL_MS);
  runtime.start();
  watch?.start();
  await rpc.started();
  const reports = await listenToPrograms(setup, runtime, log);
  const api = createApi(steering, log);
  await api.listen(join(runDir, 'api.sock'));
  writeFileSync(join(runDir, 'control.ready'), `${process.pid}\n`);
  log.info('control is ready', { epochs: store.entries().size });

  endOnSignals(async () => {
    log.info('control is asked to end: handing over or stopping what runs here');
    await leaveGroups(setup, runtime, log);
    clearInterval(telling);
    await reports.close();
    await hooks.close();
    await fence.close();
    runtime.end();
    watch?.end();
    records?.close();
    await recording.journal.close();
    await api.close();
    await rpc.close();
    for (const mirror of mirrors.values()) mirror.close();
    heart.close();
    await store.close();
    await events.close();
  }, log);
}

interface Parts {
  readonly setup: NodeSetup;
  readonly log: Log;
  readonly store: StateStore<AcceptorEntry>;
  readonly records: RecordStore | undefined;
  readonly events: EventStore;
  readonly mirrors: ReadonlyMap<MirrorId, MirrorControl>;
  readonly hooks: HookCaller;
  readonly fence: Fence;
  readonly core: NodeCore;
  readonly recorder: DecisionRecorder;
  readonly onlooker: ReturnType<typeof openVoteHistory>;
}

interface Wired {
  readonly runtime: ControlRuntime;
  readonly steering: NodeSteering;
  readonly heart: HeartClient;
  readonly rpc: ControlRpc;
  readonly watch: RegistryWatch | undefined;
  readonly publish: (draft: EventDraft) => TakoEvent;
}

/** The parts that know one another. */
function wire(parts: Parts): Wired {
  const { setup, log, store, records, events, fence, hooks, mirrors, core, recorder } = parts;
  const { node, config, runDir } = setup;
  const heart = new HeartClient({
    runDir,
    log,
    onConnected: () => runtime.dispatch({ type: 'heartConnected' }),
    onLost: () => runtime.dispatch({ type: 'heartLost' }),
    onMessage: (message) => {
      if (message.type === 'peers') versions.heard(message.peers);
      heard(message, runtime);
    },
  });
  const publish = (draft: EventDraft): TakoEvent => {
    const event = events.append(draft);
    log.info(draft.text, { kind: draft.kind, group: draft.group, event: event.id });
    steering.tellPeers();
    return event;
  };
  const versions = new VersionEvents((draft) => void publish(draft));
  const watch = records && new RegistryWatch(records, systemTimer, (draft) => void publish(draft));
  const runtime: ControlRuntime = new ControlRuntime(node, core, {
    clock: systemClock,
    calendar: systemCalendar,
    timer: systemTimer,
    log,
    store,
    heart,
    agents: buildAgents({ setup, log, heart, mirrors, core }),
    holdsLease: (group, epoch) => isLeased(runDir, group, epoch),
    orderMirror: (group, mirror, order) => orderMirror(mirrors, mirrorId(group, mirror), order),
    hooks,
    fence,
    records,
    publish: (draft) => recorder.published(draft, publish(draft)),
    onlooker: parts.onlooker,
    fail: (error) => {
      log.error('votes cannot be stored, so this process ends', { error: messageOf(error) });
      process.exit(EXIT_FAILED);
    },
  });
  const rpc = createControlRpc({
    setup,
    log,
    onRequest: (_from, method, params) => steering.request(method, params),
    onNotify: (_from, method, params) => steering.notified(method, params),
  });
  const steering: NodeSteering = new NodeSteering({
    me: node,
    config,
    core,
    runtime,
    clock: systemClock,
    timer: systemTimer,
    fence,
    peers: {
      call: (to, method, params, options) => rpc.call(to, method, params, options),
      notify: (to, method, params) => void rpc.notify(to, method, params),
      connected: () => rpc.connected(),
    },
    events,
    mirrors,
    reports: () => heart.peers,
    registryFails: () => watch?.fails,
    reload: async () => reloadConfig(setup, events),
  });
  return { runtime, steering, heart, rpc, watch, publish };
}

/** Whether the heart of this node holds that lease now, by what it left. */
function isLeased(runDir: string, group: GroupId, epoch: Epoch): boolean {
  const mark = readLeaseMark(runDir, group);
  return mark?.epoch === epoch && isFreshMark(mark, systemClock.now(), sleptMs());
}

function connectMirrors(setup: NodeSetup, log: Log): Map<MirrorId, MirrorClient> {
  const mirrors = new Map<MirrorId, MirrorClient>();
  for (const { group, resource } of mirrorsHere(setup)) {
    const mirror = mirrorId(group, resource);
    mirrors.set(mirror, new MirrorClient({ mirror, runDir: setup.runDir, log }));
  }
  return mirrors;
}

function mirrorsHere(setup: NodeSetup): readonly { group: GroupId; resource: ResourceId }[] {
  const groups = setup.config.groups.filter((group) => group.nodes.includes(setup.node));
  return groups.flatMap((group) =>
    group.resources.flatMap((r) =>
      r.agent === 'mirror' ? [{ group: group.id, resource: r.id }] : [],
    ),
  );
}

function listenToMirrors(
  setup: NodeSetup,
  mirrors: ReadonlyMap<MirrorId, MirrorControl>,
  { runtime, publish }: Pick<Wired, 'runtime' | 'publish'>,
): void {
  for (const { group, resource } of mirrorsHere(setup)) {
    const mirror = must(mirrors.get(mirrorId(group, resource)), 'every mirror has a client');
    mirror.onConnection((connected) => {
      if (connected) runtime.dispatch({ type: 'mirrorConnected', group, mirror: resource });
    });
    mirror.onNews((news: FromMirror) => {
      if (news.type === 'done' || news.type === 'status') return;
      if (news.type === 'verified' || news.type === 'verifyFailed') {
        publish(verificationEvent(group, resource, news));
        return;
      }
      runtime.dispatch({ type: 'mirrorNews', group, mirror: resource, news });
    });
  }
}

async function orderMirror(
  mirrors: ReadonlyMap<MirrorId, MirrorControl>,
  id: MirrorId,
  order: MirrorOrder,
): Promise<{ readonly ok: boolean; readonly copyGone: boolean; readonly message: string }> {
  const mirror = mirrors.get(id);
  const none = `this node has no mirror "${id}"`;
  if (mirror === undefined) return { ok: false, copyGone: false, message: none };
  await mirror.whenConnected(MIRROR_MS);
  const answer = await mirror.command(order);
  if (answer.ok) return { ok: true, copyGone: false, message: '' };
  return { ok: false, copyGone: answer.code === 'copy-stale', message: answer.message };
}

function heard(message: FromHeart, runtime: ControlRuntime): void {
  switch (message.type) {
    case 'welcome':
      for (const { group, epoch, held } of message.claims ?? []) {
        runtime.dispatch({ type: 'lease', group, epoch, held, reason: 'the heart holds it' });
      }
      break;
    case 'peers':
      runtime.dispatch({ type: 'peers', peers: message.peers });
      break;
    case 'lease':
    case 'support':
      runtime.dispatch(message);
      break;
    case 'revoked':
      runtime.dispatch(message);
      break;
    case 'behind':
    case 'ahead':
      runtime.dispatch({ type: 'recordDiffers', node: message.node, group: message.group });
      break;
    case 'message':
      passOn(message, runtime);
      break;
    case 'address':
    case 'meters':
      break;
  }
}

function passOn(message: Extract<FromHeart, { type: 'message' }>, runtime: ControlRuntime): void {
  const decoded = decodeMemberMessage(message.body);
  if (decoded === undefined) return;
  if (decoded.type === 'decided') {
    runtime.dispatch({ type: 'decided', from: message.from, decided: decoded });
  } else if (decoded.type === 'flaps') {
    runtime.dispatch({ type: 'flaps', from: message.from });
  } else if (decoded.type === 'standing') {
    runtime.dispatch({ type: 'standing', from: message.from, standing: decoded });
  } else {
    runtime.dispatch({ type: 'registryMessage', from: message.from, message: decoded });
  }
}

async function leaveGroups(setup: NodeSetup, runtime: ControlRuntime, log: Log): Promise<void> {
  const asked = setup.config.groups.map(async ({ id }) => {
    try {
      log.info('left a group', { group: id, text: await runtime.ask(id, { type: 'leave' }) });
    } catch (error) {
      log.error('a group could not be left in order', { group: id, error: messageOf(error) });
    }
  });
  await Promise.all(asked);
}

function endOnSignals(leave: () => Promise<void>, log: Log): void {
  let leaving = false;
  const end = (): void => {
    if (leaving) return;
    leaving = true;
    leave().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error('ending failed', { error: messageOf(error) });
        process.exit(EXIT_FAILED);
      },
    );
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
}
