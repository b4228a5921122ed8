/**
 * Which peers live, but are of a release with which no version of the cluster protocol is in common.
 * They count as silent: they neither vote nor hold anything, and here nothing changes for them.
 */
import type { Log } from '../../ports/log.ts';
import type { PeerReport } from '../../protocol/heart-ipc.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { CLUSTER_PROTOCOL, type VersionRange, noCommonVersion } from '../../protocol/versions.ts';

export class PeerVersions {
  readonly #me: NodeId;
  readonly #log: Log;
  readonly #refused = new Map<NodeId, string>();

  constructor(me: NodeId, log: Log) {
    this.#me = me;
    this.#log = log;
  }

  /** A proof of life came from a boot that speaks nothing that this release does. */
  refused(peer: NodeId, speaks: VersionRange): void {
    const own = { name: this.#me, speaks: CLUSTER_PROTOCOL };
    const { why, next } = noCommonVersion(own, { name: peer, speaks });
    const text = `${why}; next: ${next}`;
    if (this.#refused.get(peer) === text) return;
    this.#refused.set(peer, text);
    this.#log.error('peer refused', { code: 'version-unsupported', peer, why, next });
  }

  /** It was heard in a version that this release speaks. */
  accepted(peer: NodeId): void {
    this.#refused.delete(peer);
  }

  /** The report of a peer, with what it speaks, or why it is not understood. */
  judged(report: PeerReport, speaks: VersionRange | undefined): PeerReport {
    const incompatible = this.#refused.get(report.node);
    if (incompatible === undefined) return speaks === undefined ? report : { ...report, speaks };
    return { ...report, incompatible, reason: `${report.reason}: ${incompatible}` };
  }
}
