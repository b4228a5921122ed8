import { beforeEach, describe, expect, it } from 'vitest';
import { NEVER, instant } from '../../base/time.ts';
import type { AddressKeeper, AddressState, LinkHealth } from '../../ports/address-keeper.ts';
import type { Agent, MonitorResult } from '../../ports/agent.ts';
import type { VirtualIpConfig } from '../../protocol/config.ts';
import type { Epoch, GroupId, LinkId, ResourceId } from '../../protocol/ids.ts';
import { LinkWatch } from './link-watch.ts';
import { createVirtualIpAgent } from './virtual-ip-agent.ts';

const good: LinkHealth = { carrier: true, hearsSomeone: true, peersHearThere: true };
const never = new AbortController().signal;
const config: VirtualIpConfig = {
  id: 'ip' as ResourceId,
  agent: 'virtual-ip',
  after: [],
  monitorMs: 1000,
  monitorTimeoutMs: 1000,
  deepMonitor: undefined,
  unknownLimit: 3,
  onFailure: 'failover',
  startTimeoutMs: 1000,
  stopTimeoutMs: 1000,
  restarts: { limit: 1, windowMs: 1000 },
  address: '192.0.2.10',
  prefixLength: 24,
  family: 4,
  link: 'lan' as LinkId,
};

/** The heart's side and the time, steered by the test. */
class Bench {
  nowMs = 0;
  address: AddressState = { state: 'withdrawn', detail: 'not wanted' };
  link: LinkHealth | undefined = good;
  readonly asked: string[] = [];
  readonly told: MonitorResult[] = [];
  readonly #timers = new Set<{ at: number; run: () => void }>();
  #listener: () => void = () => undefined;
  readonly agent: Agent;

  constructor() {
    const keeper: AddressKeeper = {
      want: (group, epoch, address) => {
        this.asked.push(`want ${group} ${epoch} ${address.address}/${address.prefixLength}`);
        this.address = { state: 'unknown', detail: 'asked' };
      },
      unwant: (group, resource) => {
        this.asked.push(`unwant ${group} ${resource}`);
        this.address = { state: 'unknown', detail: 'asked' };
      },
      state: () => this.address,
      link: () => this.link,
      onChange: (listener) => {
        this.#listener = listener;
        return () => undefined;
      },
    };
    this.agent = createVirtualIpAgent('g' as GroupId, config, {
      keeper,
      clock: { now: () => instant(this.nowMs), wallTime: () => '' },
      timer: {
        after: (ms, run) => {
          const timer = { at: this.nowMs + ms, run };
          this.#timers.add(timer);
          return () => this.#timers.delete(timer);
        },
      },
    });
    this.agent.onChange((result) => this.told.push(result));
  }

  report(change: { address?: AddressState['state']; link?: Partial<LinkHealth> }): void {
    if (change.address !== undefined) this.address = { state: change.address, detail: 'reported' };
    if (change.link !== undefined) this.link = { ...good, ...change.link };
    this.#listener();
  }

  advance(ms: number): void {
    const end = this.nowMs + ms;
    for (;;) {
      const next = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers.delete(next);
      this.nowMs = next.at;
      next.run();
    }
    this.nowMs = end;
  }

  async start(): Promise<void> {
    const starting = this.agent.start(3 as Epoch, never);
    this.report({ address: 'held' });
    const { outcome, detail } = await starting;
    if (outcome !== 'ok') throw new Error(`it did not start: ${detail}`);
  }
}

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});

describe('the virtual-ip agent', () => {
  it('has started when the heart holds, has stopped when the heart has withdrawn', async () => {
    expect(await bench.agent.monitor(never, 'light')).toMatchObject({ state: 'stopped' });
    await bench.start();
    expect(bench.asked).toEqual(['want g 3 192.0.2.10/24']);
    expect(await bench.agent.monitor(never, 'light')).toMatchObject({ state: 'online' });
    let stopped = false;
    const stopping = bench.agent.stop(never, 'orderly').then((outcome) => {
      stopped = true;
      return outcome;
    });
    bench.report({});
    await Promise.resolve();
    expect(stopped).toBe(false);
    bench.report({ address: 'withdrawn' });
    expect(await stopping).toMatchObject({ outcome: 'ok' });
    expect(await bench.agent.monitor(never, 'light')).toMatchObject({ state: 'stopped' });
    expect(bench.told).toEqual([]);
  });

  it('passes on what the heart could not do, and does not know what it was not told', async () => {
    const failing = bench.agent.start(3 as Epoch, never);
    bench.report({ address: 'failed' });
    expect(await failing).toEqual({ outcome: 'failed', detail: 'reported' });
    for (const action of ['start', 'stop'] as const) {
      const cancel = new AbortController();
      const acting =
        action === 'start'
          ? bench.agent.start(3 as Epoch, cancel.signal)
          : bench.agent.stop(cancel.signal, 'orderly');
      cancel.abort();
      expect(await acting).toMatchObject({ outcome: 'unknown' });
    }
    expect(await bench.agent.monitor(never, 'light')).toMatchObject({ state: 'unknown' });
  });

  it('ends the waiting of a start when it is stopped', async () => {
    const starting = bench.agent.start(3 as Epoch, never);
    const stopping = bench.agent.stop(never, 'orderly');
    expect(await starting).toMatchObject({ outcome: 'unknown' });
    bench.report({ address: 'withdrawn' });
    expect(await stopping).toMatchObject({ outcome: 'ok' });
  });

  it('takes an address that the lease withdrew for neither stopped nor failed', async () => {
    await bench.start();
    bench.report({ address: 'withdrawn' });
    expect(await bench.agent.monitor(never, 'light')).toMatchObject({ state: 'unknown' });
    bench.report({ address: 'held' });
    expect(await bench.agent.monitor(never, 'light')).toMatchObject({ state: 'online' });
    expect(bench.told).toEqual([]);
    bench.report({ address: 'failed' });
    expect(bench.told).toEqual([{ state: 'failed', detail: 'reported' }]);
  });

  it('fails 300 ms after the carrier is gone, by itself, and tells when it is back', async () => {
    await bench.start();
    bench.report({ link: { carrier: false } });
    bench.advance(299);
    expect(await bench.agent.monitor(never, 'light')).toMatchObject({ state: 'online' });
    bench.report({});
    bench.advance(1);
    expect(bench.told).toEqual([
      { state: 'failed', detail: 'link lan is bad: its interface has no carrier', lasting: true },
    ]);
    expect(await bench.agent.start(4 as Epoch, never)).toMatchObject({ outcome: 'failed' });
    bench.advance(5000);
    expect(bench.told.length).toBe(1);
    bench.report({ link: {} });
    expect(bench.told.at(-1)).toMatchObject({ state: 'online' });
  });

  it('fails after a second of hearing nobody, only while a peer hears someone there', async () => {
    await bench.start();
    bench.report({ link: { hearsSomeone: false, peersHearThere: false } });
    bench.advance(60_000);
    expect(bench.told).toEqual([]);
    bench.report({ link: { hearsSomeone: false } });
    bench.advance(900);
    bench.report({ link: { hearsSomeone: true } });
    bench.report({ link: { hearsSomeone: false } });
    bench.advance(999);
    expect(bench.told).toEqual([]);
    bench.advance(1);
    expect(bench.told).toMatchObject([
      { state: 'failed', detail: expect.stringMatching(/hears nobody/) },
    ]);
  });

  it('tells nothing of a bad link that it does not serve on', () => {
    bench.report({ link: { carrier: false } });
    bench.advance(1000);
    expect(bench.told).toEqual([]);
  });
});

describe('LinkWatch', () => {
  it('knows nothing without a report', () => {
    const watch = new LinkWatch();
    watch.report({ ...good, carrier: false }, instant(0));
    watch.report(undefined, instant(299));
    expect(watch.wrong(instant(10_000))).toBeUndefined();
    expect(watch.nextChange(instant(0))).toBe(NEVER);
  });
});
