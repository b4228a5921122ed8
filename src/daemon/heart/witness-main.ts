/**
 * The witness, started by `src/daemon/witness.ts`: a heart and an acceptor in one small process. It
 * votes and promises, and runs nothing.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../adapters/clock.ts';
import { openRecordLog } from '../../adapters/record-log.ts';
import { messageOf } from '../../base/tako-error.ts';
import { decodeAcceptorEntry } from '../../core/registry/acceptor-entry.ts';
import type { AcceptorEntry } from '../../core/registry/acceptor.ts';
import { HeartRunner } from './heart-runner.ts';
import { HeartServer } from './heart-server.ts';
import type { Started } from './start-heart.ts';
import { Voter } from './voter.ts';

const EXIT_FAILED = 70;

export async function main({ setup, key, log }: Started): Promise<void> {
  const { runDir, stateDir } = setup;
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const store = await openRecordLog<AcceptorEntry>({
    path: join(stateDir, 'acceptor.log'),
    log,
    decode: decodeAcceptorEntry,
  });
  // For people and tests that want to look: it takes no orders while the voter is control.
  const server = new HeartServer(runDir, log);
  const runner: HeartRunner = new HeartRunner({
    setup,
    key,
    clock: systemClock,
    log,
    report: (message) => {
      voter.heard(message);
      server.report(message);
    },
  });
  const voter: Voter = new Voter({
    store,
    heart: (message) => runner.command(message),
    fail: (error) => {
      log.error('votes cannot be stored, so this process ends', { error: messageOf(error) });
      process.exit(EXIT_FAILED);
    },
  });
  server.occupy();
  runner.controlConnected();
  voter.start();
  runner.start();
  await server.listen(runner);
  log.info('witness started', { boot: runner.boot, groups: store.entries().size });

  const end = (signal: string): void => {
    log.info('witness asked to end', { signal });
    runner.giveUp();
    runner.close();
    Promise.all([server.close(), store.close()]).then(
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
