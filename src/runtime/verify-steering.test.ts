import { expect, test } from 'vitest';
import type { MirrorAnswer, MirrorControl } from '../ports/mirror-control.ts';
import type { GroupConfig } from '../protocol/config.ts';
import type { MirrorId, NodeId } from '../protocol/ids.ts';
import { verifyHere } from './verify-steering.ts';

const me = 'n1' as NodeId;

function groupWith(...agents: readonly string[]): GroupConfig {
  const resources = agents.map((agent, at) => ({ agent, id: `r${at}` }));
  return { id: 'g', nodes: [me], resources } as unknown as GroupConfig;
}

/** A mirror that gives that answer to every command. */
function answering(answer: MirrorAnswer): ReadonlyMap<MirrorId, MirrorControl> {
  const mirror: Partial<MirrorControl> = { command: async () => answer };
  return new Map([['g.r0' as MirrorId, mirror as MirrorControl]]);
}

test('a group without a mirror has nothing to compare', async () => {
  const asked = verifyHere({ me, mirrors: new Map() }, groupWith('process'), 1);
  await expect(asked).rejects.toMatchObject({ code: 'bad-request' });
});

test.each([
  ['version-unsupported', 'version-unsupported'],
  ['toString', 'busy'],
])('what a mirror refuses with "%s" is told as %s', async (code, told) => {
  const mirrors = answering({ ok: false, code, message: 'it is of an old release' });
  const asked = verifyHere({ me, mirrors }, groupWith('mirror', 'process'), 1);
  await expect(asked).rejects.toMatchObject({ code: told, message: expect.stringContaining('r0') });
});
