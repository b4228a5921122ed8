/**
 * The orders that ownership gives to a group's mirrors: whom to follow, when to seal, which copies
 * to wait for. Remembers what was ordered, so that nothing is ordered twice without need.
 */
import type { Epoch, NodeId, ResourceId } from '../../protocol/ids.ts';
import type { OwnershipRecord } from '../../protocol/record.ts';
import type { MirrorOrder } from './node-io.ts';

export class MirrorOrders {
  readonly #me: NodeId;
  readonly mirrors: readonly ResourceId[];
  readonly #order: (mirror: ResourceId, order: MirrorOrder) => void;
  #sealing = new Set<ResourceId>();
  /** Seals without an answer: one that was overtaken by `unseal` and another proves nothing. */
  #unanswered = new Map<ResourceId, number>();
  #followed = new Map<ResourceId, string>();
  #refused = new Set<ResourceId>();
  /** Orders to expel a copy that have no answer yet, and whether it was said to be in meanwhile. */
  readonly #expelling = new Map<string, { unanswered: number; heard: boolean }>();
  /** A control process before this one may have left them sealed. */
  #leftSealed = true;

  constructor(
    me: NodeId,
    mirrors: readonly ResourceId[],
    order: (mirror: ResourceId, order: MirrorOrder) => void,
  ) {
    this.#me = me;
    this.mirrors = mirrors;
    this.#order = order;
  }

  /** Has every mirror follow the owner; one that refused is asked again when `again` is set. */
  follow(record: OwnershipRecord, again: boolean): void {
    for (const mirror of this.mirrors) {
      const kept = record.keptAside?.[mirror]?.includes(this.#me) === true;
      const keepBefore = kept ? record.forced?.at : undefined;
      const wanted = `${record.owner}@${record.epoch} ${keepBefore ?? ''}`;
      const refused = this.#refused.has(mirror);
      if (this.#followed.get(mirror) === wanted && !(refused && again)) continue;
      this.#followed.set(mirror, wanted);
      this.#refused.delete(mirror);
      const { epoch, owner: primary } = record;
      const order = { type: 'follow', epoch, primary } as const;
      this.#order(mirror, keepBefore === undefined ? order : { ...order, keepBefore });
    }
  }

  /** It could not follow: the order is repeated when asked `again`. */
  refused(mirror: ResourceId): void {
    this.#refused.add(mirror);
  }

  /** The mirror's process is a new one, or what was ordered no longer holds. */
  forget(mirror?: ResourceId): void {
    if (mirror === undefined) this.#followed.clear();
    else this.#followed.delete(mirror);
  }

  /**
   * A reading of this process was chosen: whatever a process before it had claimed is in the record
   * or void. Not to be called while a claim of this one is under way.
   */
  claimsBeforeAreVoid(): void {
    if (!this.#leftSealed) return;
    this.#leftSealed = false;
    for (const mirror of this.mirrors) this.#order(mirror, { type: 'unseal' });
  }

  /** Until a reading was chosen, nobody knows whether they may be unsealed. */
  get mayBeLeftSealed(): boolean {
    return this.#leftSealed && this.mirrors.length > 0;
  }

  seal(epoch: Epoch): void {
    this.#leftSealed = false;
    this.#sealing = new Set(this.mirrors);
    for (const mirror of this.mirrors) {
      this.#unanswered.set(mirror, (this.#unanswered.get(mirror) ?? 0) + 1);
      this.#order(mirror, { type: 'seal', epoch });
    }
  }

  /** Counts the answer to a seal; true when it answers the latest one. */
  sealAnswered(mirror: ResourceId): boolean {
    const left = Math.max(0, (this.#unanswered.get(mirror) ?? 0) - 1);
    this.#unanswered.set(mirror, left);
    return left === 0;
  }

  /** The mirrors that are not sealed yet. */
  get unsealed(): readonly ResourceId[] {
    return [...this.#sealing];
  }

  /** True when it was the last of them. */
  sealed(mirror: ResourceId): boolean {
    return this.#sealing.delete(mirror) && this.#sealing.size === 0;
  }

  unseal(): void {
    for (const mirror of this.mirrors) this.#order(mirror, { type: 'unseal' });
    this.forget();
  }

  expel(mirror: ResourceId, peer: NodeId): void {
    const unanswered = (this.#expelling.get(keyOf(mirror, peer))?.unanswered ?? 0) + 1;
    this.#expelling.set(keyOf(mirror, peer), { unanswered, heard: false });
    this.#order(mirror, { type: 'expel', peer });
  }

  isExpelling(mirror: ResourceId, peer: NodeId): boolean {
    return this.#expelling.has(keyOf(mirror, peer));
  }

  /**
   * The mirror says that it waits for a copy again. False while an order to expel it is on its way:
   * nobody can tell whether the mirror said so before or after that, and it may wait no longer.
   */
  waitsAgain(mirror: ResourceId, peer: NodeId): boolean {
    const expelling = this.#expelling.get(keyOf(mirror, peer));
    if (expelling === undefined) return true;
    expelling.heard = true;
    return false;
  }

  /** What was not believed meanwhile is asked for once more: a copy that follows comes in again. */
  expelAnswered(mirror: ResourceId, peer: NodeId): void {
    const expelling = this.#expelling.get(keyOf(mirror, peer));
    if (expelling === undefined) return;
    expelling.unanswered -= 1;
    if (expelling.unanswered > 0) return;
    this.#expelling.delete(keyOf(mirror, peer));
    if (expelling.heard) this.expel(mirror, peer);
  }

  /** A mirror that served before this process began has to wait for all copies of the record. */
  takenUp(record: OwnershipRecord): void {
    for (const mirror of this.mirrors) {
      for (const peer of record.inSync[mirror] ?? []) {
        if (peer !== record.owner) this.#order(mirror, { type: 'admit', peer });
      }
    }
  }

  /**
   * The owner's mirrors wait for the copies of the record, by whichever vote it changed: one whose
   * outcome was unclear may have been completed by a later one. Gives those that are out.
   */
  copiesChanged(
    before: OwnershipRecord,
    after: OwnershipRecord,
  ): readonly { readonly mirror: ResourceId; readonly peer: NodeId }[] {
    const out: { readonly mirror: ResourceId; readonly peer: NodeId }[] = [];
    for (const mirror of this.mirrors) {
      const was = before.inSync[mirror] ?? [];
      const is = after.inSync[mirror] ?? [];
      for (const peer of was) if (!is.includes(peer)) out.push({ mirror, peer });
      for (const peer of is) {
        if (!was.includes(peer)) this.#order(mirror, { type: 'admit', peer });
      }
    }
    for (const { mirror, peer } of out) this.expel(mirror, peer);
    return out;
  }
}

function keyOf(mirror: ResourceId, peer: NodeId): string {
  return `${mirror}\u0000${peer}`;
}
