/** Which copies are voted out and in, above all when news and votes overtake one another. */
import { expect, test } from 'vitest';
import { instant } from '../../base/time.ts';
import type { NodeId, ResourceId } from '../../protocol/ids.ts';
import { CopyKeeper } from './copy-keeper.ts';
import type { MirrorNews } from './node-io.ts';

const MIRROR = 'data' as ResourceId;
const PEER = 'n2' as NodeId;
const LOST_MS = 400;
const ABSENT = { silentMs: () => 1000, mayAdmit: () => true };
const THERE = { silentMs: () => 0, mayAdmit: () => true };
const CAUGHT_UP: MirrorNews = { type: 'peerCaughtUp', peer: PEER };
const FAILED: MirrorNews = { type: 'peerFailed', peer: PEER, reason: 'it needs a resync' };
const SILENT: MirrorNews = { type: 'peerSilent', peer: PEER, silentMs: 0, reason: 'no answer' };

function types(keeper: CopyKeeper, liveness: typeof THERE, now: number): readonly string[] {
  return keeper.due(liveness, instant(now)).map(({ type }) => type);
}

test('a copy that falls silent while it is being voted in is voted out', () => {
  const keeper = new CopyKeeper(LOST_MS);
  keeper.news(MIRROR, CAUGHT_UP, instant(0));
  expect(types(keeper, THERE, 0)).toEqual(['admit']);
  keeper.news(MIRROR, SILENT, instant(10));
  keeper.settled({ type: 'admit', mirror: MIRROR, peer: PEER });
  expect(keeper.admitting(MIRROR)).toEqual([]);
  expect(types(keeper, ABSENT, 500)).toEqual(['expel']);
});

test('a vote that was overtaken by another one settles nothing', () => {
  const keeper = new CopyKeeper(LOST_MS);
  keeper.news(MIRROR, FAILED, instant(0));
  expect(types(keeper, THERE, 0)).toEqual(['expel']);
  keeper.news(MIRROR, CAUGHT_UP, instant(10));
  expect(types(keeper, THERE, 10)).toEqual(['admit']);
  keeper.news(MIRROR, SILENT, instant(20));
  keeper.settled({ type: 'expel', mirror: MIRROR, peer: PEER });
  // It may be in sync by the next outcome, so whoever begins to serve waits for it.
  expect(keeper.admitting(MIRROR)).toEqual([PEER]);
  keeper.settled({ type: 'admit', mirror: MIRROR, peer: PEER });
  expect(types(keeper, ABSENT, 500)).toEqual(['expel']);
});

test('a copy that had caught up with a service that ended is not voted in', () => {
  const keeper = new CopyKeeper(LOST_MS);
  keeper.news(MIRROR, CAUGHT_UP, instant(0));
  keeper.stopped(MIRROR);
  expect(types(keeper, THERE, 10)).toEqual([]);
  keeper.news(MIRROR, CAUGHT_UP, instant(20));
  expect(types(keeper, THERE, 20)).toEqual(['admit']);
});

test('one whose admission was proposed is waited for by the next service, and voted on again', () => {
  const keeper = new CopyKeeper(LOST_MS);
  keeper.news(MIRROR, CAUGHT_UP, instant(0));
  expect(types(keeper, THERE, 0)).toEqual(['admit']);
  keeper.stopped(MIRROR);
  expect(keeper.admitting(MIRROR)).toEqual([PEER]);
  // The vote found no majority, and the mirror that serves again says nothing of whom it waits for.
  expect(types(keeper, THERE, 500)).toEqual(['admit']);
});

test('nothing is left to do about a copy that was voted in and answers', () => {
  const keeper = new CopyKeeper(LOST_MS);
  keeper.news(MIRROR, CAUGHT_UP, instant(0));
  expect(types(keeper, THERE, 0)).toEqual(['admit']);
  expect(keeper.admitting(MIRROR)).toEqual([PEER]);
  keeper.settled({ type: 'admit', mirror: MIRROR, peer: PEER });
  expect(keeper.admitting(MIRROR)).toEqual([]);
  expect(types(keeper, ABSENT, 500)).toEqual([]);
});
