/**
 * What this node has seen of the claims of others on a share, by its own clock: since when a claim
 * was not renewed, and since when its owner says that it has no lease.
 */
import { type Instant, plus } from '../../base/time.ts';
import type { GroupId, NodeId } from '../../protocol/ids.ts';
import type { Sheet, SheetClaim } from '../../protocol/share-sheet.ts';

interface Seen {
  readonly renewed: number;
  /** When the reading ended that showed this for the first time. */
  readonly since: Instant;
  /** Undefined while it holds the lease. */
  readonly withoutSince: Instant | undefined;
  /** It was there at the first reading, and was not renewed since. */
  readonly old: boolean;
}

/** An owner without a lease is not spared for ever: it may be so for this many terms. */
const POWERLESS_TERMS = 2;

export class ClaimWatch {
  readonly #seen = new Map<string, Seen>();
  #first = true;

  /** All sheets as one reading found them, at its end. */
  saw(sheets: ReadonlyMap<NodeId, Sheet>, now: Instant): void {
    const present = new Set<string>();
    for (const [node, { claims }] of sheets) {
      for (const { group, renewed, held } of claims) {
        const key = `${node} ${group}`;
        present.add(key);
        const before = this.#seen.get(key);
        const same = before?.renewed === renewed;
        const since = same ? before.since : now;
        const old = same ? before.old : this.#first;
        const withoutSince = held ? undefined : (before?.withoutSince ?? now);
        this.#seen.set(key, { renewed, since, withoutSince, old });
      }
    }
    for (const key of this.#seen.keys()) if (!present.has(key)) this.#seen.delete(key);
    this.#first = false;
  }

  /** Nothing is known of it but that an earlier reader may have seen it renewed. */
  isOld(node: NodeId, group: GroupId): boolean {
    return this.#seen.get(`${node} ${group}`)?.old === true;
  }

  /** When whatever the claim was promised by then has ended. */
  quietAt(node: NodeId, { group, renewed }: SheetClaim, termMs: number): Instant | undefined {
    const seen = this.#seen.get(`${node} ${group}`);
    return seen?.renewed === renewed ? plus(seen.since, termMs) : undefined;
  }

  isPowerless(node: NodeId, group: GroupId, termMs: number, now: Instant): boolean {
    const since = this.#seen.get(`${node} ${group}`)?.withoutSince;
    return since !== undefined && now >= plus(since, POWERLESS_TERMS * termMs);
  }
}
