/** The ledger of `test/programs/ledger` as a protected service. */
import { LedgerDriver, SERVER } from '../programs/ledger/driver.ts';
import type { App } from './app.ts';

const PORT = 7000;
/** In the host; on the machine it is `HOST-FOLDER/log/ledger`, and survives power-offs. */
export const SERVICE_LOG = '/var/log/ledger';

export const ledgerApp: App = {
  name: 'ledger',
  records: 'records',
  port: PORT,
  startMs: 300,
  service: () => [
    'agent: process',
    `command: [${process.execPath}, ${SERVER},`,
    `  --directory, /srv/ledger, --port, '${PORT}', --log, ${SERVICE_LOG}]`,
    `ready-port: ${PORT}`,
  ],
  prepare: async (lab) => {
    for (const host of lab.hosts.filter(({ links }) => links.includes('mirror'))) {
      await host.run(['mkdir', '-p', '/srv/ledger']);
    }
  },
  killProgram: async (lab, node) => {
    await lab.host(node).run(['pkill', '-KILL', '-f', SERVER]);
  },
  connect: (lab, address, answerMs) =>
    new LedgerDriver({ host: lab.host('client'), name: 'client', address, port: PORT, answerMs }),
};
