/** What people ask of a fence: whether it answers, and, by hand, to turn its node off. */
import { TakoError } from '../base/tako-error.ts';
import type { EventStore } from '../ports/event-store.ts';
import type { Fence } from '../ports/fence.ts';
import type { Config } from '../protocol/config.ts';
import type { FenceAction, FenceAnswer } from '../protocol/fence.ts';
import type { NodeId } from '../protocol/ids.ts';

export interface FenceParts {
  readonly me: NodeId;
  readonly config: Config;
  readonly fence: Fence;
  readonly events: EventStore;
}

/** Resolves with what was found; an answer that is none is a failure. */
export async function askFence(
  { config, events, fence, me }: FenceParts,
  node: NodeId,
  action: FenceAction,
): Promise<string> {
  const fences = config.withoutWitness?.by === 'fence' ? config.withoutWitness.fences : [];
  if (!fences.some((known) => known.node === node)) {
    const text = `"${node}" has no fence`;
    const next = 'Write "without-witness: fence" and "fences" into the configuration';
    throw new TakoError('fence-failed', text, { next });
  }
  if (action === 'off' && node === me) {
    const text = `Cannot turn ${me} off from ${me} itself: nobody could find out whether it is off`;
    throw new TakoError('fence-failed', text, { next: 'Ask for it on the other node' });
  }
  const answer = action === 'off' ? await fence.turnOff(node) : await fence.status(node);
  if (action === 'off') {
    const found = foundOf(node, answer);
    const text = `an administrator asked ${me} to turn ${node} off: ${found}`;
    events.append({ level: 'warning', kind: 'fenced-by-hand', text });
  }
  const wanted = action === 'off' ? answer.state === 'off' : answer.state !== 'unknown';
  if (wanted) return foundOf(node, answer);
  const next = 'Run the program of the fence by hand; it is told what to do on standard input';
  throw new TakoError('fence-failed', foundOf(node, answer), { next });
}

function foundOf(node: NodeId, { detail, state }: FenceAnswer): string {
  if (state === 'unknown') return `It is not known whether ${node} is off: ${detail}`;
  return `${node} is ${state}: ${detail}`;
}
