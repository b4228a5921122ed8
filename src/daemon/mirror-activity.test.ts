import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createLog } from '../adapters/log.ts';
import { ActivityLog } from '../adapters/mirror/activity/activity-log.ts';
import { ActivityStore, activityPath } from '../adapters/mirror/activity/activity-store.ts';
import { ActivityRequest } from '../adapters/mirror/activity/activity-request.ts';
import { instant } from '../base/time.ts';
import type { Epoch, NodeId } from '../protocol/ids.ts';
import { MirrorActivity } from './mirror-activity.ts';

const log = createLog({ name: 'test', level: 'silent' });
const [N2, N3] = ['n2' as NodeId, 'n3' as NodeId];
const FIRST = 100;

interface Sync {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

function newSync(): Sync {
  let [resolve, reject]: [() => void, (error: Error) => void] = [() => {}, () => {}];
  const promise = new Promise<void>((done, failed) => ([resolve, reject] = [done, failed]));
  return { promise, resolve, reject };
}

let parent: string;
let syncs: Sync[];
let main: MirrorActivity;
/** What the capture worker has. */
let capture: {
  log: ActivityLog;
  change: (last: number, path: string) => void;
  /** Does what is asked, if something is. */
  idle: (last: number) => void;
};

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'tako-activity-'));
  syncs = [];
  main = begin();
  const { directory, generation, head, request } = main.task;
  const asked = new ActivityRequest(request);
  const activity = new ActivityLog({
    generation,
    pathOf: (number) => activityPath(directory, number),
    head,
    log,
    refuses: (refuses) => asked.setRefuses(refuses),
  });
  const idle = (last: number): void => {
    const { pending } = asked;
    if (pending === undefined) return;
    asked.done(pending === 'roll' ? activity.roll(last) : activity.stored(), last);
  };
  const change = (last: number, path: string): void => {
    idle(last);
    expect(activity.entry(Buffer.from(path))).toBe(0);
  };
  capture = { log: activity, change, idle };
});
afterEach(() => {
  capture.log.close();
  rmSync(parent, { recursive: true });
});

function begin(): MirrorActivity {
  const directory = join(parent, 'm.activity');
  return new MirrorActivity({
    store: new ActivityStore({ directory, identity: 'here', log }),
    epoch: 1 as Epoch,
    session: 's',
    first: FIRST,
    checkpoint: undefined,
    others: [N2, N3],
    sync: () => {
      const sync = newSync();
      syncs.push(sync);
      return sync.promise;
    },
    now: instant(0),
  });
}

function files(): readonly string[] {
  return readdirSync(join(parent, 'm.activity')).toSorted();
}

function allStored(seq: number): void {
  for (const node of [N2, N3]) main.stored(node, seq);
}

function regions(): readonly string[] {
  return [...(main.recorded()?.keys() ?? [])].toSorted();
}

/** The sync that was asked for last is over, and that is noted. */
async function synced(last: number): Promise<void> {
  const sync = syncs.at(-1);
  sync?.resolve();
  await sync?.promise;
  capture.idle(last);
  main.timePassed(instant(0));
}

/** What had been received before the run began is stored. */
async function begun(): Promise<void> {
  main.timePassed(instant(1000));
  await synced(FIRST);
}

test('until what was received before is stored, anything may be missing', async () => {
  capture.change(100, 'old/x');
  expect(syncs).toHaveLength(0);
  main.timePassed(instant(1000));
  expect(syncs).toHaveLength(1);
  expect(main.recorded()).toEqual(new Map([['', 'tree']]));
  await synced(105);
  expect(regions()).toEqual(['old']);
});

test('what all copies have stored goes, not before', async () => {
  await begun();
  capture.change(100, 'old/x');
  allStored(FIRST);
  main.timePassed(instant(31_000));
  capture.change(110, 'new/x');
  expect(files()).toEqual(['1.log', '2.log']);
  main.timePassed(instant(31_050));
  main.stored(N2, 500);
  main.stored(N3, 109);
  await synced(120);
  main.timePassed(instant(31_150));
  expect(files()).toEqual(['1.log', '2.log']);
  main.stored(N3, 110);
  main.timePassed(instant(31_200));
  await vi.waitFor(() => expect(files()).toEqual(['2.log']));
  expect(regions()).toEqual(['new', 'old']);
});

test('what this copy has not stored stays', async () => {
  await begun();
  allStored(FIRST);
  main.timePassed(instant(31_000));
  capture.change(110, 'new/x');
  main.timePassed(instant(31_050));
  allStored(1000);
  main.timePassed(instant(31_100));
  expect(syncs).toHaveLength(2);
  syncs[1]?.reject(new Error('the disk does not answer'));
  await expect(syncs[1]?.promise).rejects.toThrow();
  main.timePassed(instant(31_150));
  expect(files()).toEqual(['1.log', '2.log']);
  // The next one takes both along.
  main.timePassed(instant(62_000));
  capture.change(1200, 'new/y');
  main.timePassed(instant(62_050));
  await synced(1210);
  allStored(1200);
  main.timePassed(instant(62_100));
  await vi.waitFor(() => expect(files()).toEqual(['3.log']));
});

test('while a copy is away, no new file is begun', async () => {
  await begun();
  main.stored(N2, 1000);
  main.timePassed(instant(31_000));
  capture.change(110, 'new/x');
  expect(files()).toEqual(['1.log']);
});
