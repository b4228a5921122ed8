/** The control processes of the other nodes. */
import type { NodeId } from '../protocol/ids.ts';

export interface ControlPeers {
  /** Rejects with a `TakoError`: what the other side threw, or `timed-out` or `peer-refused`. */
  call(
    node: NodeId,
    method: string,
    params: unknown,
    options: { readonly timeoutMs: number },
  ): Promise<unknown>;
  /** Best effort: dropped when the node is not connected. */
  notify(node: NodeId, method: string, params: unknown): void;
  connected(): readonly NodeId[];
}
