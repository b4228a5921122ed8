/**
 * More nodes than could decide among themselves, with an etcd, in virtual time. Not among the fast
 * tests: every heartbeat of sixteen nodes is simulated.
 */
import { expect, test } from 'vitest';
import type { GroupId, NodeId } from '../../src/protocol/ids.ts';
import { simConfig } from '../../src/sim/sim-config.ts';
import { World } from '../../src/sim/world.ts';

const NODES = Array.from({ length: 16 }, (_, at) => `n${at + 1}`);
const GROUP = 'db' as GroupId;

test('sixteen nodes go on without the owner, and without seven more of them', () => {
  const groups = [{ id: GROUP, nodes: ['n1', 'n2', 'n3'] }];
  const world = new World({
    config: simConfig({ nodes: NODES, groups, registry: 'etcd' }),
    seed: 1,
    loss: 0,
    delayMs: { min: 0.2, max: 0.4 },
    drift: 0,
    writeEveryMs: 40,
  });
  for (const id of world.members()) world.powerOn(id);
  world.advance(2000);
  expect(world.serving(GROUP)).toEqual(['n1']);
  world.powerOff('n1' as NodeId);
  world.advance(2000);
  expect(world.serving(GROUP)).toEqual(['n2']);
  for (const id of NODES.slice(8, 15)) world.powerOff(id as NodeId);
  world.advance(1000);
  expect(world.serving(GROUP)).toEqual(['n2']);
  world.powerOff('n2' as NodeId);
  world.advance(2500);
  expect(world.serving(GROUP)).toEqual(['n3']);
  world.checkNothingLost();
});
