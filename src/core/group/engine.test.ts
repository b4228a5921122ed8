import { describe, expect, test } from 'vitest';
import { must } from '../../base/assert.ts';
import { type Instant, instant, NEVER } from '../../base/time.ts';
import type { GroupConfig, ResourceConfig } from '../../protocol/config.ts';
import type { Epoch, GroupId, NodeId, ResourceId } from '../../protocol/ids.ts';
import {
  type EngineAction,
  type EngineEffect,
  type EngineQuestion,
  GroupEngine,
  type Observation,
} from './engine.ts';
import type { ActionResult, Advice, ResourceView } from './engine-types.ts';

const EPOCH = 3 as Epoch;

function resource(
  id: string,
  after: readonly string[],
  agent: 'process' | 'virtual-ip' = 'process',
  over: Partial<Omit<ResourceConfig, 'agent'>> = {},
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
    ...over,
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
  asked: EngineQuestion[] = [];
  now: Instant = instant(0);
  mayStart = true;

  constructor(resources: readonly ResourceConfig[]) {
    const group: GroupConfig = {
      id: 'g' as GroupId,
      nodes: ['n' as NodeId],
      failback: { policy: 'never' },
      resources,
    };
    this.engine = new GroupEngine(group, () => this.mayStart);
  }

  take(effects: readonly EngineEffect[]): void {
    for (const effect of effects) {
      if (effect.type === 'action') this.open.push(effect);
      else if (effect.type === 'ask') this.asked.push(effect);
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

  finish(name: string, outcome: ActionResult['outcome'] = 'ok'): void {
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
    this.see(id, 'failed', 'died');
  }

  /** What the agent notices by itself. */
  see(id: string, state: Observation['state'], detail = '', lasting = false): void {
    const seen = { resource: id as ResourceId, state, detail, lasting };
    this.take(this.engine.observed(seen, this.now));
  }

  /** The answer to the check under way. */
  answer(id: string, state: Observation['state']): void {
    const index = this.open.findIndex((a) => a.action === 'monitor' && a.resource === id);
    const [action] = this.open.splice(index, 1);
    const seen = { resource: id as ResourceId, state, detail: 'seen' };
    this.take(this.engine.observed(seen, this.now, must(action, `${id} is checked`).id));
  }

  view(id: string): ResourceView {
    return must(
      this.engine.view(this.now).find((r) => r.id === id),
      id,
    );
  }

  adopt(found: Readonly<Record<string, Observation['state']>>): void {
    const seen = Object.entries(found).map(([id, state]) => {
      return { resource: id as ResourceId, state, detail: 'probed' };
    });
    this.engine.adopt(seen, this.now);
  }

  online(): this {
    this.take(this.engine.start(EPOCH, this.now));
    for (let next = this.wanted()[0]; next !== undefined; next = this.wanted()[0])
      this.finish(next);
    this.told.length = 0;
    return this;
  }
}

/** As people write it who want the address to be there before the program listens on it. */
function addressInBetween(): Driver {
  return new Driver([
    resource('disk', []),
    resource('address', ['disk'], 'virtual-ip'),
    resource('program', ['address']),
  ]);
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

  test('a start that found no lease is no failure, and is tried again', () => {
    const driver = chain();
    driver.take(driver.engine.start(EPOCH, driver.now));
    driver.finish('start disk', 'withheld');
    expect(driver.wanted()).toEqual([]);
    expect(driver.engine.nextWakeAt()).toBe(driver.now + 100);
    expect(driver.view('disk')).toMatchObject({ state: 'stopped', failures: 0, restarts: 0 });
    driver.wait(100);
    expect(driver.wanted()).toEqual(['start disk']);
    driver.finish('start disk', 'withheld');
    driver.mayStart = false;
    driver.wait(100);
    expect(driver.engine.nextWakeAt()).toBe(NEVER);
    driver.mayStart = true;
    driver.wait(0);
    expect(driver.wanted()).toEqual(['start disk']);
    expect(driver.told).toEqual([]);
  });

  test('a program after an address waits for what is below the address', () => {
    const driver = addressInBetween().online();
    driver.fail('disk');
    expect(driver.wanted()).toEqual(['stop program']);
    driver.finish('stop program');
    expect(driver.wanted()).toEqual(['stop disk']);
    driver.finish('stop disk');
    expect(driver.wanted()).toEqual(['start disk']);
    driver.finish('start disk');
    expect(driver.wanted()).toEqual(['start program']);
  });

  test('a program that fails together with what is below its address is not started before it', () => {
    const driver = addressInBetween().online();
    driver.fail('program');
    driver.finish('stop program');
    expect(driver.wanted()).toEqual(['start program']);
    driver.fail('disk');
    driver.finish('start program', 'failed');
    expect(driver.wanted().toSorted()).toEqual(['stop program']);
    driver.finish('stop program');
    driver.wait(300);
    expect(driver.wanted()).not.toContain('start program');
    driver.finish('stop disk');
    driver.finish('start disk');
    expect(driver.wanted()).toContain('start program');
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

/** One resource with this policy, above a disk and beside another program. */
function policy(over: Partial<Omit<ResourceConfig, 'agent'>>): Driver {
  return new Driver([
    resource('disk', []),
    resource('program', ['disk'], 'process', over),
    resource('other', ['disk']),
  ]).online();
}

describe('checks', () => {
  const deepMonitor = { everyMs: 5000, timeoutMs: 900 };

  test('light ones follow one another, each after the answer, with a limit of their own', () => {
    const driver = policy({});
    driver.wait(999);
    expect(driver.wanted()).toEqual([]);
    driver.wait(1);
    expect(driver.wanted()).toEqual(['monitor disk', 'monitor program', 'monitor other']);
    expect(driver.open.map(({ depth, timeoutMs }) => [depth, timeoutMs])).toEqual([
      ['light', 400],
      ['light', 400],
      ['light', 400],
    ]);
    driver.wait(5000);
    expect(driver.open).toHaveLength(3);
    driver.answer('program', 'online');
    driver.wait(999);
    expect(driver.open).toHaveLength(2);
    driver.wait(1);
    expect(driver.wanted()).toEqual(['monitor disk', 'monitor other', 'monitor program']);
  });

  test('a deep one takes the place of the light one, with its own limit', () => {
    const driver = policy({ deepMonitor, monitorMs: 2000 });
    const depths: string[] = [];
    for (let step = 0; step < 13; step += 1) {
      driver.wait(1000);
      for (const { resource: id, depth, timeoutMs } of [...driver.open]) {
        if (id === 'program') depths.push(`${driver.now} ${depth} ${timeoutMs}`);
        driver.answer(id, 'online');
      }
    }
    expect(depths).toEqual([
      '2000 light 400',
      '4000 light 400',
      '5000 deep 900',
      '7000 light 400',
      '9000 light 400',
      '10000 deep 900',
      '12000 light 400',
    ]);
  });

  test('a failed deep check says so', () => {
    const driver = policy({ deepMonitor, monitorMs: 60_000 });
    driver.wait(5000);
    driver.answer('program', 'failed');
    expect(driver.view('program').detail).toBe('deep check: seen');
    expect(driver.wanted()).toContain('stop program');
  });

  test('no answer is no failure; three in a row are one, which ends in a stop first', () => {
    const driver = policy({});
    for (const [round, unknowns] of [1, 2].entries()) {
      driver.wait(1000);
      driver.answer('program', 'unknown');
      expect([round, driver.view('program').unknowns]).toEqual([round, unknowns]);
    }
    expect(driver.view('program').detail).toBe('no answer to the last 2 checks: seen');
    driver.wait(1000);
    driver.answer('program', 'online');
    expect(driver.view('program').unknowns).toBe(0);
    for (let round = 0; round < 3; round += 1) {
      driver.wait(1000);
      driver.answer('program', 'unknown');
    }
    expect(driver.told).toEqual(['resourceFailed program restart']);
    expect(driver.view('program').state).toBe('stopping');
  });

  test('never: a check without an answer never counts', () => {
    const driver = policy({ unknownLimit: undefined });
    for (let round = 0; round < 50; round += 1) {
      driver.wait(1000);
      driver.answer('program', 'unknown');
    }
    expect(driver.told).toEqual([]);
    expect(driver.view('program').unknowns).toBe(50);
  });

  test('a light answer does not excuse deep checks that never end', () => {
    const driver = policy({ deepMonitor: { everyMs: 1500, timeoutMs: 900 } });
    for (let round = 0; round < 12 && driver.told.length === 0; round += 1) {
      driver.wait(500);
      const check = driver.open.find((a) => a.resource === 'program');
      if (check !== undefined)
        driver.answer('program', check.depth === 'deep' ? 'unknown' : 'online');
    }
    expect(driver.told).toEqual(['resourceFailed program restart']);
    expect(driver.engine.failuresWithin(60_000, driver.now)).toMatchObject([
      { resource: 'program', reason: '3 deep checks in a row found no answer: seen' },
    ]);
  });

  test('without authority unanswered checks count for nothing, nor do deep failures', () => {
    const driver = policy({ deepMonitor, monitorMs: 1000 });
    driver.mayStart = false;
    for (let round = 0; round < 8; round += 1) {
      driver.wait(1000);
      expect(driver.open.filter((a) => a.depth === 'deep')).toEqual([]);
      driver.answer('program', 'unknown');
    }
    expect(driver.view('program').unknowns).toBe(0);
    driver.mayStart = true;
    driver.wait(5000);
    driver.mayStart = false;
    driver.wait(0);
    driver.mayStart = true;
    driver.wait(0);
    expect(driver.open.filter((a) => a.depth === 'deep')).toHaveLength(1);
    driver.answer('program', 'failed');
    expect(driver.told).toEqual([]);
    driver.fail('program');
    expect(driver.told).toEqual(['resourceFailed program restart']);
  });

  test('the answer to a check that a stop overtook is ignored', () => {
    const driver = policy({});
    driver.wait(1000);
    const check = must(
      driver.open.find((a) => a.resource === 'program'),
      'it is checked',
    );
    driver.fail('program');
    driver.finish('stop program');
    driver.finish('start program');
    const seen = { resource: check.resource, state: 'failed' as const, detail: 'late' };
    expect(driver.engine.observed(seen, driver.now, check.id)).toEqual([]);
    expect(driver.view('program').state).toBe('online');
  });
});

describe('after the restarts', () => {
  test('stop: the group stops in order, and stays down until it is started', () => {
    const driver = policy({ onFailure: 'stop', restarts: { limit: 0, windowMs: 1 } });
    driver.fail('program');
    expect(driver.told).toEqual(['resourceFailed program stop']);
    expect(driver.wanted()).toEqual(['stop program', 'stop other']);
    driver.finish('stop program');
    expect(driver.wanted()).toEqual(['stop other']);
    driver.finish('stop other');
    driver.finish('stop disk');
    expect(driver.told.at(-1)).toBe('heldDown program');
    expect(driver.engine.hasGivenUp()).toBe(false);
    expect(driver.engine.heldDown()).toEqual({ id: 'program', reason: 'died', lasting: false });
    expect(driver.engine.nextWakeAt()).toBe(Number.POSITIVE_INFINITY);
    driver.wait(100_000);
    expect(driver.wanted()).toEqual([]);
    driver.online();
    expect(driver.engine.isOnline()).toBe(true);
    expect(driver.engine.heldDown()).toBeUndefined();
  });

  test('stop: asked to stop meanwhile, it says stopped, and an abandon still hurries', () => {
    const driver = policy({ onFailure: 'stop', restarts: { limit: 0, windowMs: 1 } });
    driver.fail('program');
    driver.finish('stop program');
    driver.take(driver.engine.stop('abandon', driver.now));
    const forced = driver.open.filter((a) => a.mode === 'abandon').map((a) => a.resource);
    expect(forced).toEqual(['disk', 'other']);
    driver.open = driver.open.filter((a) => a.mode === 'abandon');
    driver.finish('stop disk');
    driver.finish('stop other');
    expect(driver.told.at(-1)).toBe('stopped');
  });

  test('stay: it is left failed, the rest counts as online, and a start tries it again', () => {
    const driver = policy({ onFailure: 'stay', restarts: { limit: 0, windowMs: 1 } });
    driver.fail('program');
    driver.finish('stop program');
    expect(driver.told).toEqual(['resourceFailed program stay']);
    expect([driver.engine.isOnline(), driver.engine.hasGivenUp()]).toEqual([true, false]);
    expect(driver.view('program')).toMatchObject({ state: 'failed', detail: 'died', left: true });
    expect(driver.engine.leftFailed()).toEqual([{ id: 'program', reason: 'died', lasting: false }]);
    driver.take(driver.engine.start(EPOCH, driver.now));
    expect(driver.wanted()).toEqual(['start program']);
    driver.finish('start program');
    expect(driver.told.slice(1)).toEqual(['resourceOnline program', 'online']);
  });

  test('stay: what needs it stays down and does not keep the group from being online', () => {
    const over = { onFailure: 'stay' as const, restarts: { limit: 0, windowMs: 1 } };
    const driver = new Driver([
      resource('program', [], 'process', over),
      resource('report', ['program']),
      resource('mail', ['report']),
      resource('address', ['program'], 'virtual-ip'),
    ]);
    driver.take(driver.engine.start(EPOCH, driver.now));
    driver.finish('start program', 'failed');
    driver.finish('stop program');
    expect(driver.wanted()).toEqual(['start address']);
    driver.finish('start address');
    expect(driver.told.at(-1)).toBe('online');
    expect(driver.view('report').state).toBe('stopped');
  });

  test('stay: what cannot be stopped keeps the group from being stopped', () => {
    const driver = policy({ onFailure: 'stay', restarts: { limit: 0, windowMs: 1 } });
    driver.fail('program');
    driver.finish('stop program', 'unknown');
    expect(driver.engine.isOnline()).toBe(true);
    driver.take(driver.engine.stop('orderly', driver.now));
    driver.finish('stop program', 'unknown');
    driver.finish('stop other');
    expect([driver.wanted(), driver.engine.isStopped()]).toEqual([[], false]);
  });
});

describe('what is remembered', () => {
  test('the count of failures heals by one for each healthy while, and only then', () => {
    const driver = policy({ restarts: { limit: 5, windowMs: 60_000 } });
    for (let round = 0; round < 3; round += 1) {
      driver.fail('program');
      driver.finish('stop program');
      driver.wait(1000);
      driver.finish('start program');
    }
    expect(driver.view('program').failures).toBe(3);
    driver.now = instant(driver.now + 60_000);
    expect(driver.view('program').failures).toBe(2);
    driver.take(driver.engine.stop('abandon', driver.now));
    driver.now = instant(driver.now + 600_000);
    expect(driver.view('program').failures).toBe(2);
  });

  test('failures within a while, for whoever judges the node, outlive a new start', () => {
    const driver = policy({ restarts: { limit: 0, windowMs: 1 } });
    driver.fail('program');
    driver.finish('stop program');
    driver.now = instant(driver.now + 10_000);
    driver.take(driver.engine.start(EPOCH, driver.now));
    driver.finish('start program', 'failed');
    const shown = (ms: number): readonly string[] =>
      driver.engine.failuresWithin(ms, driver.now).map((f) => `${f.at} ${f.resource} ${f.then}`);
    expect(shown(60_000)).toEqual(['0 program gaveUp', '10000 program gaveUp']);
    expect(shown(10_000)).toEqual(['10000 program gaveUp']);
  });

  test('stops that fail are tried at growing intervals and told once', () => {
    const driver = policy({});
    driver.take(driver.engine.stop('orderly', driver.now));
    driver.finish('stop other');
    const tries: number[] = [];
    while (tries.length < 7) {
      tries.push(driver.now);
      driver.finish('stop program', 'failed');
      driver.wait(driver.engine.nextWakeAt() - driver.now);
    }
    expect(tries).toEqual([0, 2000, 6000, 14_000, 29_000, 59_000, 89_000]);
    expect(driver.told).toEqual(['stopFailed program']);
    driver.finish('stop program', 'unknown');
    driver.take(driver.engine.stop('abandon', driver.now));
    expect(driver.wanted()).toEqual(['stop disk', 'stop program']);
  });
});

describe('what a probe found', () => {
  test('what runs is taken up, what is failed or unknown is stopped first, from the top', () => {
    const driver = chain();
    driver.adopt({ disk: 'unknown', program: 'online', address: 'online' });
    driver.take(driver.engine.start(EPOCH, driver.now));
    expect(driver.wanted()).toEqual(['stop program', 'monitor address']);
    driver.finish('stop program');
    expect(driver.wanted()).toContain('stop disk');
    driver.finish('stop disk');
    expect(driver.wanted()).toContain('start disk');
  });

  test('found anew, what once did not stop is no burden', () => {
    const driver = chain();
    driver.adopt({ disk: 'online', program: 'stopped', address: 'stopped' });
    driver.take(driver.engine.stop('orderly', driver.now));
    driver.finish('stop disk', 'failed');
    expect(driver.engine.unstopped()).toHaveLength(1);
    driver.adopt({ disk: 'stopped', program: 'stopped', address: 'stopped' });
    driver.take(driver.engine.start(EPOCH, driver.now));
    driver.finish('start disk');
    expect(driver.engine.unstopped()).toEqual([]);
  });

  test('all online: nothing is started again', () => {
    const driver = chain();
    driver.adopt({ disk: 'online', program: 'online', address: 'online' });
    driver.take(driver.engine.start(EPOCH, driver.now));
    expect(driver.told).toEqual(['online']);
    expect(driver.wanted()).toEqual(['monitor disk', 'monitor program', 'monitor address']);
  });

  test('a program that runs without what it needs is stopped before that starts', () => {
    const driver = chain();
    driver.adopt({ disk: 'stopped', program: 'online', address: 'stopped' });
    driver.take(driver.engine.start(EPOCH, driver.now));
    expect(driver.wanted()).toEqual(['stop program']);
    driver.finish('stop program');
    expect(driver.wanted()).toEqual(['start disk']);
  });

  test.each(['online', 'failed', 'unknown'] as const)('%s where it should not be', (state) => {
    const driver = chain();
    driver.adopt({ disk: 'stopped', program: state, address: 'stopped' });
    driver.take(driver.engine.stop('abandon', driver.now));
    expect(driver.wanted()).toEqual(['stop program']);
    driver.finish('stop program');
    expect(driver.told).toEqual(['stopped']);
  });
});

const FAILURE_HOOK = {
  timeoutMs: 2000,
  call: { type: 'command', command: ['hook'], user: undefined },
} as const;

/** A program with a hook, and another that stands on it. */
function hooked(over: Partial<Omit<ResourceConfig, 'agent'>> = {}): Driver {
  const app = resource('app', [], 'process', { failureHook: FAILURE_HOOK, ...over });
  return new Driver([app, resource('top', ['app'])]).online();
}

describe('a hook on failure', () => {
  const say = (driver: Driver, word: Advice['word'], waitMs = 0): void => {
    const question = must(driver.asked.shift(), 'it was asked');
    driver.take(driver.engine.advised(question, { word, waitMs }, driver.now));
  };

  test('is asked first; until it answers nothing is stopped, checked, or online', () => {
    const driver = hooked();
    driver.fail('app');
    driver.wait(10_000);
    driver.fail('app');
    expect(driver.asked).toHaveLength(1);
    expect(driver.wanted().filter((what) => what !== 'monitor top')).toEqual([]);
    expect([driver.view('app').state, driver.engine.isOnline()]).toEqual(['failed', false]);
    say(driver, 'go');
    expect(driver.wanted()).toContain('stop top');
    expect(driver.told).toEqual(['resourceFailed app restart']);
  });

  test('may say that it is repaired: checked again, nothing is restarted, and it counts', () => {
    const driver = hooked();
    driver.fail('app');
    say(driver, 'repaired');
    expect(driver.wanted()).toEqual(['monitor app']);
    driver.answer('app', 'online');
    expect(driver.engine.isOnline()).toBe(true);
    expect([driver.view('app').restarts, driver.view('app').failures]).toEqual([1, 1]);
  });

  test('is believed as often as there are restarts', () => {
    const driver = hooked({ restarts: { limit: 2, windowMs: 10_000 } });
    for (let n = 0; n < 3; n += 1) {
      driver.fail('app');
      say(driver, 'repaired');
    }
    expect(driver.told.at(-1)).toBe('resourceFailed app gaveUp');
    expect(driver.engine.hasGivenUp()).toBe(true);
  });

  test.each([
    ['failover', 'stop', 'moved', true],
    ['stay', 'failover', 'left', false],
  ] as const)('may say %s, whatever the policy (%s)', (word, onFailure, then, moves) => {
    const driver = hooked({ onFailure });
    driver.fail('app');
    say(driver, word);
    expect(driver.told).toEqual([`resourceFailed app ${then}`]);
    expect(driver.engine.hasGivenUp()).toBe(moves);
    expect(driver.engine.leftFailed()).toHaveLength(moves ? 0 : 1);
  });

  test('may ask to wait; then the built-in recovery follows', () => {
    const driver = hooked();
    driver.fail('app');
    say(driver, 'wait', 3000);
    driver.wait(2999);
    expect(driver.engine.nextWakeAt()).toBe(3000);
    expect(driver.told).toEqual([]);
    driver.wait(1);
    expect(driver.told).toEqual(['resourceFailed app restart']);
  });

  test('is asked when it did not start, and that is cleared away meanwhile', () => {
    const driver = hooked();
    driver.fail('app');
    say(driver, 'go');
    driver.finish('stop top');
    driver.finish('stop app');
    driver.finish('start app', 'failed');
    expect(driver.wanted()).toEqual(['stop app']);
    driver.finish('stop app');
    driver.wait(60_000);
    expect(driver.wanted()).toEqual([]);
    say(driver, 'repaired');
    expect(driver.wanted()).toEqual(['start app']);
  });

  test('keeps nobody from stopping, and has no say then', () => {
    const driver = hooked();
    driver.fail('app');
    driver.take(driver.engine.stop('abandon', driver.now));
    expect(driver.wanted().toSorted()).toEqual(['stop app', 'stop top']);
    say(driver, 'repaired');
    driver.finish('stop app');
    driver.finish('stop top');
    expect(driver.told).toEqual(['stopped']);
  });

  test('is not asked without authority', () => {
    const driver = hooked();
    driver.mayStart = false;
    driver.fail('app');
    expect(driver.asked).toEqual([]);
    expect(driver.told).toEqual(['resourceFailed app restart']);
  });
});

describe('a program that reports', () => {
  const say = (driver: Driver, health: 'ok' | 'failed', ttlMs?: number): void => {
    const report = { resource: 'app' as ResourceId, health, detail: 'damaged', ttlMs };
    driver.take(driver.engine.reported(report, driver.now));
  };
  const single = (over: Partial<Omit<ResourceConfig, 'agent'>> = {}): Driver =>
    new Driver([resource('app', [], 'process', { monitorMs: 1e9, ...over })]).online();

  test('that it is not well has failed', () => {
    const driver = single();
    say(driver, 'failed');
    expect(driver.told).toEqual(['resourceFailed app restart']);
    expect(driver.view('app').detail).toBe('it reports that it is not well: damaged');
  });

  test('is not believed without authority, and its silence is no failure then', () => {
    const driver = single({ reportSilence: 'failed' });
    say(driver, 'ok', 500);
    driver.mayStart = false;
    say(driver, 'failed', 500);
    driver.wait(60_000);
    expect(driver.told).toEqual([]);
    driver.mayStart = true;
    driver.wait(499);
    expect(driver.told).toEqual([]);
    driver.wait(1);
    expect(driver.told).toEqual(['resourceFailed app restart']);
  });

  test('and falls silent counts as a check without an answer, so many in a row', () => {
    const driver = single({ unknownLimit: 3 });
    say(driver, 'ok', 500);
    driver.wait(1000);
    driver.wait(499);
    say(driver, 'ok', 500);
    for (let n = 0; n < 2; n += 1) driver.wait(500);
    expect(driver.told).toEqual([]);
    driver.wait(500);
    expect(driver.told).toEqual(['resourceFailed app restart']);
    expect(driver.wanted()).toEqual(['stop app']);
  });

  test('may take its promise back, and a restart takes it back', () => {
    const driver = single({ reportSilence: 'failed' });
    say(driver, 'ok', 500);
    say(driver, 'ok');
    driver.wait(10_000);
    say(driver, 'ok', 500);
    driver.fail('app');
    driver.finish('stop app');
    driver.finish('start app');
    driver.wait(10_000);
    expect(driver.told.filter((what) => what.startsWith('resourceFailed'))).toHaveLength(1);
  });

  test('is not heard while it does not run', () => {
    const driver = single();
    driver.take(driver.engine.stop('orderly', driver.now));
    say(driver, 'failed');
    driver.finish('stop app');
    expect(driver.told).toEqual(['stopped']);
  });
});

describe('large graphs', () => {
  const wide = (): Driver => {
    const middle = Array.from({ length: 40 }, (_, at) => `m${at}`);
    const all = middle.map((id) => resource(id, ['bottom']));
    return new Driver([resource('bottom', []), ...all, resource('top', middle)]);
  };

  test('a wide one starts and stops its middle at once', () => {
    const driver = wide();
    driver.take(driver.engine.start(EPOCH, driver.now));
    driver.finish('start bottom');
    expect(driver.wanted()).toHaveLength(40);
    for (const next of driver.wanted().toReversed()) driver.finish(next);
    expect(driver.wanted()).toEqual(['start top']);
    driver.finish('start top');
    driver.take(driver.engine.stop('orderly', driver.now));
    driver.finish('stop top');
    expect(driver.wanted()).toHaveLength(40);
  });

  test('a stop half-way stops what had begun, and starts nothing more', () => {
    const driver = wide();
    driver.take(driver.engine.start(EPOCH, driver.now));
    driver.finish('start bottom');
    for (const next of driver.wanted().slice(0, 20)) driver.finish(next);
    const before = driver.open.length;
    driver.take(driver.engine.stop('orderly', driver.now));
    const stops = driver.open.slice(before).map((a) => a.action);
    expect(stops).toEqual(Array.from({ length: 40 }, () => 'stop'));
    driver.open = driver.open.filter((a) => a.action === 'stop');
    for (const next of driver.wanted()) driver.finish(next);
    expect(driver.wanted()).toEqual(['stop bottom']);
    driver.finish('stop bottom');
    expect(driver.told.at(-1)).toBe('stopped');
  });

  test('a failure at the bottom of a deep one is answered from the top', () => {
    const ids = Array.from({ length: 50 }, (_, at) => `d${at}`);
    const deep = ids.map((id, at) => resource(id, at === 0 ? [] : [`d${at - 1}`]));
    const driver = new Driver(deep).online();
    driver.fail('d0');
    const done: string[] = [];
    for (let next = driver.wanted()[0]; next !== undefined; next = driver.wanted()[0]) {
      expect(driver.wanted()).toHaveLength(1);
      done.push(next);
      driver.finish(next);
    }
    const down = ids.toReversed().map((id) => `stop ${id}`);
    expect(done).toEqual([...down, ...ids.map((id) => `start ${id}`)]);
  });

  test('every question is answered fast, however the layers are woven', () => {
    const layer = (at: number): string[] => Array.from({ length: 8 }, (_, k) => `l${at}-${k}`);
    const woven = Array.from({ length: 8 }, (_, at) =>
      layer(at).map((id) => resource(id, at === 0 ? [] : layer(at - 1))),
    ).flat();
    const driver = new Driver(woven).online();
    driver.fail('l0-0');
    expect(driver.wanted().toSorted()).toEqual(layer(7).map((id) => `stop ${id}`));
    expect(driver.engine.isOnline()).toBe(false);
  });
});
