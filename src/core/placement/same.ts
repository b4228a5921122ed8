/**
 * Whether two inputs say the same. The caller may make its objects anew for each call; objects that
 * say the same are taken for the ones of before, so that only real differences cost anything. The
 * order of a list that has no meaning may make a difference here: that costs time, not correctness.
 */
import type { PlacementGroup, PlacementNode } from './types.ts';

type Plain = string | number | boolean | undefined | readonly unknown[] | object;

export function sameNode(a: PlacementNode, b: PlacementNode): boolean {
  return a === b || equal(a, b);
}

export function sameGroup(a: PlacementGroup, b: PlacementGroup): boolean {
  return a === b || equal(a, b);
}

/** Whether all that a shape is compiled from is the same. */
export function sameConfig(a: PlacementGroup, b: PlacementGroup): boolean {
  if (a === b) return true;
  const own = a.type === 'failover' ? a.together : [];
  const other = b.type === 'failover' ? b.together : [];
  return (
    a.id === b.id &&
    a.type === b.type &&
    a.priority === b.priority &&
    equal(a.demand, b.demand) &&
    equal(a.preferred, b.preferred) &&
    equal(a.allowed, b.allowed) &&
    equal(a.apart, b.apart) &&
    equal(a.after, b.after) &&
    equal(own, other)
  );
}

export function sameCapacity(a: PlacementNode, b: PlacementNode): boolean {
  return a === b || equal(a.capacity, b.capacity);
}

function equal(a: Plain, b: Plain): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object') return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const left = Object.entries(a);
  const right = new Map<string, unknown>(Object.entries(b));
  if (left.length !== right.size) return false;
  return left.every(
    ([key, value]) => right.has(key) && equal(value as Plain, right.get(key) as Plain),
  );
}
