/** Lives of a node on a share: one for each process that writes there. */
import type { SeatId } from './ids.ts';

/** What a node knows of its own lives, on its own disk from before the first write of each. */
export interface NotedLife {
  /** Files of another seat are other files. */
  readonly seat: SeatId;
  readonly life: number;
  /** Regions in which a write of it, or of one before it, may still land. */
  readonly open: readonly number[];
}

export interface LifeChoice {
  readonly seat: SeatId;
  /** Undefined: there is none, or it cannot be read. */
  readonly noted: NotedLife | undefined;
  /** What was written last, as the share shows it. */
  readonly last: { readonly life: number; readonly region: number };
  readonly regions: number;
  /** No living process writes into it; it is this life's from then on. */
  readonly take: (region: number) => boolean;
}

export interface NextLife {
  readonly region: number;
  /** Nothing may be written earlier. */
  readonly waitMs: number;
  /** To be on the node's own disk before anything is written. */
  readonly note: NotedLife;
  /** In place of it once this life has lasted for so long. */
  readonly then: { readonly afterMs: number; readonly note: NotedLife };
}
