/** Whose end of a link is dead, by what is heard there and elsewhere. */
import { expect, test } from 'vitest';
import { instant } from '../../base/time.ts';
import type { GroupConfig } from '../../protocol/config.ts';
import type { PeerReport, PeerState } from '../../protocol/heart-ipc.ts';
import type { LinkId } from '../../protocol/ids.ts';
import { DEAD_LINK_MS, linkTrouble, ServiceNetwork } from './service-network.ts';

const LAN = 'lan' as LinkId;
const GROUP = { resources: [{ agent: 'virtual-ip', link: LAN }] } as unknown as GroupConfig;

/** A peer by its state, its state on the LAN (undefined: it has no part in it), whom it hears. */
type Peer = readonly [state: PeerState, lan: PeerState | undefined, hearsOn: readonly string[]];

function trouble(...peers: readonly Peer[]): ReturnType<typeof linkTrouble> {
  const reports = peers.map(([state, lan, hearsOn], at) => {
    const links = lan === undefined ? [] : [{ link: LAN, state: lan }];
    return [`n${at}`, { state, hearsOn, links } as unknown as PeerReport] as const;
  });
  return linkTrouble(GROUP, new Map(reports));
}

const OWN = { link: LAN, own: true };
const UNCLEAR = { link: LAN, own: false };

test.each<[string, readonly Peer[], ReturnType<typeof linkTrouble>]>([
  ['all well', [['up', 'up', ['lan']]], undefined],
  [
    'one of them is silent there',
    [
      ['up', 'lost', ['lan']],
      ['up', 'up', []],
    ],
    undefined,
  ],
  [
    'a hiccup',
    [
      ['up', 'suspect', ['lan']],
      ['up', 'lost', ['lan']],
    ],
    undefined,
  ],
  [
    'nobody there, but they hear one another',
    [
      ['up', 'lost', ['lan']],
      ['lost', 'lost', []],
    ],
    OWN,
  ],
  [
    'the switch is dead',
    [
      ['up', 'lost', ['mirror']],
      ['up', 'lost', ['mirror']],
    ],
    UNCLEAR,
  ],
  [
    'one of them is cut off, too',
    [
      ['up', 'lost', ['lan']],
      ['up', 'lost', []],
    ],
    UNCLEAR,
  ],
  [
    'nobody is heard at all',
    [
      ['lost', 'lost', ['lan']],
      ['lost', 'lost', ['lan']],
    ],
    undefined,
  ],
  ['two nodes: either of them', [['up', 'lost', []]], UNCLEAR],
  ['two nodes, and the other one hears us', [['up', 'lost', ['lan']]], UNCLEAR],
  ['nobody shares the link', [['up', undefined, ['lan']]], undefined],
])('%s', (_, peers, expected) => {
  expect(trouble(...peers)).toEqual(expected);
});

test('counts only when it has lasted', () => {
  const network = new ServiceNetwork();
  expect(network.review(OWN, instant(1000))).toBeUndefined();
  expect(network.review(undefined, instant(2000))).toBeUndefined();
  expect(network.review(OWN, instant(3000))).toBeUndefined();
  expect(network.review(UNCLEAR, instant(4000))).toBeUndefined();
  expect(network.review(OWN, instant(5000))).toBeUndefined();
  expect(network.review(OWN, instant(5000 + DEAD_LINK_MS))).toEqual(OWN);
});
