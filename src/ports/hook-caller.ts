/** Calls the hooks of the administrator: programs and web servers. */
import type { HookAnswer, HookCall } from '../protocol/hook.ts';

export interface HookCaller {
  /** Resolves within `call.timeoutMs`, with `none` where there is no usable answer; never rejects. */
  call(call: HookCall): Promise<HookAnswer>;
  /** Gives what is under way a moment to end, and ends it then. */
  close(): Promise<void>;
}
