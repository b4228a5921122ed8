/** Turns the other node off, or asks whether it is, by the programs of the administrator. */
import type { FenceAnswer } from '../protocol/fence.ts';
import type { NodeId } from '../protocol/ids.ts';

export interface Fence {
  /** Turns it off, then finds out whether it is. Resolves in bounded time; never rejects. */
  turnOff(node: NodeId): Promise<FenceAnswer>;
  /** Only finds out. Resolves in bounded time; never rejects. */
  status(node: NodeId): Promise<FenceAnswer>;
  /** Ends what is under way. */
  close(): Promise<void>;
}
