/**
 * The fence of the other node, for all groups of this one: what they need of it, what is a sign of
 * life of the other node, and the order in which both are looked at.
 *
 * Invariant: whatever rests on the other node's being off is withdrawn before its message is answered.
 */
import { assert } from '../../base/assert.ts';
import { type Instant, NEVER, earliest, plus } from '../../base/time.ts';
import type { Config } from '../../protocol/config.ts';
import type { GroupId, NodeId } from '../../protocol/ids.ts';
import { FenceKeeper, type FenceNeed, type FenceView } from './fence-keeper.ts';
import type { GroupCore } from './group-core.ts';
import type { CoreEvent, Effect } from './node-io.ts';

export class NodeFence {
  readonly #me: NodeId;
  readonly #groups: ReadonlyMap<GroupId, GroupCore>;
  readonly #keeper: FenceKeeper;
  /** The first of the configuration goes first when nothing else decides. */
  readonly #firstByName: boolean;
  /** The heart of now has said whom it hears. */
  #reported = false;
  /** A message of the other node came: what the heart has said of it before is out of date. */
  #quietUntil = 0 as Instant;
  readonly #nodeLostMs: number;
  #reason = '';

  /** Undefined where the configuration names no fences. */
  static of(
    me: NodeId,
    { nodes, timing, withoutWitness }: Config,
    groups: ReadonlyMap<GroupId, GroupCore>,
  ): NodeFence | undefined {
    const [peer] = nodes.filter(({ id }) => id !== me);
    if (withoutWitness?.by !== 'fence' || peer === undefined) return undefined;
    assert(nodes.length === 2, 'fences decide between two nodes');
    return new NodeFence({ me, peer: peer.id, groups, config: { nodes, timing, withoutWitness } });
  }

  private constructor(parts: {
    readonly me: NodeId;
    readonly peer: NodeId;
    readonly groups: ReadonlyMap<GroupId, GroupCore>;
    readonly config: Pick<Config, 'nodes' | 'timing' | 'withoutWitness'>;
  }) {
    const { config, groups, me, peer } = parts;
    const { withoutWitness: given } = config;
    assert(given?.by === 'fence', 'fences are configured');
    this.#me = me;
    this.#groups = groups;
    const runMs = given.fences.find(({ node }) => node === peer)?.timeoutMs ?? 0;
    this.#keeper = new FenceKeeper({ me, peer, delayMs: given.delayMs, runMsMax: 2 * runMs });
    this.#nodeLostMs = config.timing.nodeLostMs;
    this.#firstByName = config.nodes[0]?.id === me;
  }

  /** The node that is known to be off. */
  get off(): NodeId | undefined {
    return this.#keeper.isOff ? this.#keeper.peer : undefined;
  }

  get view(): FenceView {
    return this.#keeper.view;
  }

  nextWakeAt(now: Instant): Instant {
    const quiet = now < this.#quietUntil ? this.#quietUntil : NEVER;
    return earliest([
      quiet,
      this.#keeper.nextWakeAt(),
      ...this.#all().map((g) => g.fenceWakeAt(now)),
    ]);
  }

  /** Before anything else is made of that event. */
  before(event: CoreEvent): readonly Effect[] {
    if (event.type === 'heartConnected' || event.type === 'heartLost') this.#reported = false;
    if (!this.#isSignOfLife(event)) return [];
    const message = 'from' in event;
    if (message) this.#quietUntil = plus(event.now, this.#nodeLostMs);
    const { peer } = this.#keeper;
    const told = this.#keeper.heard();
    return [...told, ...this.#all().flatMap((group) => group.fenceVoided(peer, event.now))];
  }

  /** When everything else was made of it. */
  after(event: CoreEvent): readonly Effect[] {
    const { now } = event;
    const answered =
      event.type === 'fenceAnswered' ? this.#keeper.answered(event.id, event.answer, now) : [];
    const effects = this.#keeper.advance(this.#need(now), now);
    // Whoever waited for that word goes on in the same step.
    const woken = this.off === undefined ? [] : this.#all();
    return [...answered, ...effects, ...woken.flatMap((group) => group.fenced(now))];
  }

  /** Without a heart, or before a new one has said whom it hears, nothing is known of anybody. */
  #isSignOfLife(event: CoreEvent): boolean {
    const { peer } = this.#keeper;
    switch (event.type) {
      case 'registryMessage':
      case 'decided':
      case 'standing':
        return event.from === peer;
      case 'heartLost':
        return true;
      case 'peers': {
        const report = event.peers.find(({ node }) => node === peer);
        this.#reported = true;
        this.#reason = report === undefined ? '' : `${peer} is lost: ${report.reason}`;
        return report?.state !== 'lost';
      }
      default:
        return false;
    }
  }

  #need(now: Instant): FenceNeed {
    const { peer } = this.#keeper;
    const waiting = [...this.#groups].filter(([, group]) => group.wantsFence(peer));
    const known = this.#reported && now >= this.#quietUntil;
    const groups = known ? waiting.map(([id]) => id) : [];
    return { groups, first: this.#isFirst(), reason: this.#reason };
  }

  /** Whoever has more to lose, by what both know. */
  #isFirst(): boolean {
    const records = this.#all().flatMap(({ record }) => record ?? []);
    const online = records.filter(({ want }) => want === 'online');
    const mine = online.filter(({ owner }) => owner === this.#me).length;
    const theirs = online.filter(({ owner }) => owner === this.#keeper.peer).length;
    return mine === theirs ? this.#firstByName : mine > theirs;
  }

  #all(): readonly GroupCore[] {
    return [...this.#groups.values()];
  }
}
