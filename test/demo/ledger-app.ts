/** The ledger of `test/programs/ledger` as a protected service. */
import { LedgerDriver, SERVER } from '../programs/ledger/driver.ts';
import { until } from '../hosts/wait.ts';
import type { App } from './app.ts';

const PORT = 7000;
/** In the host; on the machine it is `HOST-FOLDER/log/ledger`, and survives power-offs. */
export const SERVICE_LOG = '/var/log/ledger';

/** In the host. */
const LEDGER = '/srv/ledger/ledger';
/** A copy that is in sync is that far behind at most. */
const COPY_MS = 5000;

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
  lacking: async (lab, owner, other) => {
    const sizeOn = async (node: string): Promise<number> => {
      const { stdout } = await lab.host(node).run(['stat', '--format=%s', LEDGER]);
      return Number(stdout);
    };
    const digestOn = async (node: string, bytes: number): Promise<string> => {
      const script = `head --bytes=${bytes} ${LEDGER} | sha256sum`;
      return (await lab.host(node).run(['sh', '-c', script])).stdout;
    };
    const size = await sizeOn(owner);
    const there = async (): Promise<true | undefined> =>
      (await sizeOn(other)) >= size ? true : undefined;
    const came = await until('the copy has it', there, { timeoutMs: COPY_MS }).catch(() => false);
    if (!came) return `the copy on ${other} has ${await sizeOn(other)} of ${size} bytes`;
    const equal = (await digestOn(owner, size)) === (await digestOn(other, size));
    return equal ? undefined : `the copy on ${other} differs within the first ${size} bytes`;
  },
  connect: (lab, address, answerMs) =>
    new LedgerDriver({ host: lab.host('client'), name: 'client', address, port: PORT, answerMs }),
};
