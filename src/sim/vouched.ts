/**
 * What an administrator vouched for when a group was forced, as an onlooker sees it: whether it was
 * true, and which acknowledged writes were given up by it.
 *
 * Where all that was vouched for is true (that they are off, and hear the owner when they come back),
 * nothing but the writes given up is excused: P2 and P3 hold
 * on. Where a member that was said to be off runs all the same, two lines of records live side by
 * side, and Tako can't know: what compares them is not checked for that group any more. In both
 * cases each write that was given up must be on a copy that is kept aside.
 *
 * A fence that said the truth excuses nothing, whatever is turned on again afterwards: no write may be
 * given up, and all promises hold. One that lied is as somebody who vouched falsely.
 */
import { assert } from '../base/assert.ts';
import type { Epoch, GroupId, NodeId, ResourceId } from '../protocol/ids.ts';
import type { OwnershipRecord } from '../protocol/record.ts';

export interface VouchedWorld {
  isOn(id: NodeId): boolean;
  /** Both answer, and reach each other. */
  hear(a: NodeId, b: NodeId): boolean;
  copyHas(id: NodeId, key: string, write: number): boolean;
  /** The fence of that node once said that it was off, which was not. */
  fenceLied(id: NodeId): boolean;
}

export class Vouched {
  readonly #world: VouchedWorld;
  readonly #falsely = new Set<GroupId>();
  /** Lines whose members may still come back. */
  readonly #lines = new Map<GroupId, OwnershipRecord[]>();

  constructor(world: VouchedWorld) {
    this.#world = world;
  }

  /** Whether two lines of records of that group may live side by side. */
  falsely(group: GroupId): boolean {
    if (this.#falsely.has(group)) return true;
    for (const { forced, owner } of this.#lines.get(group) ?? []) {
      const back = forced?.off.filter((id) => this.#world.isOn(id)) ?? [];
      if (back.some((id) => !this.#world.hear(id, owner))) this.#falsely.add(group);
    }
    return this.#falsely.has(group);
  }

  /**
   * A record that begins a line was chosen. One below the newest was made by who did not know of that:
   * the line of a fence by the very node that is off now.
   */
  forced(group: GroupId, record: OwnershipRecord, newest: Epoch | undefined): void {
    if (newest !== undefined && newest > record.epoch) this.#falsely.add(group);
    const off = record.forced?.off ?? [];
    if (record.forced?.by === 'fence') {
      if (off.some((id) => this.#world.fenceLied(id))) this.#falsely.add(group);
      return;
    }
    this.#lines.set(group, [...(this.#lines.get(group) ?? []), record]);
    if (off.some((id) => this.#world.isOn(id))) this.#falsely.add(group);
  }

  /** Those of the acknowledged writes that go on to count: the others were given up. */
  kept(key: string, record: OwnershipRecord, acknowledged: readonly number[]): number[] {
    const [group, mirror] = key.split('/') as [GroupId, ResourceId];
    const aside = record.keptAside?.[mirror] ?? [];
    const fenced = record.forced?.by === 'fence';
    return acknowledged.filter((write) => {
      if (this.#world.copyHas(record.owner, key, write)) return true;
      const lies = record.forced?.off.some((id) => this.#world.fenceLied(id)) === true;
      // What a line lacks that was begun by a lie, no truth brings back.
      const lied = lies || this.#falsely.has(group);
      assert(!fenced || lied, `P1: write ${write} of ${key} is lost by a fenced take-over`);
      if (fenced) return false;
      const somewhere = aside.some((id) => this.#world.copyHas(id, key, write));
      assert(somewhere, `P1: write ${write} of ${key} was given up and is on no copy kept aside`);
      return false;
    });
  }
}

export function beginsLine(record: OwnershipRecord): boolean {
  return record.forced?.at === record.epoch;
}
