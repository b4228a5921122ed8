/** How a verification ended, as an event. A copy that differs is told of as one that failed. */
import type { EventDraft } from '../../protocol/event.ts';
import type { GroupId, ResourceId } from '../../protocol/ids.ts';
import type { FromMirror } from '../../protocol/mirror-ipc.ts';

type News = Extract<FromMirror, { readonly type: 'verified' | 'verifyFailed' }>;

const MEGABYTE = 1e6;

export function verificationEvent(group: GroupId, resource: ResourceId, news: News): EventDraft {
  const copy = `the copy of "${resource}" on ${news.peer}`;
  if (news.type === 'verified') {
    const { bytes, files } = news;
    const text = `${copy} is equal: ${(bytes / MEGABYTE).toFixed(1)} MB in ${files} files compared`;
    return { level: 'info', kind: 'verified', group, resource, text };
  }
  const next = 'next: check the disk of this node, and move the group if it fails';
  const text = `${copy} could not be verified: ${news.reason}; ${next}`;
  return { level: 'error', kind: 'verify-failed', group, resource, text };
}
