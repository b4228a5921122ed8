/**
 * A history of the votes that this process starts, for a judge who compares those of all nodes
 * (docs/internals/linearizability.md). Off unless the environment names a file: `TAKO_VOTE_HISTORY`.
 *
 * Each line is one JSON object, handed to the kernel before the call returns: a kill of the process
 * leaves every line that was written before. `at` is CLOCK_MONOTONIC, one clock for all processes
 * of a machine; `run` tells the lives of the process apart.
 */
import { openSync, writeSync } from 'node:fs';
import { messageOf } from '../base/tako-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { GroupId, NodeId } from '../protocol/ids.ts';

/** Name of the environment variable with the file's path. */
export const VOTE_HISTORY = 'TAKO_VOTE_HISTORY';

export interface VoteHistoryOptions {
  /** Undefined or empty: nobody wants a history. */
  readonly path: string | undefined;
  readonly node: NodeId;
  readonly clock: Clock;
  readonly log: Log;
}

/** Writes `{at, node, run, group, ...note}`; undefined when nobody wants it. */
export function openVoteHistory(
  options: VoteHistoryOptions,
): ((group: GroupId, note: object) => void) | undefined {
  const { path, node, clock, log } = options;
  if (path === undefined || path === '') return undefined;
  const fd = openSync(path, 'a', 0o600);
  const run = `${node}/${process.pid}/${clock.now()}`;
  let broken = false;
  log.warn('a history of votes is kept', { path });
  return (group, note) => {
    if (broken) return;
    try {
      const line = Buffer.from(
        `${JSON.stringify({ at: clock.now(), node, run, group, ...note })}\n`,
      );
      if (writeSync(fd, line) < line.length) throw new Error('only a part could be written');
    } catch (error) {
      // Votes matter more than their history; the reader finds a torn line, or the log this word.
      broken = true;
      log.error('the history of votes ends here', { path, error: messageOf(error) });
    }
  };
}
