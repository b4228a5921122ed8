/** What every record store has to do; see src/ports/record-store.ts. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { RecordStore } from '../../src/ports/record-store.ts';
import type { GroupId } from '../../src/protocol/ids.ts';
import { type Attempt, brokenChain, rivalsWrite } from './rivals.ts';
import { voteOf } from './votes.ts';

export function recordStoreConforms(name: string, open: () => RecordStore): void {
  describe(`record store: ${name}`, () => {
    let store: RecordStore;
    beforeAll(() => {
      store = open();
      return () => store.close();
    });

    it('has no record before the first write, and makes the first one once', async () => {
      const group = 'first' as GroupId;
      expect(await store.read(group)).toEqual({ type: 'none' });
      expect(await store.swap(group, 5, voteOf('n1', 1))).toEqual({ type: 'moved' });
      const made = await store.swap(group, 0, voteOf('n1', 1));
      expect(made.type).toBe('swapped');
      expect(await store.swap(group, 0, voteOf('n2', 1))).toEqual({ type: 'moved' });
      expect(await store.read(group)).toEqual({ ...made, type: 'found', vote: voteOf('n1', 1) });
    });

    it('changes a record only at the revision that is expected', async () => {
      const group = 'next' as GroupId;
      const first = await store.swap(group, 0, voteOf('n1', 1));
      if (first.type !== 'swapped') throw new Error(`not written: ${first.type}`);
      const second = await store.swap(group, first.revision, voteOf('n2', 2));
      if (second.type !== 'swapped') throw new Error(`not written: ${second.type}`);
      expect(second.revision).toBeGreaterThan(first.revision);
      expect(await store.swap(group, first.revision, voteOf('n1', 2))).toEqual({ type: 'moved' });
      expect(await store.read(group)).toEqual({
        type: 'found',
        revision: second.revision,
        vote: voteOf('n2', 2),
      });
    });

    it('gives a record written anew, unchanged, another revision', async () => {
      const group = 'anew' as GroupId;
      const first = await store.swap(group, 0, voteOf('n1', 1));
      if (first.type !== 'swapped') throw new Error(`not written: ${first.type}`);
      const again = await store.swap(group, first.revision, voteOf('n1', 1));
      expect(again).toMatchObject({ type: 'swapped' });
      expect(await store.swap(group, first.revision, voteOf('n2', 2))).toEqual({ type: 'moved' });
    });

    it('keeps groups apart', async () => {
      await store.swap('left' as GroupId, 0, voteOf('n1', 1));
      expect(await store.read('right' as GroupId)).toEqual({ type: 'none' });
    });

    it('lets one of several rivals through at each revision', async () => {
      const attempts: Attempt[] = [];
      const writers = ['n1', 'n2', 'n3'].map((writer) =>
        rivalsWrite({ store, group: 'rivals' as GroupId, writer, writes: 12, attempts }),
      );
      await Promise.all(writers);
      expect(attempts.filter(({ outcome }) => outcome.type === 'swapped')).toHaveLength(36);
      expect(brokenChain(attempts)).toBeUndefined();
    });
  });
}
