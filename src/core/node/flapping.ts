/**
 * Quarantine: which nodes come and go too often to be given anything new, as this node has heard them
 * itself. It only ever puts candidates in another order, and keeps planned moves away; a node that is
 * the last one that can serve is never passed over. So nodes that judge differently do no harm, and
 * nothing of it is voted on or kept.
 *
 * A return is counted when a node was heard, lost and heard again. Not where this node heard nobody
 * else meanwhile (then it was itself that was away), nor while the node is in maintenance.
 *
 * Invariant: at most `RETURNS_MAX` instants are kept for a node, and only of nodes of the cluster.
 */
import { type Instant, NEVER, earliest, plus } from '../../base/time.ts';
import type { QuarantineConfig } from '../../protocol/config.ts';
import type { EventDraft } from '../../protocol/event.ts';
import type { PeerReport } from '../../protocol/heart-ipc.ts';
import type { NodeId } from '../../protocol/ids.ts';

/** More would change nothing: the configuration allows no more returns within a window. */
const RETURNS_MAX = 100;
/** What a node is told of itself lasts so long; it is told again before. */
export const TOLD_MS = 12_000;
const TELL_AGAIN_MS = 5000;

export interface FlappingOptions {
  readonly me: NodeId;
  readonly nodes: readonly NodeId[];
  readonly members: number;
  /** Undefined: no node is ever put in quarantine. */
  readonly config: QuarantineConfig | undefined;
  /** Whether somebody is at work on that node. */
  readonly excused: (node: NodeId) => boolean;
}

interface Watched {
  state: 'unheard' | 'up' | 'lost';
  /** While it was lost, somebody else was heard, or there is nobody else. */
  credible: boolean;
  returns: readonly Instant[];
  until: Instant | undefined;
}

/** A node that is in quarantine here, for people. */
export interface Quarantined {
  readonly node: NodeId;
  readonly returns: number;
  readonly until: Instant;
}

export class Flapping {
  readonly #options: FlappingOptions;
  readonly #watched = new Map<NodeId, Watched>();
  #tellAt: Instant = NEVER;
  /** Others have this node in quarantine until then. */
  #ownUntil: Instant | undefined;
  #set: ReadonlySet<NodeId> = new Set();

  constructor(options: FlappingOptions) {
    this.#options = options;
  }

  /** Nodes that come after all others; this one among them when others say so. */
  get nodes(): ReadonlySet<NodeId> {
    return this.#set;
  }

  list(): readonly Quarantined[] {
    return [...this.#watched].flatMap(([node, { returns, until }]) =>
      until === undefined ? [] : [{ node, returns: returns.length, until }],
    );
  }

  nextWakeAt(): Instant {
    const ends = [...this.#watched.values()].map(({ until }) => until ?? NEVER);
    return earliest([...ends, this.#tellAt, this.#ownUntil ?? NEVER]);
  }

  /** The heart was restarted, or is gone: what it says next is no news of anybody. */
  heartLost(): void {
    for (const watched of this.#watched.values()) watched.state = 'unheard';
  }

  peersReported(peers: readonly PeerReport[], now: Instant): readonly EventDraft[] {
    const { config, excused, members, nodes } = this.#options;
    if (config === undefined) return [];
    const told: EventDraft[] = [];
    for (const { node, state } of peers) {
      if (!nodes.includes(node)) continue;
      const watched = this.#of(node);
      if (state === 'lost' && watched.state !== 'unheard') {
        if (watched.state === 'up') watched.credible = members === 2;
        watched.state = 'lost';
        watched.credible ||= peers.some((other) => other.node !== node && other.state === 'up');
      }
      if (state !== 'up') continue;
      const returned = watched.state === 'lost' && watched.credible;
      watched.state = 'up';
      if (returned && !excused(node)) told.push(...this.#returned(node, watched, config, now));
    }
    return told;
  }

  #returned(
    node: NodeId,
    watched: Watched,
    { forMs, returns, withinMs }: QuarantineConfig,
    now: Instant,
  ): readonly EventDraft[] {
    const recent = watched.returns.filter((at) => now - at < withinMs);
    watched.returns = [...recent, now].slice(-RETURNS_MAX);
    if (watched.returns.length <= returns) return [];
    const known = watched.until !== undefined;
    watched.until = plus(now, forMs);
    this.#tellAt = now;
    this.#changed();
    if (known) return [];
    const text =
      `${node} has come back ${watched.returns.length} times within ${withinMs / 1000} s: for ` +
      `${forMs / 1000} s after its last return it gets nothing new, unless nobody else can serve; ` +
      `next: look why it comes and goes; "tako node clear ${node}" ends it`;
    return [{ level: 'warning', kind: 'quarantine', text }];
  }

  /** What ends by time alone. */
  tick(now: Instant): readonly EventDraft[] {
    const told: EventDraft[] = [];
    for (const [node, watched] of this.#watched) {
      if (watched.until === undefined || now < watched.until) continue;
      told.push(...this.#end(node, watched, 'it did not come and go any more'));
    }
    if (this.#ownUntil !== undefined && now >= this.#ownUntil) {
      this.#ownUntil = undefined;
      this.#changed();
    }
    return told;
  }

  /** An administrator says that the node is well. */
  clear(node: NodeId): readonly EventDraft[] {
    if (node === this.#options.me) this.#ownUntil = undefined;
    this.#changed();
    const watched = this.#watched.get(node);
    return watched === undefined ? [] : this.#end(node, watched, 'an administrator cleared it');
  }

  #end(node: NodeId, watched: Watched, why: string): readonly EventDraft[] {
    const was = watched.until !== undefined;
    watched.returns = [];
    watched.until = undefined;
    if (this.list().length === 0) this.#tellAt = NEVER;
    this.#changed();
    const text = `${node} is no longer in quarantine: ${why}`;
    return was ? [{ level: 'info', kind: 'quarantine-ended', text }] : [];
  }

  /** Whom to tell now that it is in quarantine here: it has forgotten how often it came and went. */
  toTell(now: Instant): readonly NodeId[] {
    if (now < this.#tellAt) return [];
    this.#tellAt = plus(now, TELL_AGAIN_MS);
    return this.list().flatMap(({ node }) => (this.#of(node).state === 'up' ? [node] : []));
  }

  /** Another node says that this one is in quarantine there. */
  toldOfMe(now: Instant): void {
    this.#ownUntil = plus(now, TOLD_MS);
    this.#changed();
  }

  #of(node: NodeId): Watched {
    const known = this.#watched.get(node);
    if (known !== undefined) return known;
    const fresh: Watched = { state: 'unheard', credible: false, returns: [], until: undefined };
    this.#watched.set(node, fresh);
    return fresh;
  }

  #changed(): void {
    const own = this.#ownUntil === undefined ? [] : [this.#options.me];
    this.#set = new Set([...this.list().map(({ node }) => node), ...own]);
  }
}
