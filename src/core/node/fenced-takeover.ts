/**
 * One group, once the fence of the other node says that this is off: this node goes on alone, by a
 * record that needs no vote of the other (`../registry/forced-line.ts`). Everything else is as with any
 * claim, which was begun before and waits for that vote: hooks were asked, copies are in sync, sealed.
 *
 * Invariants (SPEC.md, F3, F4): nothing is begun before this process has read the record by votes
 * since it started, so that a node that was off itself knows what became of the group meanwhile;
 * what was begun is withdrawn at the first sign of life of the other.
 */
import { type Instant, NEVER, plus } from '../../base/time.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { electoratesOf, hasMajority } from '../registry/electorate.ts';
import { type ForceChange, unknownDecision } from '../registry/forced-line.ts';
import { staleCopies } from './candidacy.ts';
import type { Candidate } from './candidate.ts';
import type { GroupContext, GroupPhase, Moves } from './group-context.ts';

/** It lacks nothing but a vote. */
const WANTING: readonly GroupPhase[] = ['suspended', 'sealing', 'claiming'];
/** What came to nothing is tried again after a while. */
const RETRY_MS = 3000;

export class FencedTakeover {
  readonly #context: GroupContext;
  readonly #moves: Moves;
  readonly #candidate: Candidate;
  #notBefore = 0 as Instant;

  constructor(context: GroupContext, moves: Moves, candidate: Candidate) {
    this.#context = context;
    this.#moves = moves;
    this.#candidate = candidate;
  }

  /** Whether the group waits for nothing but the word that this node is off. */
  wants(peer: NodeId): boolean {
    const { hasRead, leaving, me, options, peers, phase, record } = this.#context;
    if (!WANTING.includes(phase) || leaving || !hasRead || record === undefined) return false;
    if (record.want !== 'online' || !peers.isLost(peer)) return false;
    if (staleCopies(record, me).length > 0 || peers.someoneClaimsAfter(record.epoch)) return false;
    const own = new Map([[me, options.seat]]);
    // Its own vote for other voters may be unfinished: it is not done without theirs.
    const accepted = options.accepted();
    const tried = accepted?.epoch === record.epoch ? electoratesOf(accepted) : [];
    const electorates = [...electoratesOf(record), ...tried];
    if (electorates.every((voters) => hasMajority(voters, own))) return false;
    return unknownDecision(record, own) === undefined;
  }

  advance(now: Instant): void {
    const { me, options, phase, record, voice } = this.#context;
    const off = options.knownOff?.();
    if (off === undefined || record === undefined || !this.wants(off)) return;
    if (this.#candidate.isForcing || voice.request?.type === 'force' || now < this.#notBefore)
      return;
    if (phase === 'suspended') {
      return this.#moves.yield(`${off} is off, and the group begins anew without it`, now);
    }
    this.#notBefore = plus(now, RETRY_MS);
    const change: ForceChange = {
      type: 'force',
      owner: me,
      epoch: record.epoch,
      rank: options.members.indexOf(me),
      off: [off],
      nodes: options.group.nodes,
      acceptLoss: false,
      by: 'fence',
    };
    this.#candidate.force(change, now);
  }

  /** That node is heard: whatever rests on its being off is withdrawn. */
  voided(peer: NodeId, now: Instant): void {
    this.#candidate.withdrawFenced(`${peer} is heard again`, now);
  }

  nextWakeAt(now: Instant): Instant {
    const waits = this.#context.options.knownOff?.() !== undefined && now < this.#notBefore;
    return waits ? this.#notBefore : NEVER;
  }
}
