/**
 * Whether clients can reach this node, judged by the heartbeats on the links that a group's addresses
 * need: a switch port may be dead although the interface has its carrier.
 *
 *     nobody is heard there, two or more members share the link,
 *       and each of them that is heard elsewhere hears somebody there     it is this node's end
 *     nobody is heard there otherwise                                     unclear: who is cut off?
 *
 * With one other member on the link nobody can tell whose end is dead; nothing is moved then.
 */
import { type Instant, NEVER, plus } from '../../base/time.ts';
import type { GroupConfig } from '../../protocol/config.ts';
import type { PeerReport } from '../../protocol/heart-ipc.ts';
import type { LinkId } from '../../protocol/ids.ts';
import { addressLinks } from './candidacy.ts';

/** A link that comes and goes moves nothing. Reports come once a second. */
export const DEAD_LINK_MS = 3000;

export interface LinkTrouble {
  readonly link: LinkId;
  /** It is this node that is cut off there; otherwise nobody knows. */
  readonly own: boolean;
}

/** The link on which this node hears nobody, if one of those that the group's addresses need is so. */
export function linkTrouble(
  group: GroupConfig,
  peers: ReadonlyMap<unknown, PeerReport>,
): LinkTrouble | undefined {
  for (const link of addressLinks(group)) {
    const sharing = [...peers.values()].filter((peer) => stateOn(peer, link) !== undefined);
    if (sharing.length === 0 || sharing.some((peer) => stateOn(peer, link) !== 'lost')) continue;
    const heard = sharing.filter(({ state }) => state === 'up');
    // They are gone, or all links are: that is no matter of this one.
    if (heard.length === 0) continue;
    const othersHear = heard.every(({ hearsOn }) => hearsOn.includes(link));
    return { link, own: sharing.length > 1 && othersHear };
  }
  return undefined;
}

function stateOn(peer: PeerReport, link: LinkId): PeerReport['state'] | undefined {
  return peer.links.find((report) => report.link === link)?.state;
}

/** Remembers since when the trouble lasts. */
export class ServiceNetwork {
  #trouble: LinkTrouble | undefined;
  #since: Instant = NEVER;

  /** The trouble, once it has lasted. */
  review(trouble: LinkTrouble | undefined, now: Instant): LinkTrouble | undefined {
    const same = trouble?.link === this.#trouble?.link && trouble?.own === this.#trouble?.own;
    if (!same || trouble === undefined) this.#since = trouble === undefined ? NEVER : now;
    this.#trouble = trouble;
    return now >= plus(this.#since, DEAD_LINK_MS) ? trouble : undefined;
  }
}
