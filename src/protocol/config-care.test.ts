/** What the file says of maintenance that is forgotten, and of nodes that come and go. */
import { expect, test } from 'vitest';
import { judgeConfig } from './config-check.ts';

function judged(words: Readonly<Record<string, unknown>>) {
  return judgeConfig({
    cluster: 'c',
    'key-file': '/etc/tako/key',
    links: { lan: { kind: 'udp' } },
    nodes: { n1: { lan: '10.0.0.1' }, n2: { lan: '10.0.0.2' }, n3: { lan: '10.0.0.3' } },
    groups: {},
    ...words,
  });
}

test.each([
  [{}, 14_400_000],
  [{ 'maintenance-warning': '30m' }, 1_800_000],
  [{ 'maintenance-warning': 'never' }, undefined],
])('%j warns of a maintenance after %s ms', (words, expected) => {
  expect(judged(words).config?.maintenanceWarnMs).toBe(expected);
});

test.each([
  [{}, { returns: 3, withinMs: 600_000, forMs: 600_000 }],
  [{ quarantine: { returns: 5, for: '1h' } }, { returns: 5, withinMs: 600_000, forMs: 3_600_000 }],
  [{ quarantine: { within: '1m' } }, { returns: 3, withinMs: 60_000, forMs: 600_000 }],
  [{ quarantine: 'never' }, undefined],
])('%j puts nodes in quarantine by %j', (words, expected) => {
  expect(judged(words).config?.quarantine).toEqual(expected);
});

test.each([
  [{ 'maintenance-warning': 'soon' }],
  [{ quarantine: 'always' }],
  [{ quarantine: { returns: 0 } }],
  [{ quarantine: { returns: 51 } }],
  [{ quarantine: { within: '10ms' } }],
  [{ quarantine: { for: '25h' } }],
  [{ quarantine: { times: 3 } }],
])('%j is refused', (words) => {
  expect(judged(words).config).toBeUndefined();
});
