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
import { AddressKeeper } from './address-keeper.ts';
import { Children } from './children.ts';
import { udpLinks } from './heart-options.ts';
import { HeartRunner } from './heart-runner.ts';
import { HeartServer } from './heart-server.ts';
import type { Started } from './start-heart.ts';

export async function main({ setup, setupFile, key, log }: Started): Promise<void> {
  const { runDir } = setup;
  const server = new HeartServer(runDir, log);
  const runner = new HeartRunner({
    setup,
    key,
    clock: systemClock,
    log,
    report: (message) => server.report(message),
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
