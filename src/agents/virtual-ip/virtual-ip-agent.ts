/**
 * The agent `virtual-ip`. The heart holds the address, as long as the group's lease lives; the
 * agent tells it to, waits for its word, and judges whether the link below is fit to serve on.
 */
import type { CancelSignal } from '../../base/cancel-signal.ts';
import { NEVER } from '../../base/time.ts';
import type { AddressKeeper, AddressState } from '../../ports/address-keeper.ts';
import type { ActionOutcome, Agent, MonitorResult, StopMode } from '../../ports/agent.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Timer } from '../../ports/timer.ts';
import type { VirtualIpConfig } from '../../protocol/config.ts';
import type { Epoch, GroupId } from '../../protocol/ids.ts';
import { LinkWatch } from './link-watch.ts';

export interface VirtualIpAgentDeps {
  readonly keeper: AddressKeeper;
  readonly clock: Clock;
  readonly timer: Timer;
}

export function createVirtualIpAgent(
  group: GroupId,
  config: VirtualIpConfig,
  deps: VirtualIpAgentDeps,
): Agent {
  return new VirtualIpAgent(group, config, deps);
}

class VirtualIpAgent implements Agent {
  readonly #group: GroupId;
  readonly #config: VirtualIpConfig;
  readonly #deps: VirtualIpAgentDeps;
  readonly #watch = new LinkWatch();
  readonly #waiters = new Set<() => void>();
  #listener: ((result: MonitorResult) => void) | undefined;
  /** Started, and not told to stop since: what happens now is worth telling. */
  #serving = false;
  /** The last thing told. */
  #told: MonitorResult['state'] = 'online';
  #callOff: (() => void) | undefined;
  /** Number of the latest action; it ends the waiting of those before. */
  #action = 0;

  constructor(group: GroupId, config: VirtualIpConfig, deps: VirtualIpAgentDeps) {
    this.#group = group;
    this.#config = config;
    this.#deps = deps;
    deps.keeper.onChange(() => this.#changed());
    this.#changed();
  }

  async start(epoch: Epoch, cancel: CancelSignal): Promise<ActionOutcome> {
    const { id: resource, address, prefixLength, family, link } = this.#config;
    const wrong = this.#wrongLink();
    if (wrong !== undefined) return { outcome: 'failed', detail: wrong, lasting: true };
    const wanted = { resource, address, prefixLength, family, link };
    this.#deps.keeper.want(this.#group, epoch, wanted);
    const reported = this.#until(['held', 'failed'], cancel);
    const action = this.#action;
    const { state, detail } = await reported;
    if (state === 'failed') return { outcome: 'failed', detail };
    if (state !== 'held') return { outcome: 'unknown', detail: this.#waitText('held', detail) };
    // A stop may have begun since the report.
    this.#serving = action === this.#action;
    this.#told = 'online';
    return { outcome: 'ok', detail: `${address} on link ${link}` };
  }

  async stop(cancel: CancelSignal, _mode: StopMode): Promise<ActionOutcome> {
    this.#serving = false;
    this.#deps.keeper.unwant(this.#group, this.#config.id);
    const { state, detail } = await this.#until(['withdrawn', 'failed'], cancel);
    if (state === 'withdrawn') return { outcome: 'ok', detail: `${this.#config.address} is gone` };
    if (state === 'failed') return { outcome: 'failed', detail };
    return { outcome: 'unknown', detail: this.#waitText('withdrawn', detail) };
  }

  /** The heart reports each change by itself; there is no deeper check. */
  monitor(_cancel: CancelSignal): Promise<MonitorResult> {
    this.#changed();
    return Promise.resolve(this.#judge());
  }

  onChange(listener: (result: MonitorResult) => void): void {
    this.#listener = listener;
  }

  #judge(): MonitorResult {
    const { state, detail } = this.#address();
    const { address, link } = this.#config;
    switch (state) {
      case 'held': {
        const wrong = this.#wrongLink();
        if (wrong !== undefined) return { state: 'failed', detail: wrong, lasting: true };
        return { state: 'online', detail: `${address} on link ${link}` };
      }
      case 'withdrawn':
        // While it serves, only the end of the lease withdraws it, and that is judged elsewhere.
        return this.#serving ? { state: 'unknown', detail } : { state: 'stopped', detail };
      case 'failed':
        return { state: 'failed', detail };
      case 'unknown':
        return { state: 'unknown', detail };
    }
  }

  /** After each report, and when a time limit of the link's judgement has passed. */
  #changed(): void {
    const { keeper, clock, timer } = this.#deps;
    const now = clock.now();
    this.#watch.report(keeper.link(this.#config.link), now);
    this.#callOff?.();
    const next = this.#watch.nextChange(now);
    this.#callOff =
      next === NEVER ? undefined : timer.after(Math.ceil(next - now), () => this.#changed());
    for (const waiter of [...this.#waiters]) waiter();
    if (!this.#serving) return;
    const result = this.#judge();
    const worthTelling = result.state === 'failed' || result.state === 'online';
    if (!worthTelling || result.state === this.#told) return;
    this.#told = result.state;
    this.#listener?.(result);
  }

  #address(): AddressState {
    return this.#deps.keeper.state(this.#group, this.#config.id);
  }

  #wrongLink(): string | undefined {
    const wrong = this.#watch.wrong(this.#deps.clock.now());
    return wrong === undefined ? undefined : `link ${this.#config.link} is bad: ${wrong}`;
  }

  /** Waits for one of these states; returns whatever is the state when cancelled or overtaken. */
  #until(states: readonly AddressState['state'][], cancel: CancelSignal): Promise<AddressState> {
    this.#action += 1;
    const action = this.#action;
    for (const waiter of [...this.#waiters]) waiter();
    return new Promise((resolve) => {
      const look = (): void => {
        const address = this.#address();
        const waits = !states.includes(address.state) && action === this.#action;
        if (waits && !cancel.aborted) return;
        this.#waiters.delete(look);
        cancel.removeEventListener('abort', look);
        resolve(address);
      };
      this.#waiters.add(look);
      cancel.addEventListener('abort', look);
      look();
    });
  }

  #waitText(what: string, detail: string): string {
    return `the heart has not reported ${this.#config.address} as ${what}: ${detail}`;
  }
}
