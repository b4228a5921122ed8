/** When people are told that the store of the records does not answer. */
import { expect, test } from 'vitest';
import type { EventDraft } from '../protocol/event.ts';
import { RegistryWatch } from './registry-watch.ts';

test('an etcd that fails for a while is told once, and once that it is back', async () => {
  const told: EventDraft[] = [];
  const answers = [undefined, 'gone', 'gone', undefined, 'gone', 'gone', 'gone', 'gone', undefined];
  const fails: boolean[] = [];
  let next: (() => void) | undefined;
  const timer = { after: (_ms: number, run: () => void) => ((next = run), () => undefined) };
  const store = { check: () => Promise.resolve(answers.shift()) };
  const watch = new RegistryWatch(store, timer, (draft) => told.push(draft));
  watch.start();
  const rounds = answers.length + 1;
  for (let round = 0; round < rounds; round += 1) {
    await Promise.resolve();
    await Promise.resolve();
    fails.push(watch.fails !== undefined);
    next?.();
  }
  watch.end();
  expect(told.map(({ kind }) => kind)).toEqual(['registry-lost', 'registry-back']);
  expect(told[0]?.text).toContain('etcd cannot be read: gone');
  expect(fails).toEqual([false, false, false, false, false, false, true, true, false]);
});
