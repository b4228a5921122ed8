/** What was recorded of simulated lives is decided again in the same way; defects are named. */
import { describe, expect, test } from 'vitest';
import { must } from '../../base/assert.ts';
import type { Instant } from '../../base/time.ts';
import type { NodeCoreOptions } from '../../core/node/node-core.ts';
import type { GroupId } from '../../protocol/ids.ts';
import { RecordedCore } from '../../runtime/recorded-core.ts';
import { type DecisionRecorder, RecordingEncoder, encodeHead } from '../../runtime/recording.ts';
import { live, planLife } from '../life.ts';
import { simConfig } from '../sim-config.ts';
import { World } from '../world.ts';
import { replay, replayOneOf } from './replay.ts';

const WALL = '2026-11-22T16:07:00.000Z';
const DB = 'db' as GroupId;

interface Tape {
  readonly name: string;
  readonly lines: string[];
}

/** Makes recorded cores, each with a tape; events are numbered at once, on each node from 1 on. */
class Tapes {
  readonly all: Tape[] = [];
  readonly #numbers = new Map<string, number>();

  readonly newCore = (made: NodeCoreOptions): RecordedCore => {
    const tape: Tape = { name: `${made.me}-${this.all.length}`, lines: [] };
    this.all.push(tape);
    const write = (line: string): void => void tape.lines.push(line.slice(0, -1));
    const eventsBefore = this.#numbers.get(made.me) ?? 0;
    write(encodeHead(made, { release: '1.2.3', time: WALL, at: 0 as Instant, eventsBefore }));
    const encoder = new RecordingEncoder(write);
    const number = (did: Parameters<DecisionRecorder['started']>[1]): void => {
      for (const effect of did) {
        if (effect.type !== 'event') continue;
        const id = (this.#numbers.get(made.me) ?? 0) + 1;
        this.#numbers.set(made.me, id);
        encoder.published(effect.draft, { id, time: WALL });
      }
    };
    return new RecordedCore(made, {
      started: (at, did) => {
        encoder.started(at, did);
        number(did);
      },
      stepped: (told, did) => {
        encoder.stepped(told, did);
        number(did);
      },
    });
  };

  /** The latest of that node. */
  of(node: string): Tape {
    return must(
      this.all.findLast(({ name }) => name.startsWith(node)),
      'it has run',
    );
  }
}

function text({ name, lines }: Tape) {
  return {
    name,
    lines: {
      // eslint-disable-next-line typescript/require-await
      async *[Symbol.asyncIterator]() {
        yield* lines;
      },
    },
  };
}

/** n1 runs the group, its power goes, n2 takes it over. */
function takeover(): Tape {
  const tapes = new Tapes();
  const world = new World({
    config: simConfig({
      nodes: ['n1', 'n2'],
      witness: 'w1',
      groups: [{ id: 'db', nodes: ['n1', 'n2'] }],
    }),
    seed: 1,
    loss: 0,
    delayMs: { min: 0.2, max: 0.4 },
    drift: 0,
    newCore: tapes.newCore,
  });
  for (const id of world.members()) world.powerOn(id);
  world.advance(30_000);
  world.powerOff('n1' as never);
  world.advance(5000);
  return tapes.of('n2');
}

const tape = takeover();

test.each([9])('every core of the life of seed %i decides as it did', async (seed) => {
  const tapes = new Tapes();
  live(planLife(seed), 0, tapes.newCore);
  expect(tapes.all.length).toBeGreaterThan(1);
  for (const each of tapes.all) {
    const { config } = JSON.parse(must(each.lines[0], 'a head')) as NodeCoreOptions;
    const group = must(config.groups[0], 'a life has a group').id;
    const again = await replay(text(each), group, 'last');
    expect(again.differences, each.name).toEqual([]);
    expect(again.notRun).toBeUndefined();
    expect(again.stepsRun).toBeGreaterThan(0);
  }
});

describe('a takeover', () => {
  test('is told step by step, from the silence to the service', async () => {
    const { differences, event, steps, effectsCompared } = await replay(text(tape), DB, 'last');
    expect(differences).toEqual([]);
    expect(effectsCompared).toBeGreaterThan(20);
    expect(event).toMatchObject({ kind: 'voters-changed' });
    const told = steps.flatMap((step) => step.told).join('\n');
    const decided = steps.flatMap((step) => step.decided).join('\n');
    expect(told).toContain('n1 is lost: silent on');
    expect(told).toContain('w1 has accepted ballot');
    expect(decided).toContain('mirror data: seal the copy for epoch 1');
    expect(decided).toContain('asks to accept ballot');
    expect(decided).toContain('claims the lease of epoch 2');
    expect(decided).toContain('start program');
    expect(steps.map(({ phase }) => phase).filter((phase) => phase !== undefined)).toEqual([
      'sealing',
      'claiming',
      'owning',
    ]);
    // The start of the cluster, half a minute before, is another story.
    expect(steps[0]?.beforeMs).toBeLessThan(3000);
  });

  test('is found by the number of its event, in whichever recording it is', async () => {
    const all = await replay(text(tape), DB, 'last');
    const id = must(all.event, 'there is one').id;
    const younger: Tape = { name: 'younger', lines: [headWith({ eventsBefore: id })] };
    const { replay: found } = await replayOneOf([text(younger), text(tape)], DB, id);
    expect(found.event).toEqual(all.event);
    const { replay: last } = await replayOneOf([text(younger), text(tape)], DB, 'last');
    expect(last.event).toEqual(all.event);
    const empty: Tape = { name: 'empty', lines: [] };
    expect((await replayOneOf([text(empty), text(tape)], DB, 'last')).replay.event).toEqual(
      all.event,
    );
    await expect(replayOneOf([text(tape)], DB, 9999)).rejects.toThrow('no recording has it');
  });
});

describe('what is not as it was', () => {
  test('another decision is named with its step', async () => {
    const at = tape.lines.findIndex((line) => line.includes('"type":"seal"'));
    const changed = tape.lines.with(
      at,
      must(tape.lines[at], 'it seals').replace('"seal","epoch":1', '"seal","epoch":7'),
    );
    const { differences } = await replay(text({ name: 'x', lines: changed }), DB, 'last');
    expect(differences).toHaveLength(1);
    expect(differences[0]?.recorded.join('')).toContain('"epoch":7');
    expect(differences[0]?.decidedNow.join('')).toContain('"epoch":1');
  });

  test('an input that is missing leads to differences', async () => {
    const at = tape.lines.findIndex((line) => line.includes('"type":"accepted"'));
    const lines = tape.lines.toSpliced(at, 1);
    const { differences } = await replay(text({ name: 'x', lines }), DB, 'last');
    expect(differences.length).toBeGreaterThan(0);
  });

  test('a damaged line ends it there, with a word', async () => {
    const at = tape.lines.length - 20;
    const lines = tape.lines.with(at, '{"told":{"ty');
    const { notRun, stepsRun } = await replay(text({ name: 'x', lines }), DB, 'last');
    expect(notRun).toContain(`line ${at + 1} of the recording is damaged`);
    expect(stepsRun).toBeGreaterThan(10);
  });

  test('without its beginning the recorded steps are shown, and nothing is run', async () => {
    const lines = [must(tape.lines[0], 'a head'), ...tape.lines.slice(50)];
    const again = await replay(text({ name: 'x', lines }), DB, 'last');
    expect(again.notRun).toContain('the beginning of this recording was dropped');
    expect(again.stepsRun).toBe(0);
    expect(again.steps.flatMap(({ decided }) => decided).join()).toContain('seal the copy');
  });

  test.each([
    [headWith({ version: 99 }), 'it has version 99, this release knows up to 1'],
    ['{', 'JSON'],
    ['{"version":1}', 'something is missing'],
  ])('a file that is no recording of this release is refused: %#', async (head, message) => {
    const lines = [head, ...tape.lines.slice(1)];
    await expect(replay(text({ name: 'x', lines }), DB, 'last')).rejects.toThrow(message);
  });

  test('a group that the recording does not have is refused', async () => {
    await expect(replay(text(tape), 'shop' as GroupId, 'last')).rejects.toThrow('no group "shop"');
  });
});

function headWith(over: object): string {
  return JSON.stringify({ ...(JSON.parse(must(tape.lines[0], 'a head')) as object), ...over });
}
