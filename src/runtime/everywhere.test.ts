/** Groups that run everywhere, as people see and steer them. */
import { beforeEach, describe, expect, test } from 'vitest';
import { TakoError } from '../base/tako-error.ts';
import { instant } from '../base/time.ts';
import type { EverywhereCore } from '../core/node/everywhere.ts';
import type { OperatorRequest } from '../core/node/node-io.ts';
import type { GroupStatus, InstanceStatus } from '../protocol/api.ts';
import type { GroupConfig } from '../protocol/config.ts';
import type { GroupId, NodeId } from '../protocol/ids.ts';
import { type EverywhereParts, setEverywhere, startOn, stopOn } from './everywhere-steering.ts';
import { everywhereFindings, everywhereStatus, instanceKey } from './everywhere-view.ts';
import type { StatusSources } from './status-view.ts';

const [N1, N2, N3] = ['n1', 'n2', 'n3'] as [NodeId, NodeId, NodeId];
const WEB = 'web' as GroupId;
const web = { id: WEB, nodes: [N1, N2, N3], resources: [] } as unknown as GroupConfig;

type State = InstanceStatus['state'];

interface Given {
  /** Of n1, which answers, n2 and n3; undefined: that node has not told. */
  readonly states: readonly [State, State | undefined, State | undefined];
  readonly want?: 'online' | 'offline';
  readonly banned?: readonly NodeId[];
  readonly heard?: boolean;
}

function statusOf({ states, want = 'online', banned, heard = false }: Given): GroupStatus {
  const record = { epoch: 1, want, voters: [], banned };
  const engine = { view: () => [] };
  const core = { record, engine, state: states[0], reason: `r1` } as unknown as EverywhereCore;
  const others = [N2, N3].flatMap((node, at) => {
    const state = states[at + 1];
    if (state === undefined) return [];
    const told: InstanceStatus = { node, state, reason: `r${at + 2}`, resources: [] };
    return [[instanceKey(WEB, node), told] as const];
  });
  const peers = [N2, N3].map((node) => ({ node, state: heard ? 'up' : 'lost' }));
  const sources = {
    ...{ me: N1, now: instant(0), peers, onlineSince: new Map() },
    instances: new Map(others),
  };
  return everywhereStatus(sources as unknown as StatusSources, web, core);
}

describe('the status', () => {
  test.each<[string, Given, State, string]>([
    ['all run', { states: ['online', 'online', 'online'] }, 'online', 'runs on n1, n2, n3'],
    [
      'one failed',
      { states: ['online', 'failed', 'online'] },
      'failed',
      'runs on n1, n3; not on n2 (failed): r2',
    ],
    [
      'one starts',
      { states: ['online', 'starting', 'online'] },
      'starting',
      'runs on n1, n3; not on n2 (starting): r2',
    ],
    [
      'one does not answer: it may well run',
      { states: ['online', 'online', undefined] },
      'online',
      'runs on n1, n2; not on n3 (unknown): n3 does not answer; what runs there goes on by itself',
    ],
    [
      'one has not told yet',
      { states: ['online', 'online', undefined], heard: true },
      'online',
      'runs on n1, n2; not on n3 (unknown): n3 has not told yet; what runs there goes on by itself',
    ],
    [
      'one is banned',
      { states: ['online', 'stopped', 'online'], banned: [N2] },
      'online',
      'runs on n1, n3; not on n2 (stopped): r2',
    ],
    [
      'all are banned',
      { states: ['stopped', 'stopped', 'stopped'], banned: [N1, N2, N3] },
      'stopped',
      'runs on no node; not on n1 (stopped): r1; not on n2 (stopped): r2; not on n3 (stopped): r3',
    ],
    [
      'stopped',
      { states: ['stopped', 'stopped', undefined], want: 'offline' },
      'stopped',
      'an administrator stopped it',
    ],
    [
      'stopping',
      { states: ['stopped', 'stopping', 'stopped'], want: 'offline' },
      'stopping',
      'an administrator stopped it',
    ],
  ])('%s', (_, given, state, reason) => {
    const status = statusOf(given);
    expect(status).toMatchObject({ type: 'everywhere', owner: undefined, state, reason });
    expect(status.instances).toHaveLength(3);
  });

  test.each<[Given, readonly string[], readonly string[]]>([
    [{ states: ['online', 'failed', 'online'] }, [], ['group "web" is failed on n2']],
    [{ states: ['failed', 'failed', undefined] }, ['group "web" runs on no node'], []],
    [{ states: ['online', 'stopped', 'online'], banned: [N2] }, [], []],
    [{ states: ['stopped', 'stopped', 'stopped'], want: 'offline' }, [], []],
    [{ states: ['online', 'online', undefined] }, [], []],
  ])('%j: what a person should know', (given, errors, warnings) => {
    expect(everywhereFindings(statusOf(given))).toEqual({ errors, warnings });
  });
});

describe('steering', () => {
  let asked: string[];
  let answers: Record<string, Error>;
  let states: [State, State, State];
  let want: 'online' | 'offline';

  beforeEach(() => {
    [asked, answers, states, want] = [[], {}, ['online', 'online', 'online'], 'online'];
  });

  function parts(connected: readonly NodeId[] = [N2, N3], me = N1): EverywhereParts {
    const at = async (node: NodeId, _: unknown, request: OperatorRequest): Promise<string> => {
      const bar = request.type === 'bar' ? ` ${request.kind} ${request.node} ${request.on}` : '';
      asked.push(`${node} ${request.type}${bar}`);
      const error = answers[node];
      if (error !== undefined) throw error;
      return `${node} ${request.type} done`;
    };
    let now = 0;
    return {
      ...{ me, at, reach: async (node) => node === me || connected.includes(node) },
      clock: { now: () => instant(now), wallTime: () => '' },
      timer: {
        after: (ms, run) => {
          now += ms;
          queueMicrotask(run);
          return () => undefined;
        },
      },
      status: () => statusOf({ states, want }),
    };
  }

  test('all nodes that answer are asked, this one first, and the others are named', async () => {
    expect(await setEverywhere(parts([N3]), web, 'stop')).toBe(
      'n1 stop done; n3 stop done; n2 does not answer: it stops it when it is back',
    );
    expect(asked).toEqual(['n1 stop', 'n3 stop']);
  });

  test('a node that never runs it asks those that do', async () => {
    const text = await setEverywhere(parts([N1, N2, N3], 'n9' as NodeId), web, 'start');
    expect(text).toBe('n1 start done; n2 start done; n3 start done');
  });

  test('one that fails does not keep the others from being told', async () => {
    answers = { n1: new TakoError('agent-failed', 'it died') };
    await expect(setEverywhere(parts(), web, 'start')).rejects.toMatchObject({
      code: 'agent-failed',
      message: 'it died; n2 start done; n3 start done',
    });
  });

  test('without a majority nobody else is asked', async () => {
    answers = { n1: new TakoError('no-quorum', 'too few') };
    await expect(setEverywhere(parts(), web, 'stop')).rejects.toMatchObject({ code: 'no-quorum' });
    expect(asked).toEqual(['n1 stop']);
  });

  test('one instance is stopped by a ban, and waited for', async () => {
    const given = parts();
    states = ['online', 'stopping', 'online'];
    const { timer } = given;
    const after: typeof timer.after = (ms, run) => {
      states = ['online', 'stopped', 'online'];
      return timer.after(ms, run);
    };
    expect(await stopOn({ ...given, timer: { after } }, web, N2)).toBe(
      '"web" is stopped on n2, until it is started there',
    );
    expect(asked).toEqual(['n1 bar ban n2 true']);
  });

  test('one that does not stop is told, and so is one that does not answer', async () => {
    states = ['online', 'stopping', 'online'];
    await expect(stopOn(parts(), web, N2)).rejects.toMatchObject({
      code: 'timed-out',
      message: '"web" is banned from n2, but is stopping there: r2',
    });
    expect(await stopOn(parts([N3]), web, N2)).toContain('goes on until it is back');
    await expect(stopOn(parts(), web, 'n9' as NodeId)).rejects.toMatchObject({
      code: 'no-such-node',
    });
  });

  test('one instance is started where it may run, unless all are stopped', async () => {
    expect(await startOn(parts(), web, N2)).toBe('n2 start done');
    expect(asked).toEqual(['n1 bar ban n2 false', 'n2 start']);
    expect(await startOn(parts([N3]), web, N2)).toContain('starts it when it is back');
    want = 'offline';
    expect(await startOn(parts(), web, N2)).toContain('"tako group start web" starts it');
  });
});
