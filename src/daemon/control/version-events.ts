/** Tells people of peers that live but are of a release that cannot be spoken with, once each time. */
import type { EventDraft } from '../../protocol/event.ts';
import type { PeerReport } from '../../protocol/heart-ipc.ts';
import type { NodeId } from '../../protocol/ids.ts';

export class VersionEvents {
  readonly #publish: (draft: EventDraft) => void;
  readonly #told = new Map<NodeId, string>();

  constructor(publish: (draft: EventDraft) => void) {
    this.#publish = publish;
  }

  heard(peers: readonly PeerReport[]): void {
    for (const { node, incompatible } of peers) {
      const before = this.#told.get(node);
      if (incompatible === before) continue;
      if (incompatible === undefined) {
        this.#told.delete(node);
        const text = `${node} is of a release again that this node can speak with`;
        this.#publish({ level: 'info', kind: 'version-supported', text });
        continue;
      }
      this.#told.set(node, incompatible);
      const text = `${node} is not counted on: ${incompatible}`;
      this.#publish({ level: 'error', kind: 'version-unsupported', text });
    }
  }
}
