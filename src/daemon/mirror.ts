/**
 * The mirror process: `node src/daemon/mirror.ts SETUP_JSON_FILE MIRROR_ID`. Puts the pieces
 * together: socket of control, directory, guard, copy, TLS, heart; ends on SIGTERM leaving the
 * plain directory behind.
 */
import { readFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { setPriority } from 'node:os';
import { systemClock } from '../adapters/clock.ts';
import { connectLines, type LinePeer, serveLines } from '../adapters/line-socket.ts';
import { createLog } from '../adapters/log.ts';
import { backgroundOf } from '../adapters/mirror/copy/background.ts';
import { EIO } from '../adapters/mirror/copy/store.ts';
import { ActivityStore } from '../adapters/mirror/activity/activity-store.ts';
import { directoryIdentity } from '../adapters/mirror/copy/directory-identity.ts';
import { FileCopyNote } from '../adapters/mirror/copy/copy-note.ts';
import { CopyReplica } from '../adapters/mirror/copy/copy-replica.ts';
import { BindGuard } from '../adapters/mirror/copy/path-guard.ts';
import { LinuxFileSystem } from '../adapters/system/file-system.ts';
import { selfBindAt } from '../adapters/system/mount-info.ts';
import { bindReadOnly, openWritable, unmount } from '../adapters/system/mount.ts';
import { clearOwnUmask } from '../adapters/system/own-umask.ts';
import {
  clientTlsOptions,
  readClusterKey,
  serverTlsOptions,
  type TlsIdentity,
  tlsPeer,
} from '../adapters/tls-psk.ts';
import { messageOf } from '../base/tako-error.ts';
import type { Log } from '../ports/log.ts';
import type { NodeSetup } from '../protocol/config.ts';
import type { FromHeart, ToHeart } from '../protocol/heart-ipc.ts';
import type { MirrorId } from '../protocol/ids.ts';
import type { FromMirror, ToMirror } from '../protocol/mirror-ipc.ts';
import { LOCAL_PROTOCOL, toldRange } from '../protocol/versions.ts';
import { isToMirror } from './mirror-commands.ts';
import { MirrorHelper } from './mirror-helper-worker.ts';
import { MirrorProcess } from './mirror-process.ts';
import { type MirrorSetup, mirrorSetup } from './mirror-setup.ts';

/** Before the heart and the programs, behind what runs in real time. */
const PRIORITY = -15;
const STATUS_MS = 1000;
/** Changes of the status within this time are told together. */
const STATUS_SOON_MS = 10;
const SHUT_DOWN_MS = 5000;
/** Whatever hangs: the process is gone after this. */
const EXIT_MS = SHUT_DOWN_MS + 2000;
const EXIT_FAILED = 70;
const EXIT_USAGE = 64;
/** Threads for syncs that run at the same time; read by Node.js when the first one starts. */
const SYNC_THREADS = '16';

async function main(setupFile: string, id: MirrorId): Promise<void> {
  const nodeSetup = JSON.parse(readFileSync(setupFile, 'utf8')) as NodeSetup;
  const setup = mirrorSetup(nodeSetup, id);
  const bindings = { node: setup.node, mirror: id };
  const log = createLog({ name: 'mirror', level: 'info', bindings });
  raisePriority(log);
  endWhenBroken(log);
  const peers = new Set<LinePeer<FromMirror>>();
  const report = (message: FromMirror): void => {
    for (const peer of peers) peer.send(message);
  };
  const tellStatus = statusTeller(() => report({ type: 'status', status: mirror.status() }));
  const mirror = makeProcess(setup, log, { report, changed: tellStatus.soon });
  // The socket first: it refuses a second process before anything is touched.
  const server = await serveLines<ToMirror, FromMirror>({
    path: setup.socketPath,
    log,
    isMessage: isToMirror,
    onOpen: (peer) => peers.add(peer),
    onClose: (peer) => peers.delete(peer),
    onMessage: (message, peer) => {
      answer(mirror, message, peer).catch((error: unknown) => broken(log, error));
    },
  });
  const heart = helloToHeart(setup, log);
  // Commands are carried out from here on, so what was begun must be ended in order.
  endOnSignal(log, async () => {
    tellStatus.stop();
    heart.close();
    await mirror.shutDown(SHUT_DOWN_MS);
    await server.close();
  });
  await mirror.warmUp();
  log.info('mirror is ready', { path: setup.config.path });
  // The next one has to be quick, too: programs wait for it.
  flushCompileCache();
}

async function answer(
  mirror: MirrorProcess,
  message: ToMirror,
  peer: LinePeer<FromMirror>,
): Promise<void> {
  peer.send(await mirror.command(message));
  if (message.type === 'status') for (const fact of mirror.facts()) peer.send(fact);
}

function makeProcess(
  setup: MirrorSetup,
  log: Log,
  out: { report: (message: FromMirror) => void; changed: () => void },
): MirrorProcess {
  const identity: TlsIdentity = {
    cluster: setup.cluster,
    key: readClusterKey(setup.keyFile),
    node: setup.node,
    purpose: `mirror ${setup.id}`,
  };
  // A thread of its own: a disk that hangs must not hang what else the process has to do.
  const syncing = new MirrorHelper();
  const clients = setup.peers.map(({ node }) => node);
  clearOwnUmask();
  const background = backgroundOf((fd) => syncVolume(syncing, fd, log));
  return new MirrorProcess(setup, {
    log,
    clock: systemClock,
    guard: new BindGuard(
      { path: setup.config.path, place: `${setup.socketPath}.below` },
      { selfBindAt, bindReadOnly, openWritable, unmount },
    ),
    openCopy: (root) => {
      const store = { fs: new LinuxFileSystem(), root };
      const note = new FileCopyNote({
        file: setup.notePath,
        mirror: setup.id,
        store,
        background,
        log,
      });
      const activity = new ActivityStore({
        directory: setup.activityPath,
        identity: directoryIdentity(root),
        log,
      });
      const replica = new CopyReplica({ store, note, background });
      return { note, replica, activity, sync: () => syncing.sync(root) };
    },
    clientTls: (peer) => clientTlsOptions(identity, peer),
    serverTls: serverTlsOptions(identity, clients),
    peerOf: tlsPeer,
    ...out,
  });
}

function statusTeller(tell: () => void): { soon: () => void; stop: () => void } {
  let timer: NodeJS.Timeout | undefined;
  const regular = setInterval(tell, STATUS_MS);
  return {
    soon: () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        tell();
      }, STATUS_SOON_MS);
    },
    stop: () => {
      clearTimeout(timer);
      clearInterval(regular);
    },
  };
}

function helloToHeart(setup: MirrorSetup, log: Log): { close(): void } {
  return connectLines<FromHeart, ToHeart>({
    path: setup.heartSocketPath,
    log,
    retryMs: 200,
    onOpen: (heart) => {
      const speaks = toldRange(LOCAL_PROTOCOL);
      heart.send({ type: 'hello', role: 'mirror', name: setup.id, pid: process.pid, speaks });
    },
    onMessage: () => undefined,
  });
}

function raisePriority(log: Log): void {
  try {
    setPriority(PRIORITY);
  } catch (error) {
    log.warn('priority not raised', { error: messageOf(error) });
  }
}

function broken(log: Log, error: unknown): never {
  log.error('the mirror process no longer knows what it does and ends', { error });
  // The kernel ends the mount with the process; nothing more is acknowledged.
  process.exit(EXIT_FAILED);
}

function endWhenBroken(log: Log): void {
  process.on('uncaughtException', (error) => broken(log, error));
  process.on('unhandledRejection', (error) => broken(log, error));
}

function endOnSignal(log: Log, end: () => Promise<void>): void {
  let ending = false;
  const begin = (signal: string): void => {
    if (ending) return;
    ending = true;
    log.info('mirror ends', { signal });
    setTimeout(() => process.exit(EXIT_FAILED), EXIT_MS).unref();
    end().then(
      () => process.exit(0),
      (error: unknown) => broken(log, error),
    );
  };
  process.on('SIGTERM', begin);
  process.on('SIGINT', begin);
}

const [setupFile, id] = process.argv.slice(2);
process.env['UV_THREADPOOL_SIZE'] ??= SYNC_THREADS;
if (setupFile === undefined || id === undefined) {
  process.stderr.write('Usage: node src/daemon/mirror.ts SETUP_JSON_FILE MIRROR_ID\n');
  process.exitCode = EXIT_USAGE;
} else {
  await main(setupFile, id as MirrorId);
}

/** Zero, or a negated error number; what the kernel said is in the log. */
async function syncVolume(syncing: MirrorHelper, rootFd: number, log: Log): Promise<number> {
  try {
    await syncing.sync(rootFd);
    return 0;
  } catch (error) {
    log.error('the store cannot be synced', { error: messageOf(error) });
    return -EIO;
  }
}
