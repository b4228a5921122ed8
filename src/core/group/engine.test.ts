import { describe, expect, test } from 'vitest';
import { must } from '../../base/assert.ts';
import { type Instant, instant } from '../../base/time.ts';
import type { GroupConfig, ResourceConfig } from '../../protocol/config.ts';
import type { Epoch, GroupId, NodeId, ResourceId } from '../../protocol/ids.ts';
import { type EngineAction, type EngineEffect, GroupEngine } from './engine.ts';

const EPOCH = 3 as Epoch;

function resource(
  id: string,
  after: readonly string[],
  agent: 'process' | 'virtual-ip' = 'process',
): ResourceConfig {
  const common = {
    id: id as ResourceId,
    after: after as readonly ResourceId[],
    monitorMs: 1000,
    monitorTimeoutMs: 400,
    deepMonitor: undefined,
    unknownLimit: 3,
    onFailure: 'failover' as const,
    startTimeoutMs: 5000,
    stopTimeoutMs: 5000,
    restarts: { limit: 2, windowMs: 10_000 },
  };
  if (agent === 'virtual-ip') {
    return {
      ...common,
      agent,
      address: '10.0.0.1',
      prefixLength: 24,
      family: 4,
      link: 'l' as never,
    };
  }
  return {
    ...common,
    agent,
    command: ['x'],
    user: undefined,
    directory: '/',
    environment: {},
    stopSignal: 'SIGTERM',
    readyPort: undefined,
    checkCommand: undefined,
  };
}

/** Drives an engine and keeps what it wants done, as `start a`, and what it tells. */
class Driver {
  readonly engine: GroupEngine;
  readonly told: string[] = [];
  open: EngineAction[] = [];
  now: Instant = instant(0);
  mayStart = true;

  constructor(resources: readonly ResourceConfig[]) {
    const group: GroupConfig = { id: 'g' as GroupId, nodes: ['n' as NodeId], resources };
    this.engine = new GroupEngine(group, () => this.mayStart);
  }

  take(effects: readonly EngineEffect[]): void {
    for (const effect of effects) {
      if (effect.type === 'action') this.open.push(effect);
      else {
        const { notice } = effect;
        const name = 'resource' in notice ? ` ${notice.resource}` : '';
        this.told.push(`${notice.type}${name}${'then' in notice ? ` ${notice.then}` : ''}`);
      }
    }
  }

  wanted(): readonly string[] {
    return this.open.map((action) => `${action.action} ${action.resource}`);
  }

  finish(name: string, outcome: 'ok' | 'failed' | 'unknown' = 'ok'): void {
    const index = this.open.findIndex((a) => `${a.action} ${a.resource}` === name);
    const [action] = this.open.splice(index, 1);
    const { id, resource: of } = must(action, `${name} is under way`);
    this.take(this.engine.actionFinished({ id, resource: of, outcome, detail: '' }, this.now));
  }

  wait(ms: number): void {
    this.now = instant(this.now + ms);
    this.take(this.engine.tick(this.now));
  }

  fail(id: string): void {
    const seen = { resource: id as ResourceId, state: 'failed' as const, detail: 'died' };
    this.take(this.engine.observed(seen, this.now));
  }

  online(): this {
    this.take(this.engine.start(EPOCH, this.now));
    for (let next = this.wanted()[0]; next !== undefined; next = this.wanted()[0])
      this.finish(next);
    this.told.length = 0;
    return this;
  }
}

function chain(): Driver {
  return new Driver([
    resource('disk', []),
    resource('program', ['disk']),
    resource('address', ['program'], 'virtual-ip'),
  ]);
}

describe('starting and stopping', () => {
  test('follows the order, and runs side by side what may', () => {
    const driver = new Driver([resource('a', []), resource('b', []), resource('c', ['a', 'b'])]);
    driver.take(driver.engine.start(EPOCH, driver.now));
    expect(driver.wanted()).toEqual(['start a', 'start b']);
    driver.finish('start a');
    expect(driver.wanted()).toEqual(['start b']);
    driver.finish('start b');
    driver.finish('start c');
    expect(driver.told).toContain('online');
    driver.take(driver.engine.stop('orderly', driver.now));
    expect(driver.wanted()).toEqual(['stop c']);
    driver.finish('stop c');
    expect(driver.wanted()).toEqual(['stop a', 'stop b']);
  });

  test('without authority nothing starts, neither anew nor after a failure', () => {
    const driver = chain();
    driver.mayStart = false;
    driver.take(driver.engine.start(EPOCH, driver.now));
    expect(driver.wanted()).toEqual([]);
    driver.mayStart = true;
    driver.wait(0);
    for (const next of ['start disk', 'start program', 'start address']) driver.finish(next);
    driver.mayStart = false;
    driver.fail('program');
    expect(driver.wanted()).toEqual(['stop program']);
    driver.finish('stop program');
    driver.wait(300);
    expect(driver.wanted()).toEqual([]);
    expect(driver.engine.nextWakeAt()).toBeGreaterThan(driver.now);
    driver.mayStart = true;
    driver.wait(0);
    expect(driver.wanted()).toEqual(['start program']);
  });

  test('an abandoned group is stopped at once, whatever the order', () => {
    const driver = chain().online();
    driver.take(driver.engine.stop('abandon', driver.now));
    expect(driver.wanted()).toEqual(['stop disk', 'stop program', 'stop address']);
    expect(driver.open.every((action) => action.mode === 'abandon')).toBe(true);
  });

  test('a stop in order that is under way is overtaken by force', () => {
    const driver = chain().online();
    driver.take(driver.engine.stop('orderly', driver.now));
    const before = driver.open.length;
    driver.take(driver.engine.stop('abandon', driver.now));
    expect(driver.open.slice(before).map((a) => a.mode)).toEqual(['abandon', 'abandon', 'abandon']);
  });

  test('the answer of an action that was overtaken is ignored', () => {
    const driver = chain();
    driver.take(driver.engine.start(EPOCH, driver.now));
    driver.take(driver.engine.stop('orderly', driver.now));
    driver.finish('start disk');
    expect(driver.engine.isStopped()).toBe(false);
    driver.finish('stop disk');
    expect(driver.told).toEqual(['stopped']);
  });
});

describe('failures', () => {
  test('a program that died is started again; the address above it stays', () => {
    const driver = chain().online();
    driver.fail('program');
    expect(driver.told).toEqual(['resourceFailed program restart']);
    expect(driver.wanted()).toEqual(['stop program']);
    driver.finish('stop program');
    expect(driver.wanted()).toEqual(['start program']);
    driver.finish('start program');
    expect(driver.engine.isOnline()).toBe(true);
  });

  test('a lasting failure is not answered by restarts', () => {
    const driver = chain().online();
    const seen = {
      resource: 'address' as ResourceId,
      state: 'failed' as const,
      detail: 'no carrier',
      lasting: true,
    };
    driver.take(driver.engine.observed(seen, driver.now));
    expect(driver.told).toEqual(['resourceFailed address lasting']);
    expect(driver.wanted()).toEqual(['stop address']);
  });

  test('a second restart within the window waits a moment', () => {
    const driver = chain().online();
    driver.fail('program');
    driver.finish('stop program');
    driver.finish('start program', 'failed');
    driver.finish('stop program');
    expect(driver.wanted()).toEqual([]);
    driver.wait(249);
    expect(driver.wanted()).toEqual([]);
    driver.wait(1);
    expect(driver.wanted()).toEqual(['start program']);
  });

  test('what needs the failed resource is stopped before it', () => {
    const driver = chain().online();
    driver.fail('disk');
    expect(driver.wanted()).toEqual(['stop program']);
    driver.finish('stop program');
    expect(driver.wanted()).toEqual(['stop disk']);
    driver.finish('stop disk');
    driver.finish('start disk');
    expect(driver.wanted()).toEqual(['start program']);
  });

  test('sleeps while it waits for the stop of what needs a resource', () => {
    for (const begin of ['stop', 'fail'] as const) {
      const driver = chain().online();
      driver.wait(900);
      driver.open = [];
      if (begin === 'stop') driver.take(driver.engine.stop('orderly', driver.now));
      else driver.fail('disk');
      for (let step = 0; step < 10; step += 1) {
        driver.wait(1500);
        expect(driver.engine.nextWakeAt()).toBeGreaterThan(driver.now);
      }
    }
  });

  test('gives up when the restarts of the window are used up, and not before', () => {
    const driver = chain().online();
    for (let round = 0; round < 2; round += 1) {
      driver.fail('program');
      driver.finish('stop program');
      driver.wait(round * 250);
      driver.finish('start program');
    }
    driver.fail('program');
    expect(driver.told.at(-1)).toBe('resourceFailed program gaveUp');
    driver.finish('stop program');
    expect(driver.wanted()).toEqual([]);
    const given = { id: 'program', reason: 'died', lasting: false };
    expect(driver.engine.givenUp()).toEqual(given);
  });

  test('failures that lie further apart than the window do not add up', () => {
    const driver = chain().online();
    for (let round = 0; round < 5; round += 1) {
      driver.now = instant(driver.now + 6000);
      driver.open = [];
      driver.fail('program');
      driver.finish('stop program');
      driver.wait(250);
      driver.finish('start program');
    }
    expect(driver.engine.givenUp()).toBeUndefined();
  });

  test.each(['failed', 'unknown'] as const)('a stop that %s is never taken for stopped', (how) => {
    const driver = chain().online();
    driver.take(driver.engine.stop('orderly', driver.now));
    driver.finish('stop address');
    driver.finish('stop program', how);
    expect(driver.told).toEqual(['stopFailed program']);
    expect(driver.wanted()).toEqual([]);
    driver.now = instant(driver.now + 2000);
    driver.take(driver.engine.tick(driver.now));
    expect(driver.wanted()).toEqual(['stop program']);
    driver.finish('stop program');
    driver.finish('stop disk');
    expect(driver.told).toEqual(['stopFailed program', 'stopped']);
  });

  test('a start of unknown outcome is stopped before it is tried again', () => {
    const driver = chain();
    driver.take(driver.engine.start(EPOCH, driver.now));
    driver.finish('start disk', 'unknown');
    expect(driver.wanted()).toEqual(['stop disk']);
  });
});
