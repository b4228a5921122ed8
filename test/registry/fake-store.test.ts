/** The record store in memory conforms, and the judgement of rivals can tell right from wrong. */
import { expect, test } from 'vitest';
import type { RecordStore } from '../../src/ports/record-store.ts';
import type { GroupId } from '../../src/protocol/ids.ts';
import { recordStoreConforms } from './conformance.ts';
import { type Fault, FakeStore } from './fake-store.ts';
import { type Attempt, brokenChain, rivalsWrite } from './rivals.ts';

recordStoreConforms('in memory', () => new FakeStore());

async function rivalsOn(store: RecordStore): Promise<readonly Attempt[]> {
  const attempts: Attempt[] = [];
  const group = 'g' as GroupId;
  await Promise.all(
    ['n1', 'n2'].map((writer) => rivalsWrite({ store, group, writer, writes: 9, attempts })),
  );
  return attempts;
}

test('lost answers leave a history without contradiction', async () => {
  const faults: readonly Fault[] = [
    'none',
    'none',
    'lostAfter',
    'none',
    'unreachable',
    'none',
    'lostBefore',
  ];
  let at = 0;
  const store = new FakeStore(() => faults[(at += 1) % faults.length] ?? 'none');
  const attempts = await rivalsOn(store);
  expect(attempts.some(({ outcome }) => outcome.type === 'unknown')).toBe(true);
  expect(brokenChain(attempts)).toBeUndefined();
});

test('a store that does not compare is found out', async () => {
  const store = new FakeStore();
  const group = 'g' as GroupId;
  let revision = 1;
  const careless: RecordStore = {
    read: () => store.read(group),
    swap: () => Promise.resolve({ type: 'swapped', revision: (revision += 1) }),
    check: () => Promise.resolve(undefined),
    close: () => undefined,
  };
  expect(brokenChain(await rivalsOn(careless))).toMatch(/was read after|have changed/u);
});
