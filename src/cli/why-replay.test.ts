/** `tako why --replay`, over what a simulated node has recorded. */
import { expect, test } from 'vitest';
import { must } from '../base/assert.ts';
import type { Instant } from '../base/time.ts';
import type { RecordingText } from '../ports/recording.ts';
import type { NodeId } from '../protocol/ids.ts';
import { RecordedCore } from '../runtime/recorded-core.ts';
import { RecordingEncoder, encodeHead } from '../runtime/recording.ts';
import { simConfig } from '../sim/sim-config.ts';
import { World } from '../sim/world.ts';
import { createRealWorld } from './real-world.ts';
import { runCli } from './run-cli.ts';

const TIME = '2026-11-22T16:07:00.000Z';

/** What n1 records when the only group of the cluster is stopped. */
function record(): string[] {
  const lines: string[] = [];
  const world = new World({
    config: simConfig({
      nodes: ['n1', 'n2'],
      witness: 'w1',
      groups: [{ id: 'db', nodes: ['n1'] }],
    }),
    seed: 1,
    loss: 0,
    delayMs: { min: 0.2, max: 0.4 },
    drift: 0,
    newCore: (made) => {
      const keep = (line: string): void => void (made.me === 'n1' && lines.push(line));
      keep(
        encodeHead(made, { release: '0.1.0', time: TIME, at: 1000 as Instant, eventsBefore: 40 }),
      );
      const encoder = new RecordingEncoder(keep);
      let id = 40;
      return new RecordedCore(made, {
        started: (at, did) => encoder.started(at, did),
        stepped: (told, did) => {
          encoder.stepped(told, did);
          for (const effect of did) {
            if (effect.type !== 'event') continue;
            id += 1;
            encoder.published(effect.draft, { id, time: TIME });
          }
        },
      });
    },
  });
  for (const node of world.members()) world.powerOn(node);
  world.advance(13_000);
  const group = must(world.config.groups[0], 'it has one').id;
  world.ask('n1' as NodeId, group, { type: 'stop' });
  world.advance(5000);
  return lines;
}

const tape = record();

function recording(lines: readonly string[]): RecordingText {
  return {
    name: 'a recording',
    lines: {
      // eslint-disable-next-line typescript/require-await
      async *[Symbol.asyncIterator]() {
        for (const line of lines) yield line.trimEnd();
      },
    },
  };
}

async function why(words: string, lines: readonly string[]) {
  const said = { out: '', err: '' };
  const saved: string[] = [];
  const code = await runCli(['why', 'db', ...words.split(' ')], {
    ...createRealWorld(new AbortController().signal),
    out: (text) => void (said.out += text),
    err: (text) => void (said.err += text),
    recordings: () => Promise.resolve([recording(lines)]),
    recordingFile: (file) => Promise.resolve({ ...recording(lines), name: file }),
    saveRecording: (_from, file) => Promise.resolve(void saved.push(file)),
    client: () => Promise.reject(new Error('a replay needs no running Tako')),
  });
  return { code, saved, ...said };
}

test('tells step by step what was decided, and that it is decided so again', async () => {
  const { code, out, err } = await why('--replay', tape);
  expect(err).toBe('');
  expect(code).toBe(0);
  expect(out.replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}/gu, 'TIME')).toMatchInlineSnapshot(`
    "Event 47 of n1, TIME: stopped on n1: an administrator stopped it

       -17.1 ms  told     asked: stop
                 decided  to n1: asks for a promise for ballot 5.n1
       -17.1 ms  told     n1 asks for a promise for ballot 5.n1
                 decided  stores its vote (7): epoch 1 of n1, online, in sync: data on n1
                 decided  to n1: promises ballot 5.n1: epoch 1 of n1, online, in sync: data on n1
       -16.8 ms  told     n1 promises ballot 5.n1: epoch 1 of n1, online, in sync: data on n1
                 decided  to n2: asks for a promise for ballot 5.n1
                 decided  to w1: asks for a promise for ballot 5.n1
       -15.9 ms  told     n2 promises ballot 5.n1: epoch 1 of n1, online, in sync: data on n1
                 decided  to n1: asks to accept ballot 5.n1: epoch 1 of n1, offline, in sync: data on n1
                 decided  to n2: asks to accept ballot 5.n1: epoch 1 of n1, offline, in sync: data on n1
                 decided  to w1: asks to accept ballot 5.n1: epoch 1 of n1, offline, in sync: data on n1
       -15.9 ms  told     n1 asks to accept ballot 5.n1: epoch 1 of n1, offline, in sync: data on n1
                 decided  stores its vote (8): epoch 1 of n1, offline, in sync: data on n1
                 decided  tells the heart what is voted for here
                 decided  to n1: has accepted ballot 5.n1
       -15.8 ms  told     w1 promises ballot 5.n1: epoch 1 of n1, online, in sync: data on n1
       -15.6 ms  told     n1 has accepted ballot 5.n1
       -15.0 ms  told     n2 has accepted ballot 5.n1
                 now      stopping
                 because  an administrator stopped it
                 decided  to n2: decided is epoch 1 of n1, offline, in sync: data on n1
                 decided  to w1: decided is epoch 1 of n1, offline, in sync: data on n1
                 decided  stopping on n1: an administrator stopped it
                 decided  stop address (orderly)
       -15.0 ms  told     w1 has accepted ballot 5.n1
       -10.0 ms  told     stop of address: ok
                 decided  stop program (orderly)
        -5.0 ms  told     stop of program: ok
                 decided  stop data (orderly)
        -0.0 ms  told     stop of data: ok
                 now      offline
                 decided  gives the lease up
                 decided  stopped on n1: an administrator stopped it
                 decided  answers: "db" is stopped
                 decided  to n1: asks for a promise for ballot 6.n1

    Decided once more, from TIME on, 153 steps:
    all 118 effects are those that were recorded.
    "
  `);
});

test('a difference has exit code 1 and names the release', async () => {
  const lines = tape.map((line) =>
    line.replace('an administrator stopped it', 'so').replace('0.1.0', '0.0.9'),
  );
  const { code, out } = await why('--replay', lines);
  expect(code).toBe(1);
  expect(out).toContain('It was recorded by Tako 0.0.9');
  expect(out).toContain('    recorded:    {"type":');
});

test('by number, from a file, saved to another', async () => {
  const { code, out, saved } = await why('--from x.gz --replay 45 --save y.gz', tape);
  expect(code).toBe(0);
  expect(out).toMatch(/^Event 45 of n1, /u);
  expect(out).toContain('Saved to y.gz\n');
  expect(saved).toEqual(['y.gz']);
});

test.each([
  ['--replay first', '"first" is no number of an event'],
  ['--replay 7', 'no recording has it'],
  ['--save x', '--save stands with --replay'],
])('%s is refused', async (words, message) => {
  const { code, err } = await why(words, tape);
  expect(code).toBe(2);
  expect(err).toContain(message);
});
