/**
 * One service at a time, judged from what the servers themselves wrote down on the machine's one
 * monotonic clock: no server may acknowledge anything once a later one has opened the ledger. But
 * for what it began to sync before: a machine that stood still for a while may have done all but
 * note it, and the client's own count tells whether that was lost.
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Cluster } from './cluster.ts';
import { SERVICE_LOG } from './ledger-app.ts';

export interface ServiceEntry {
  readonly at: number;
  readonly node: string;
  readonly instance: string;
  readonly opening: number;
  readonly what: string;
}

/** What the servers of all nodes noted since `from`, in the order of time. */
export function serviceEntries(cluster: Cluster, from: number): ServiceEntry[] {
  const entries: ServiceEntry[] = [];
  for (const host of cluster.nodes) {
    const file = join(host.folder, 'log', basename(SERVICE_LOG));
    if (!existsSync(file)) continue;
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      const [at = '', instance = '', opening = '', ...what] = line.split(' ');
      if (what.length === 0 || Number(at) < from) continue;
      entries.push({
        at: Number(at),
        node: host.name,
        instance,
        opening: Number(opening),
        what: what.join(' '),
      });
    }
  }
  return entries.toSorted((a, b) => a.at - b.at);
}

/** Sentences about servers that acknowledged after a later one had opened; none is as it must be. */
export function serviceOverlaps(cluster: Cluster, from: number): string[] {
  return overlaps(serviceEntries(cluster, from));
}

export function overlaps(entries: readonly ServiceEntry[]): string[] {
  const found = new Map<string, string>();
  const syncs = new Map<string, number>();
  let latest: ServiceEntry | undefined;
  for (const entry of entries) {
    if (latest === undefined || entry.opening > latest.opening) latest = entry;
    if (entry.what === 'sync') syncs.set(entry.instance, entry.at);
    const isLate = entry.opening < latest.opening || entry.instance !== latest.instance;
    const begun = syncs.get(entry.instance) ?? Number.POSITIVE_INFINITY;
    const beganBefore = entry.what.startsWith('ack') && begun < latest.at;
    if (isLate && !beganBefore && !['stop', 'sync'].includes(entry.what)) {
      const lateMs = Math.round(entry.at - latest.at);
      found.set(
        entry.instance,
        `the server on ${entry.node} still did "${entry.what}" ${lateMs} ms after the one on ` +
          `${latest.node} had taken over`,
      );
    }
  }
  return [...found.values()];
}
