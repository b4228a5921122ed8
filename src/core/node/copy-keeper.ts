/**
 * Which copies the owner of a group should vote out or in, from what its mirrors and the heart say.
 *
 * A copy is voted out when it failed, when it is silent and the heart has not heard its node for
 * `secondaryLostMs`, or when it is silent for `STALL_MS` although its node is there: acknowledged
 * writes wait for it all the while, so patience is paid for by every client. It is voted in when
 * it has caught up.
 */
import { type Instant, NEVER, earliest, plus } from '../../base/time.ts';
import type { NodeId, ResourceId } from '../../protocol/ids.ts';
import type { MirrorNews } from './node-io.ts';

/** Silence of a copy whose node is up: a stuck disk, a stopped process. */
const STALL_MS = 2000;
/** Pause between two votes about the same copy, when the first found no majority. */
const RETRY_MS = 200;

export interface CopyVote {
  readonly type: 'expel' | 'admit';
  readonly mirror: ResourceId;
  readonly peer: NodeId;
  readonly reason: string;
}

interface Copy {
  readonly mirror: ResourceId;
  readonly peer: NodeId;
  state: 'answers' | 'silent' | 'failed';
  /** It has what it lacked, and is not voted in yet. */
  caughtUp: boolean;
  since: Instant;
  reason: string;
  /** Not before this instant may another vote about it start. */
  voteAt: Instant;
}

export interface PeerLiveness {
  /** Time since the heart last heard the node on any link; infinite when never. */
  silentMs(peer: NodeId, now: Instant): number;
  /** A copy that counts as in sync must be able to take over. */
  mayAdmit(peer: NodeId): boolean;
}

export class CopyKeeper {
  readonly #copies = new Map<string, Copy>();
  readonly #admitting = new Map<ResourceId, Set<NodeId>>();
  /** Per copy, the vote that was given last. */
  readonly #proposed = new Map<string, CopyVote['type']>();
  readonly #secondaryLostMs: number;
  /** Until then silence says nothing: this node heard nobody, and what was sent is on its way. */
  #deafUntil = 0 as Instant;

  constructor(secondaryLostMs: number) {
    this.#secondaryLostMs = secondaryLostMs;
  }

  /** Forgets everything: another period of ownership begins. */
  reset(): void {
    this.#copies.clear();
    this.#admitting.clear();
    this.#proposed.clear();
  }

  /** This node is heard again and hears again; others are given `ms` to be heard, too. */
  hearsAgain(ms: number, now: Instant): void {
    this.#deafUntil = plus(now, ms);
  }

  news(mirror: ResourceId, news: MirrorNews, now: Instant): void {
    if (news.type === 'failed' || news.type === 'bypassed') return;
    const copy = this.#copy(mirror, news.peer, now);
    switch (news.type) {
      case 'peerSilent':
        copy.state = 'silent';
        copy.since = plus(now, -news.silentMs);
        copy.reason = news.reason;
        break;
      case 'peerFailed':
        copy.state = 'failed';
        copy.caughtUp = false;
        copy.reason = news.reason;
        break;
      case 'peerCaughtUp':
        copy.state = 'answers';
        copy.caughtUp = true;
        break;
      case 'peerAnswers':
        copy.state = 'answers';
        break;
    }
    copy.voteAt = now;
  }

  /**
   * A vote on a copy was chosen: nothing more to do about it until there is news. What was proposed
   * or told since that vote was proposed is still to be followed: votes wait in a queue.
   */
  settled({ type, mirror, peer }: Omit<CopyVote, 'reason'>): void {
    const name = key(mirror, peer);
    if (this.#proposed.get(name) !== type) return;
    this.#admitting.get(mirror)?.delete(peer);
    const copy = this.#copies.get(name);
    if (type === 'admit' && copy !== undefined && copy.state !== 'answers') copy.caughtUp = false;
    else this.#copies.delete(name);
  }

  /** The mirror waits for it no longer: only its next word brings it in. */
  expelled(mirror: ResourceId, peer: NodeId): void {
    this.#copies.delete(key(mirror, peer));
    this.#proposed.delete(key(mirror, peer));
    this.#admitting.get(mirror)?.delete(peer);
  }

  /**
   * The mirror has stopped: whom it waited for it said of a service that is over. Those whose admission
   * was proposed it will wait for again from its first write on, and then says nothing of them.
   */
  stopped(mirror: ResourceId): void {
    const proposed = this.admitting(mirror);
    for (const copy of this.#copies.values()) {
      if (copy.mirror === mirror && !proposed.includes(copy.peer)) copy.caughtUp = false;
    }
  }

  /** The mirror said that it waits for it, and no vote has brought it in. */
  hasCaughtUp(mirror: ResourceId, peer: NodeId): boolean {
    return this.#copies.get(key(mirror, peer))?.caughtUp === true;
  }

  /** Copies whose admission was proposed and may yet turn out to be chosen. */
  admitting(mirror: ResourceId): readonly NodeId[] {
    return [...(this.#admitting.get(mirror) ?? [])];
  }

  /** The votes that are due; each is given once per `RETRY_MS` until it is settled. */
  due(liveness: PeerLiveness, now: Instant): readonly CopyVote[] {
    const votes: CopyVote[] = [];
    for (const copy of this.#copies.values()) {
      if (now < copy.voteAt) continue;
      const vote = this.#judge(copy, liveness, now);
      if (vote === undefined) continue;
      copy.voteAt = plus(now, RETRY_MS);
      votes.push(vote);
      this.#proposed.set(key(copy.mirror, copy.peer), vote.type);
      if (vote.type === 'admit') this.#noteAdmission(vote);
    }
    return votes;
  }

  #noteAdmission({ mirror, peer }: CopyVote): void {
    const peers = this.#admitting.get(mirror) ?? new Set();
    this.#admitting.set(mirror, peers.add(peer));
  }

  nextWakeAt(now: Instant): Instant {
    const pending = [...this.#copies.values()].filter(
      (copy) => copy.state !== 'answers' || copy.caughtUp,
    );
    return earliest(pending.map((copy) => (copy.voteAt > now ? copy.voteAt : plus(now, 20))));
  }

  #judge(copy: Copy, liveness: PeerLiveness, now: Instant): CopyVote | undefined {
    const { mirror, peer } = copy;
    if (copy.state === 'failed') return { type: 'expel', mirror, peer, reason: copy.reason };
    if (copy.state === 'answers' && copy.caughtUp) {
      if (!liveness.mayAdmit(peer)) return undefined;
      return { type: 'admit', mirror, peer, reason: 'it has caught up' };
    }
    if (copy.state !== 'silent' || now < this.#deafUntil) return undefined;
    const heartMs = liveness.silentMs(peer, now);
    if (heartMs >= this.#secondaryLostMs) {
      const heard = Number.isFinite(heartMs) ? `for ${(heartMs / 1000).toFixed(1)} s` : 'ever';
      return { type: 'expel', mirror, peer, reason: `${peer} was not heard ${heard}` };
    }
    const stalledMs = now - copy.since;
    if (stalledMs < STALL_MS) return undefined;
    const reason = `its copy did not answer for ${(stalledMs / 1000).toFixed(1)} s: ${copy.reason}`;
    return { type: 'expel', mirror, peer, reason };
  }

  #copy(mirror: ResourceId, peer: NodeId, now: Instant): Copy {
    const known = this.#copies.get(key(mirror, peer));
    if (known !== undefined) return known;
    const copy: Copy = {
      mirror,
      peer,
      state: 'answers',
      caughtUp: false,
      since: now,
      reason: '',
      voteAt: NEVER,
    };
    this.#copies.set(key(mirror, peer), copy);
    return copy;
  }
}

function key(mirror: ResourceId, peer: NodeId): string {
  return `${mirror}\u0000${peer}`;
}
