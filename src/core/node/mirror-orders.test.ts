/** What a mirror says of a copy while it is told to wait for it no longer. */
import { beforeEach, expect, test } from 'vitest';
import type { NodeId, ResourceId } from '../../protocol/ids.ts';
import { MirrorOrders } from './mirror-orders.ts';

const DATA = 'data' as ResourceId;
const [ME, PEER] = ['n1', 'n2'] as [NodeId, NodeId];

let ordered: string[];
let orders: MirrorOrders;

beforeEach(() => {
  ordered = [];
  orders = new MirrorOrders(ME, [DATA], (mirror, { type }) => ordered.push(`${mirror} ${type}`));
});

test('a copy that has caught up is believed', () => {
  expect(orders.waitsAgain(DATA, PEER)).toBe(true);
});

test('not while the order to expel it has no answer', () => {
  orders.expel(DATA, PEER);
  expect(orders.waitsAgain(DATA, PEER)).toBe(false);
});

test('and is, once that is answered', () => {
  orders.expel(DATA, PEER);
  orders.expelAnswered(DATA, PEER);
  expect(ordered).toEqual(['data expel']);
  expect(orders.waitsAgain(DATA, PEER)).toBe(true);
});

test('what was not believed is asked for once more', () => {
  orders.expel(DATA, PEER);
  orders.waitsAgain(DATA, PEER);
  orders.expelAnswered(DATA, PEER);
  expect(ordered).toEqual(['data expel', 'data expel']);
  expect(orders.waitsAgain(DATA, PEER)).toBe(false);
});

test('of two orders the second answer counts', () => {
  orders.expel(DATA, PEER);
  orders.expel(DATA, PEER);
  orders.expelAnswered(DATA, PEER);
  expect(orders.waitsAgain(DATA, PEER)).toBe(false);
});

test('only of the copy that was expelled', () => {
  orders.expel(DATA, PEER);
  expect(orders.waitsAgain(DATA, 'n3' as NodeId)).toBe(true);
});
