/**
 * The supervised programs of a node: `RUNDIR/programs/NAME.json` tells what runs,
 * `RUNDIR/log/NAME.log` has what it wrote.
 */
import { statSync } from 'node:fs';
import { type Socket, createConnection } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { Log } from '../../ports/log.ts';
import type { PortAnswer, ProgramRunner } from '../../ports/program-runner.ts';
import { errnoCode } from '../errno-code.ts';
import { SupervisedProgram } from './program.ts';

const LOOPBACK = '127.0.0.1';
const PROBE_MS_MAX = 1000;

export interface ProcessRunnerOptions {
  /** Must exist. */
  readonly runDir: string;
  readonly log: Log;
  /** False: never use control groups, for tests of the weaker way. */
  readonly cgroups?: boolean | undefined;
}

export function createProcessRunner(options: ProcessRunnerOptions): ProgramRunner {
  const { log } = options;
  const { runDir } = options;
  // Names this node among others on the same machine, whatever namespaces they live in, and is the
  // same after a restart.
  const { dev, ino } = statSync(runDir);
  const node = `${dev.toString(36)}-${ino.toString(36)}`;
  const programs = new Map<string, SupervisedProgram>();
  return {
    program: (name) => {
      const there = programs.get(name);
      if (there !== undefined) return there;
      const program = new SupervisedProgram({
        name,
        node,
        recordPath: join(runDir, 'programs', `${name}.json`),
        outputPath: join(runDir, 'log', `${name}.log`),
        cgroups: options.cgroups ?? true,
        log,
      });
      programs.set(name, program);
      return program;
    },
    probePort,
  };
}

async function probePort(port: number): Promise<PortAnswer> {
  const local = await probe(LOOPBACK, port);
  if (local === 'accepts') return local;
  const others = ownAddresses().filter((address) => address !== LOOPBACK);
  const answers = [local, ...(await Promise.all(others.map((address) => probe(address, port))))];
  if (answers.includes('accepts')) return 'accepts';
  return answers.includes('silent') ? 'silent' : 'refused';
}

function ownAddresses(): readonly string[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
    (addresses ?? []).map(({ address, scopeid }) =>
      scopeid === undefined || scopeid === 0 ? address : `${address}%${name}`,
    ),
  );
}

function probe(host: string, port: number): Promise<PortAnswer> {
  return new Promise((resolve) => {
    const socket: Socket = createConnection({ host, port });
    const finish = (answer: PortAnswer): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(finish, PROBE_MS_MAX, 'silent');
    socket.once('connect', () => finish('accepts'));
    socket.once('error', (error) => {
      finish(errnoCode(error) === 'ETIMEDOUT' ? 'silent' : 'refused');
    });
  });
}
