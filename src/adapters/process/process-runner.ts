/**
 * The supervised programs of a node: `RUNDIR/programs/NAME.json` tells what runs,
 * `RUNDIR/log/NAME.log` has what it wrote.
 */
import { realpathSync } from 'node:fs';
import { type Socket, createConnection } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { Log } from '../../ports/log.ts';
import type { PortAnswer, ProgramRunner } from '../../ports/program-runner.ts';
import { errnoCode } from '../errno-code.ts';
import { MARKER_VARIABLE } from './containment.ts';
import { allProcesses, readEnvironment } from './proc.ts';
import { type MarkedProcess, SupervisedProgram } from './program.ts';

const LOOPBACK = ['127.0.0.1', '::1'];
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
  // Names this node among others on the same machine, and is the same after a restart.
  const runDir = realpathSync(options.runDir);
  const programs = new Map<string, SupervisedProgram>();
  let marked: readonly MarkedProcess[] | undefined;
  return {
    program: (name) => {
      const there = programs.get(name);
      if (there !== undefined) return there;
      const markerPrefix = `${runDir}:${name}:`;
      marked ??= markedProcesses();
      const program = new SupervisedProgram(
        {
          name,
          markerPrefix,
          recordPath: join(runDir, 'programs', `${name}.json`),
          outputPath: join(runDir, 'log', `${name}.log`),
          cgroups: options.cgroups ?? true,
          log,
        },
        marked.filter(({ marker }) => marker.startsWith(markerPrefix)),
      );
      programs.set(name, program);
      return program;
    },
    probePort,
  };
}

/** Processes of any program on this machine. */
function markedProcesses(): readonly MarkedProcess[] {
  const start = `${MARKER_VARIABLE}=`;
  return allProcesses().flatMap(({ pid }) => {
    const entry = readEnvironment(pid).find((text) => text.startsWith(start));
    return entry === undefined ? [] : [{ pid, marker: entry.slice(start.length) }];
  });
}

async function probePort(port: number): Promise<PortAnswer> {
  let answer: PortAnswer = 'refused';
  for (const address of ownAddresses()) {
    const here = await probe(address, port);
    if (here === 'accepts') return here;
    if (here === 'silent') answer = here;
  }
  return answer;
}

function ownAddresses(): readonly string[] {
  const others = Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
    (addresses ?? []).map(({ address, scopeid }) =>
      scopeid === undefined || scopeid === 0 ? address : `${address}%${name}`,
    ),
  );
  return [...new Set([...LOOPBACK, ...others])];
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
