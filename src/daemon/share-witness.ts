/**
 * Reads and writes the share that is a cluster's witness, for the heart of one node:
 * `node src/daemon/share-witness.ts SETUP_JSON_FILE`, started by the heart and ending with it. A
 * process of its own, because a share that hangs can hold up whoever touches it, for as long as it
 * likes, and the heart and control must never be that.
 */
import process from 'node:process';
import { systemClock } from '../adapters/clock.ts';
import { readSetup } from '../adapters/config/setup-files.ts';
import { lifeNotePath } from '../adapters/share/life-note.ts';
import { ShareFiles } from '../adapters/share/share-files.ts';
import { readClusterKey } from '../adapters/tls-psk.ts';
import { must } from '../base/assert.ts';
import { messageOf, TakoError } from '../base/tako-error.ts';
import { termOf } from '../core/heart/promises.ts';
import { decodeSheet } from '../core/share-witness/decode-sheet.ts';
import { nextLife } from '../core/share-witness/life.ts';
import { ShareRunner } from './share/share-runner.ts';
import type { FromShare, ToShare } from '../protocol/share-ipc.ts';

const EXIT_FAILED = 70;

function tell(message: FromShare): void {
  process.send?.(message);
}

/** The life of this process is that of its writes: the next one begins from what is there. */
function fail(error: unknown): void {
  const next = error instanceof TakoError ? error.next : undefined;
  const why = next === undefined ? messageOf(error) : `${messageOf(error)}. Next: ${next}`;
  if (process.send === undefined) process.exit(EXIT_FAILED);
  process.send({ type: 'failed', why } satisfies FromShare, () => process.exit(EXIT_FAILED));
}

process.on('disconnect', () => process.exit(0));
try {
  const setup = readSetup(must(process.argv[2], 'the first argument is the setup file'));
  const { config, node, runDir, stateDir } = setup;
  const share = must(config.witness?.share, 'the witness of this cluster is a share');
  const files = await ShareFiles.open({
    ...share,
    cluster: config.cluster,
    key: readClusterKey(config.keyFile),
    me: node,
    lockPrefix: `${runDir}/share`,
    notePath: lifeNotePath(stateDir),
    nextLife,
    waits: (why, ms) => tell({ type: 'waiting', why, ms }),
    decode: decodeSheet,
  });
  const runner = new ShareRunner({
    files,
    me: node,
    termMs: termOf(config.timing),
    clock: systemClock,
    tell,
    fail,
  });
  process.on('message', (message: ToShare) => runner.heard(message));
  tell({ type: 'serving', seat: files.seat });
} catch (error) {
  fail(error);
}
