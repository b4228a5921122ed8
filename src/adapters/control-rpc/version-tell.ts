/**
 * The first thing that both ends of a connection between controls tell: the versions that they
 * speak. It is a notice (`tell`), which a release without it passes over, so that its silence means
 * the first version. An end that finds none in common says so and closes, before anything is asked.
 */
import type { NodeId } from '../../protocol/ids.ts';
import {
  CLUSTER_PROTOCOL,
  type VersionRange,
  commonVersion,
  noCommonVersion,
  readRange,
  toldRange,
} from '../../protocol/versions.ts';
import { encodeFrame, FrameError, type Frame } from './frames.ts';

const METHOD = 'versions';

/** What to send first; undefined while there is nothing to tell. */
export function versionTell(speaks: VersionRange = CLUSTER_PROTOCOL): Buffer | undefined {
  const params = toldRange(speaks);
  return params === undefined ? undefined : encodeFrame({ type: 'tell', method: METHOD, params });
}

export function isVersionTell(frame: Frame): boolean {
  return frame.type === 'tell' && frame.method === METHOD;
}

/** Why the end that told this cannot be spoken with; undefined when it can. */
export function versionTrouble(
  frame: Frame,
  { me, peer }: { readonly me: NodeId; readonly peer: NodeId },
): { readonly why: string; readonly next: string } | undefined {
  const speaks = frame.type === 'tell' ? readRange(frame.params) : undefined;
  if (speaks === undefined) throw new FrameError('a range of versions that is none');
  if (commonVersion(CLUSTER_PROTOCOL, speaks) !== undefined) return undefined;
  return noCommonVersion({ name: me, speaks: CLUSTER_PROTOCOL }, { name: peer, speaks });
}
