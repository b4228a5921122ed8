/**
 * The heart of a node, started by `src/daemon/heart.ts`. Puts the pieces together: the runner (core,
 * links, addresses, lease marks), the socket for control and mirrors, the supervisor of both.
 * `--no-children` starts none, for tests and for a person who starts them by hand.
 *
 * SIGTERM or SIGINT: control ends first (it hands over or stops its groups), then the mirrors, then
 * the leases and addresses are given up and the heart ends. Any other death is none of the children's
 * business: they go on, and the next heart adopts them.
 */
import { systemClock } from '../../adapters/clock.ts';
import { LeaseMarkFiles } from '../../adapters/lease-mark-file.ts';
import { Supervisor } from '../../adapters/supervise/supervisor.ts';
import { readTermSync, termPath, writeTermSync } from '../../adapters/term-file.ts';
import { messageOf } from '../../base/tako-error.ts';
import { termOf } from '../../core/heart/promises.ts';
import type { Log } from '../../ports/log.ts';
import type { NodeSetup } from '../../protocol/config.ts';
import { AddressKeeper } from './address-keeper.ts';
import { Children } from './children.ts';
import { udpLinks } from './heart-options.ts';
import { HeartRunner } from './heart-runner.ts';
import { HeartServer } from './heart-server.ts';
import type { Started } from './start-heart.ts';
import { TermKeeper } from './term-keeper.ts';

export async function main({ setup, setupFile, key, log }: Started): Promise<void> {
  const { runDir } = setup;
  const server = new HeartServer(runDir, log);
  const runner = new HeartRunner({
    setup,
    setupFile,
    key,
    clock: systemClock,
    log,
    report: (message) => server.report(message),
    terms: keepTerm(setup, log),
    holdings: {
      addresses: new AddressKeeper({
        lifeSeconds: setup.config.timing.addressLifeSeconds,
        ownAddresses: new Map(udpLinks(setup).map((link) => [link.id, link.address])),
        clock: systemClock,
        log,
      }),
      marks: new LeaseMarkFiles(runDir),
    },
  });
  runner.start();
  await server.listen(runner);
  const supervisor = new Supervisor({ runDir, log, clock: systemClock });
  const children = new Children(setup, setupFile, supervisor);
  if (!process.argv.includes('--no-children')) children.start();
  log.info('heart started', { boot: runner.boot });

  let ending = false;
  const end = async (signal: string): Promise<void> => {
    if (ending) return;
    ending = true;
    log.info('heart asked to end', { signal });
    await children.stop();
    runner.giveUp();
    supervisor.close();
    await server.close();
    runner.close();
    log.info('heart ended');
    process.exit(0);
  };
  process.on('SIGTERM', (signal) => void end(signal));
  process.on('SIGINT', (signal) => void end(signal));
}

/**
 * Its own term is on stable storage before the first beat: nothing waits for this process yet, and
 * later it must not wait for a disk. What peers need beyond that is written beside the beat.
 */
function keepTerm({ config, stateDir }: NodeSetup, log: Log): TermKeeper {
  const path = termPath(stateDir);
  let formerMs = readTermSync(path, log);
  const ownMs = termOf(config.timing);
  if (formerMs < ownMs) {
    try {
      writeTermSync(path, ownMs);
      formerMs = ownMs;
    } catch (error) {
      log.error('the term of promises cannot be kept yet', { path, error: messageOf(error) });
    }
  }
  return new TermKeeper({ path, formerMs, log });
}
