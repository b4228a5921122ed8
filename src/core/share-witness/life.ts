/**
 * Where the next life of a node writes in its file on a share. A write may be carried out long after
 * whoever asked for it is dead, also across a restart of the machine; into a region where one may still
 * come nothing new is written before `LATE_MS`, and no number of a life is used twice.
 */
import type { LifeChoice, NextLife } from '../../protocol/share-life.ts';

/** A write of a life that is over comes within that time, or never: its server has forgotten it. */
export const LATE_MS = 60_000;

/** Undefined when living processes may still write into all of them. */
export function nextLife({ seat, noted, last, regions, take }: LifeChoice): NextLife | undefined {
  const known = noted?.seat === seat ? noted : undefined;
  const all = Array.from({ length: regions }, (_, step) => (last.region + step) % regions);
  const open = known?.open ?? (last.life === 0 ? [] : all);
  // Never where the last good write is.
  const others = all.slice(1);
  const inTurn = [
    ...others.filter((region) => !open.includes(region)),
    ...others.filter((region) => open.includes(region)),
  ];
  const region = inTurn.find((candidate) => take(candidate));
  if (region === undefined) return undefined;
  const life = Math.max(last.life, known?.life ?? 0) + 1;
  return {
    region,
    waitMs: open.includes(region) ? LATE_MS : 0,
    note: { seat, life, open: [...new Set([...open, region])] },
    then: { afterMs: LATE_MS, note: { seat, life, open: [region] } },
  };
}
