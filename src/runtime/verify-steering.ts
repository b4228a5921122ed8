/** `tako mirror verify`: the copies of a group's mirrors are compared with what its owner has. */
import { ERROR_CODES, type ErrorCode } from '../base/error-codes.ts';
import { TakoError } from '../base/tako-error.ts';
import type { MirrorControl } from '../ports/mirror-control.ts';
import type { GroupConfig } from '../protocol/config.ts';
import { type MirrorId, type NodeId, mirrorId } from '../protocol/ids.ts';

export interface VerifyParts {
  readonly me: NodeId;
  readonly mirrors: ReadonlyMap<MirrorId, MirrorControl>;
}

/** Begins on this node, which owns the group; resolves when it has. */
export async function verifyHere(
  { me, mirrors }: VerifyParts,
  group: GroupConfig,
  bytesPerSecond: number,
): Promise<string> {
  const begun: string[] = [];
  for (const { agent, id } of group.resources) {
    const mirror = agent === 'mirror' ? mirrors.get(mirrorId(group.id, id)) : undefined;
    if (mirror === undefined) continue;
    const answer = await mirror.command({ type: 'verify', bytesPerSecond });
    if (!answer.ok) throw refused(answer.code, `"${id}": ${answer.message}`);
    const running = answer.status.peers.filter(({ verify }) => verify?.state === 'running');
    begun.push(`"${id}" on ${running.map(({ node }) => node).join(', ')}`);
  }
  if (begun.length === 0) throw refused('bad-request', `Group "${group.id}" has no mirror`);
  const look = `see "tako group show ${group.id}"; an event tells the end`;
  return `comparing the copies of ${begun.join(' and of ')} with that of ${me}; ${look}`;
}

function refused(code: string, message: string): TakoError {
  const known = Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : 'busy';
  return new TakoError(known, message);
}
