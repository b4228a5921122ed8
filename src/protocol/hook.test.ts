import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  HOOK_POINTS,
  type HookCall,
  WAIT_MS_MAX,
  answerOfProgram,
  answerOfServer,
  answersAt,
  hookEnvironment,
} from './hook.ts';
import type { Epoch, GroupId, NodeId, ResourceId } from './ids.ts';

function call(over: Partial<HookCall> = {}): HookCall {
  const event = over.event ?? 'before-start';
  return {
    event,
    group: 'db' as GroupId,
    node: 'n1' as NodeId,
    epoch: 4 as Epoch,
    cause: 'failover',
    from: 'n2' as NodeId,
    to: 'n1' as NodeId,
    reason: 'n2 is lost',
    answers: answersAt(event, true),
    timeoutMs: 2000,
    ...over,
  };
}

const FAILURE = call({ event: 'on-failure', resource: 'app' as ResourceId });

describe('a program answers', () => {
  test.each([
    [0, '', 'go'],
    [0, 'looked at the licence\n', 'go'],
    [10, '', 'veto'],
    [0, '{"answer":"veto","reason":"no licence"}', 'veto'],
    [10, '{"reason":"no licence"}\n', 'veto'],
    [10, '{"answer":"veto"}', 'veto'],
  ])('before a start: exit code %i and %j is %s', (code, output, word) => {
    expect(answerOfProgram(call(), code, output).word).toBe(word);
  });

  test.each([
    [1, '', 'it ended with exit code 1'],
    [127, 'sh: not found', 'it ended with exit code 127'],
    [0, '{"answer":"perhaps"}', 'its answer is none of: go, veto, stay, failover, repaired, wait'],
    [0, '{"answer":', 'its answer is no JSON'],
    [0, '{"reason":7}', 'its "reason" is no text'],
    [10, '{"answer":"go"}', 'exit code 10 says veto, its text says go'],
    [13, '', 'it answered "repaired", which before-start does not heed (go, veto)'],
  ])('nothing usable with exit code %i and %j', (code, output, reason) => {
    expect(answerOfProgram(call(), code, output)).toMatchObject({ word: 'none', reason });
  });

  test.each([
    [11, 'stay'],
    [12, 'failover'],
    [13, 'repaired'],
    [14, 'wait'],
  ])('on a failure: exit code %i is %s', (code, word) => {
    expect(answerOfProgram(FAILURE, code, '').word).toBe(word);
  });

  test('how long to wait, within bounds', () => {
    const ms = (text: string): number => answerOfProgram(FAILURE, 14, text).waitMs;
    expect(ms('')).toBe(5000);
    expect(ms('{"waitMs":300}')).toBe(300);
    expect(ms('{"waitMs":9e9}')).toBe(WAIT_MS_MAX);
    expect(answerOfProgram(FAILURE, 14, '{"waitMs":-1}').word).toBe('none');
    expect(answerOfProgram(FAILURE, 14, '{"waitMs":"soon"}').word).toBe('none');
  });

  test('a veto where none is allowed is no answer', () => {
    expect(answerOfProgram(call({ answers: ['go'] }), 10, '').word).toBe('none');
  });

  test('the last line with a brace counts, and what it wrote is kept, shortened', () => {
    const output = `{"answer":"go"}\nmore\n{"answer":"veto","reason":"late\\u0007news"}\nbye\n`;
    const answer = answerOfProgram(call(), 0, output);
    expect([answer.word, answer.reason]).toEqual(['veto', 'late news']);
    expect(answerOfProgram(call(), 0, 'x'.repeat(5000)).output).toHaveLength(1003);
  });
});

describe('a web server answers', () => {
  test.each([
    [200, '{"answer":"veto"}', 'veto'],
    [200, '{}', 'go'],
    [204, '', 'go'],
    [302, '', 'none'],
    [500, '{"answer":"go"}', 'none'],
    [200, '<html>', 'none'],
    [200, '[]', 'none'],
    [200, 'null', 'none'],
  ])('%i with %j is %s', (status, body, word) => {
    expect(answerOfServer(call(), status, body).word).toBe(word);
  });
});

test('whatever it says, it is an answer that is heeded, or none', () => {
  const points = fc.constantFrom(...HOOK_POINTS);
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .record(
        {
          answer: fc.oneof(fc.string(), fc.constantFrom('go', 'veto', 'wait', 'repaired')),
          reason: fc.oneof(fc.string(), fc.integer()),
          waitMs: fc.oneof(fc.double(), fc.string()),
        },
        { requiredKeys: [] },
      )
      .map((value) => JSON.stringify(value)),
  );
  fc.assert(
    fc.property(
      points,
      fc.boolean(),
      fc.integer({ min: 0, max: 255 }),
      text,
      (event, veto, n, s) => {
        const asked = call({ event, answers: answersAt(event, veto) });
        for (const answer of [answerOfProgram(asked, n, s), answerOfServer(asked, n * 2, s)]) {
          const { word, waitMs, reason, output } = answer;
          expect(word === 'none' || asked.answers.includes(word)).toBe(true);
          expect(waitMs).toBeGreaterThanOrEqual(0);
          expect(waitMs).toBeLessThanOrEqual(WAIT_MS_MAX);
          expect(reason.length).toBeLessThan(400);
          expect(output.length).toBeLessThan(1100);
        }
      },
    ),
    { numRuns: 500, seed: 3 },
  );
});

test('a program is told everything, on one line each', () => {
  const environment = hookEnvironment({ ...FAILURE, reason: 'two\nlines', from: undefined });
  expect(environment).toEqual({
    TAKO_EVENT: 'on-failure',
    TAKO_GROUP: 'db',
    TAKO_NODE: 'n1',
    TAKO_EPOCH: '4',
    TAKO_CAUSE: 'failover',
    TAKO_FROM: '',
    TAKO_TO: 'n1',
    TAKO_REASON: 'two lines',
    TAKO_RESOURCE: 'app',
    TAKO_ANSWERS: 'go wait stay failover repaired',
    TAKO_TIMEOUT_MS: '2000',
  });
});
