import { expect, test } from 'vitest';
import { simConfig } from '../sim/sim-config.ts';
import { runCli } from './run-cli.ts';
import { createRealWorld } from './real-world.ts';

const STATUS = {
  cluster: 'sim',
  node: 'n1',
  time: '2026-11-22T16:07:00.000Z',
  nodes: ['n1', 'n2', 'w1'].map((id) => ({ id, state: 'up', links: [] })),
  groups: [
    {
      id: 'db',
      state: 'online',
      owner: 'n1',
      want: 'online',
      inSync: { data: ['n1', 'n2'] },
      voters: ['n1', 'n2', 'w1'],
      resources: [],
    },
  ],
};

async function simulate(state: string, words = 'stop db then wait 1s', file = 'tako.yaml') {
  const said = { out: '', err: '' };
  const config = simConfig({
    nodes: ['n1', 'n2'],
    witness: 'w1',
    groups: [{ id: 'db', nodes: ['n1', 'n2'] }],
  });
  const more = simConfig({
    nodes: ['n1', 'n2'],
    witness: 'w1',
    groups: [
      { id: 'db', nodes: ['n1', 'n2'] },
      { id: 'web', nodes: ['n2'] },
    ],
  });
  const named = ['--config', file, '--state', 'saved.json'];
  const code = await runCli(['simulate', ...named, ...words.split(' ')], {
    ...createRealWorld(new AbortController().signal),
    out: (text) => void (said.out += text),
    err: (text) => void (said.err += text),
    readText: () => Promise.resolve(state),
    checkConfigFile: (name) =>
      Promise.resolve({ config: name === 'more.yaml' ? more : config, errors: [], warnings: [] }),
    keptConfig: () => Promise.resolve(config),
    client: () => Promise.reject(new Error('a saved state needs no running Tako')),
  });
  return { code, ...said };
}

test('tells in plain words what would happen from a saved state', async () => {
  const { code, out, err } = await simulate(JSON.stringify(STATUS));
  expect(err).toBe('');
  expect(code).toBe(0);
  expect(out).toMatchInlineSnapshot(`
    "From the state that n1 saw at 2026-11-22T16:07:00.000Z. Nothing is changed.

    If: stop db
            +2 ms  n1 db: stopping on n1: an administrator stopped it
           +17 ms  n1 db: stopped on n1: an administrator stopped it
           +17 ms  n1: "db" is stopped
      After 1000 ms:
        db is down (it was online on n1): n1: an administrator stopped it

    What this cannot know:
      How long your programs and hooks take: they start and stop at once here, and hooks agree
      How much of a copy is still to be brought up to date: a copy that is not in sync stays so
      How old counted failures are: they count as if they had happened just now
      Whether an administrator moved a group to where it is, so that failback leaves it there
    "
  `);
});

test('tells what another configuration would change', async () => {
  const { code, out, err } = await simulate(
    JSON.stringify(STATUS),
    'config more.yaml',
    'kept.json',
  );
  expect(err).toBe('');
  expect(code).toBe(0);
  expect(out).toMatchInlineSnapshot(`
    "From the state that n1 saw at 2026-11-22T16:07:00.000Z. Nothing is changed.
    Planned by the code that places groups; times are not simulated.

    If: config more.yaml
      Group web is added
      web: n2: preferred first
      After 20000 ms:
        web is online (before: nowhere) on n2
        1 group is as before

    What this cannot know:
      How long anything takes: where groups would be was planned, not simulated
      Whether programs start and stop as they should, and what hooks say: all goes well here
      Windows for failback: they count as closed
      The way there: it takes effect on each node when Tako is started anew, one after the other
      How long groups are away meanwhile: those of a node move or stop when Tako ends there
    "
  `);
});

test.each([
  ['{', 'JSON'],
  ['[]', 'it is no object'],
  [JSON.stringify({ ...STATUS, node: 1 }), '"node" is no text'],
  [JSON.stringify({ ...STATUS, nodes: [{ id: 'n1' }] }), 'an entry of "nodes" lacks something'],
  [
    JSON.stringify({ ...STATUS, groups: [{ ...STATUS.groups[0], inSync: 1 }] }),
    '"inSync" of a group is no object of lists',
  ],
  [JSON.stringify({ ...STATUS, cluster: 'other' }), 'the state is of cluster "other"'],
])('a saved state that cannot be used is refused: %#', async (state, message) => {
  const { code, err } = await simulate(state);
  expect(code).toBe(2);
  expect(err).toContain(message);
});
