/** The witness's local socket, `RUNDIR/witness.sock`: status and reload, for `tako witness`. */
import { join } from 'node:path';
import type { FromWitness, ToWitness, WitnessClusterStatus } from '../../protocol/witness.ts';
import type { Log } from '../../ports/log.ts';
import { type LinePeer, type LineServer, serveLines } from '../../adapters/line-socket.ts';
import type { Applied } from './cluster-set.ts';

export interface WitnessServerOptions {
  readonly runDir: string;
  readonly clustersDir: string;
  readonly log: Log;
  readonly status: () => readonly WitnessClusterStatus[];
  /** Never rejects: what is wrong is among the faults. */
  readonly reload: () => Promise<Applied>;
}

export function serveWitness(options: WitnessServerOptions): Promise<LineServer<FromWitness>> {
  return serveLines<ToWitness, FromWitness>({
    path: join(options.runDir, 'witness.sock'),
    log: options.log,
    isMessage: isToWitness,
    onMessage: (message, peer) => {
      if (message.type === 'status') return answerStatus(options, peer);
      void options.reload().then((applied) => peer.send({ type: 'reloaded', ...applied }));
    },
  });
}

/** A line per cluster, so that none of them makes the answer too long. */
function answerStatus(options: WitnessServerOptions, peer: LinePeer<FromWitness>): void {
  for (const status of options.status()) peer.send({ type: 'cluster', status });
  peer.send({
    type: 'process',
    pid: process.pid,
    residentBytes: process.memoryUsage.rss(),
    directory: options.clustersDir,
  });
}

function isToWitness(value: unknown): value is ToWitness {
  if (typeof value !== 'object' || value === null || !('type' in value)) return false;
  return value.type === 'status' || value.type === 'reload';
}
