/**
 * How the agents of one simulated node misbehave, per resource and action. Every fault counts, so
 * that overlapping ones end one by one.
 */

import type { HookWord } from '../protocol/hook.ts';

/**
 * `deep`: its deep check. `found`: what the probe finds when the control process starts. `hook`: the
 * hook that is asked when it has failed; for the other hooks the resource is their point.
 */
export type FaultyAction = 'start' | 'stop' | 'monitor' | 'deep' | 'found' | 'hook';

/**
 * `fails`, `lasting`: says that it failed, and that no restart helps. `hangs`: never ends. `lies`: a
 * monitor tells the opposite of what is so. A hook hangs, fails, lies, or gives the answer
 * that is named. As something found: `online`, `fails` or `hangs` (nobody
 * knows).
 */
export type AgentFault = 'fails' | 'lasting' | 'hangs' | 'lies' | 'online' | HookWord;

/** When several are on, the first of these shows. */
const ORDER: readonly AgentFault[] = [
  'hangs',
  'lasting',
  'fails',
  'lies',
  'online',
  'veto',
  'stay',
  'failover',
  'repaired',
  'wait',
];

export class AgentFaults {
  /** `GROUP/RESOURCE action fault`: how many of that kind are on. */
  readonly #on = new Map<string, number>();

  /** `key` is `GROUP/RESOURCE`. */
  begin(key: string, action: FaultyAction, fault: AgentFault): void {
    const name = nameOf(key, action, fault);
    this.#on.set(name, (this.#on.get(name) ?? 0) + 1);
  }

  end(key: string, action: FaultyAction, fault: AgentFault): void {
    const name = nameOf(key, action, fault);
    const left = (this.#on.get(name) ?? 0) - 1;
    if (left > 0) this.#on.set(name, left);
    else this.#on.delete(name);
  }

  /** That action is well again. */
  heal(key: string, action: FaultyAction): void {
    for (const fault of ORDER) this.#on.delete(nameOf(key, action, fault));
  }

  healAll(): void {
    this.#on.clear();
  }

  of(key: string, action: FaultyAction): AgentFault | undefined {
    if (this.#on.size === 0) return undefined;
    return ORDER.find((fault) => this.#on.has(nameOf(key, action, fault)));
  }
}

function nameOf(key: string, action: FaultyAction, fault: AgentFault): string {
  return `${key} ${action} ${fault}`;
}
