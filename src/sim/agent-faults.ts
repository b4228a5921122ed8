/** How the agents of a simulated node misbehave: for each resource and action, until told otherwise. */

/** `deep`: its deep check. `found`: what the probe finds when the node starts. */
export type FaultyAction = 'start' | 'stop' | 'monitor' | 'deep' | 'found';

/**
 * `fails`, `lasting`: says that it failed, and that no restart helps. `hangs`: never ends. As
 * something found: `online`, `fails` or `hangs` (nobody knows).
 */
export type Fault = 'fails' | 'lasting' | 'hangs' | 'online';

export class AgentFaults {
  readonly #faults = new Map<string, Fault>();

  /** `key` is `GROUP/RESOURCE`; without a fault that action is well again. */
  set(key: string, action: FaultyAction, fault: Fault | undefined): void {
    if (fault === undefined) this.#faults.delete(`${key} ${action}`);
    else this.#faults.set(`${key} ${action}`, fault);
  }

  of(key: string, action: FaultyAction): Fault | undefined {
    return this.#faults.get(`${key} ${action}`);
  }
}
