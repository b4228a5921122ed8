/** A group that is left alone: it is looked at, and nothing is done about what is found. */
import { expect, test } from 'vitest';
import { must } from '../../base/assert.ts';
import { type Instant, instant, NEVER } from '../../base/time.ts';
import type { GroupConfig, ResourceConfig } from '../../protocol/config.ts';
import type { Epoch, GroupId, NodeId, ResourceId } from '../../protocol/ids.ts';
import { type EngineAction, type EngineEffect, GroupEngine, type Observation } from './engine.ts';

const EPOCH = 1 as Epoch;

function resource(id: string, after: readonly string[]): ResourceConfig {
  return {
    ...{ id, after, agent: 'process', command: ['p'], monitorMs: 1000, monitorTimeoutMs: 500 },
    ...{ startTimeoutMs: 1000, stopTimeoutMs: 1000, restarts: { limit: 3, windowMs: 60_000 } },
    ...{ deepMonitor: { everyMs: 1500, timeoutMs: 500 }, unknownLimit: 2, onFailure: 'failover' },
  } as unknown as ResourceConfig;
}

class Driver {
  readonly engine: GroupEngine;
  readonly told: string[] = [];
  open: EngineAction[] = [];
  now: Instant = instant(0);
  mayStart = true;

  constructor() {
    const resources = [resource('disk', []), resource('program', ['disk'])];
    const group = { id: 'g' as GroupId, nodes: ['n' as NodeId], failback: { policy: 'never' } };
    this.engine = new GroupEngine({ ...group, resources } as GroupConfig, () => this.mayStart);
  }

  take(effects: readonly EngineEffect[]): void {
    for (const effect of effects) {
      if (effect.type === 'action') this.open.push(effect);
      if (effect.type !== 'notice') continue;
      const { notice } = effect;
      const name = 'resource' in notice ? ` ${notice.resource}` : '';
      this.told.push(`${notice.type}${name}${'then' in notice ? ` ${notice.then}` : ''}`);
    }
  }

  wanted(): readonly string[] {
    return this.open.map(({ action, depth, resource: id }) => {
      return `${depth === 'deep' ? 'deep ' : ''}${action} ${id}`;
    });
  }

  finish(name: string): void {
    const index = this.open.findIndex((a) => `${a.action} ${a.resource}` === name);
    const { id, resource: of } = must(this.open.splice(index, 1)[0], name);
    this.take(
      this.engine.actionFinished({ id, resource: of, outcome: 'ok', detail: '' }, this.now),
    );
  }

  answer(id: string, state: Observation['state']): void {
    const index = this.open.findIndex((a) => a.action === 'monitor' && a.resource === id);
    const action = must(this.open.splice(index, 1)[0], `${id} is checked`);
    const seen = { resource: id as ResourceId, state, detail: 'seen' };
    this.take(this.engine.observed(seen, this.now, action.id));
  }

  wait(ms: number): void {
    this.now = instant(this.now + ms);
    this.take(this.engine.tick(this.now));
  }

  states(): string {
    return this.engine
      .view(this.now)
      .map(({ state }) => state)
      .join(' ');
  }

  resting(): this {
    this.take(this.engine.start(EPOCH, this.now));
    this.finish('start disk');
    this.finish('start program');
    this.take(this.engine.rest(EPOCH, this.now));
    this.told.length = 0;
    return this;
  }
}

test('what is found failed is told once, shown, and left as it is, and so is what runs again', () => {
  const driver = new Driver().resting();
  expect(driver.wanted()).toEqual(['monitor disk', 'monitor program']);
  driver.answer('disk', 'online');
  driver.answer('program', 'failed');
  expect(driver.states()).toBe('online failed');
  for (let round = 0; round < 4; round += 1) {
    driver.wait(1000);
    driver.answer('disk', 'online');
    driver.answer('program', 'failed');
  }
  expect(driver.told).toEqual(['resourceFailed program leftAlone']);
  expect(driver.engine.failuresWithin(60_000, driver.now)).toEqual([]);
  driver.wait(1000);
  driver.answer('program', 'online');
  expect(driver.told).toEqual(['resourceFailed program leftAlone', 'resourceOnline program']);
  expect([driver.states(), driver.engine.isOnline()]).toEqual(['online online', true]);
});

test('what a program or agent says of itself is told, too, and what tells nothing changes nothing', () => {
  const driver = new Driver().resting();
  const program = 'program' as ResourceId;
  const report = { resource: program, health: 'failed', detail: 'full', ttlMs: 10 } as const;
  driver.take(driver.engine.reported(report, driver.now));
  driver.answer('program', 'unknown');
  driver.answer('disk', 'unknown');
  expect(driver.states()).toBe('online online');
  const seen = { resource: program, state: 'stopped', detail: '' } as const;
  driver.take(driver.engine.observed(seen, driver.now));
  expect(driver.states()).toBe('online stopped');
  expect(driver.told).toEqual([
    'resourceFailed program leftAlone',
    'resourceFailed program leftAlone',
  ]);
});

test('no deep check of what does not run, and none that had no authority counts', () => {
  const driver = new Driver().resting();
  driver.answer('disk', 'online');
  driver.answer('program', 'stopped');
  driver.wait(1500);
  expect(driver.wanted()).toEqual(['deep monitor disk', 'monitor program']);
  driver.mayStart = false;
  driver.wait(1);
  driver.answer('disk', 'failed');
  expect(driver.states()).toBe('online stopped');
});

test('a pause before a restart ends with the rest, and nothing wakes but for checks', () => {
  const driver = new Driver().resting();
  driver.take(driver.engine.stop('orderly', driver.now));
  expect(driver.engine.isResting).toBe(false);
  driver.open = driver.open.filter(({ action }) => action === 'stop');
  driver.finish('stop program');
  driver.finish('stop disk');
  expect(driver.told).toContain('stopped');
  expect(driver.engine.nextWakeAt()).toBe(NEVER);
});

test('a stop stops each resource, whatever was seen of it last: a person may have started it since', () => {
  const driver = new Driver().resting();
  driver.answer('disk', 'stopped');
  driver.answer('program', 'stopped');
  expect(driver.engine.isStopped()).toBe(true);
  driver.take(driver.engine.stop('abandon', driver.now));
  expect(driver.engine.isStopped()).toBe(false);
  expect(driver.wanted()).toEqual(['stop disk', 'stop program']);
});

test('what a probe finds is what it goes on with: what runs stays, the rest is started', () => {
  const driver = new Driver().resting();
  driver.answer('disk', 'online');
  driver.answer('program', 'failed');
  const found = (['online', 'stopped'] as const).map((state, index) => {
    return { resource: (['disk', 'program'] as ResourceId[])[index], state, detail: '' };
  }) as unknown as readonly Observation[];
  driver.engine.adopt(found, driver.now);
  driver.take(driver.engine.start(EPOCH, driver.now));
  expect(driver.wanted()).toEqual(['monitor disk', 'start program']);
  expect(driver.engine.view(driver.now)[1]).toMatchObject({ restarts: 0, failures: 0 });
});

test('nothing is started from what was left alone without a probe, nor left alone in a start', () => {
  const driver = new Driver().resting();
  expect(() => driver.engine.start(EPOCH, driver.now)).toThrow('probed');
  const other = new Driver();
  other.take(other.engine.start(EPOCH, other.now));
  expect(() => other.engine.rest(EPOCH, other.now)).toThrow('under way');
});
