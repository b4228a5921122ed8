/**
 * An administrator takes the group over on this node by force: where the voters that could say so are
 * gone for good, or the only copies that have everything. The administrator vouches that certain
 * members are off; Tako checks what it can know, and refuses where the action is not needed (the
 * owner answers, a better copy answers), or where a vouched-for member is heard.
 *
 * What is vouched for falsely can't be known: then the services of both sides run until they hear of
 * each other. The record that was forced last wins by its epoch, the other side yields, and the
 * changes of its copies are kept aside (../registry/forced-line.ts).
 */
import type { Instant } from '../../base/time.ts';
import type { NodeId } from '../../protocol/ids.ts';
import type { OwnershipRecord } from '../../protocol/record.ts';
import { FEATURES } from '../../protocol/versions.ts';
import type { ForceChange } from '../registry/forced-line.ts';
import { staleCopies } from './candidacy.ts';
import type { Candidate } from './candidate.ts';
import type { GroupContext, GroupPhase, Moves } from './group-context.ts';
import type { Effect } from './node-io.ts';
import type { Probing } from './probing.ts';

export interface ForceRequest {
  readonly type: 'force';
  /** Members that the administrator vouches for: they are off, and stay so until they hear this node. */
  readonly off: readonly NodeId[];
  /** What other copies have and the one here lacks is given up. */
  readonly acceptLoss: boolean;
}

export interface ForcedParts {
  readonly candidate: Candidate;
  readonly probing: Probing;
}

/** Nothing of the group runs here; no vote of this node can be chosen without those who are off. */
const AT_REST: readonly GroupPhase[] = ['waiting', 'sealing', 'claiming'];
const FROM: readonly GroupPhase[] = ['probing', 'suspended', ...AT_REST];

type ReplyCode = Exclude<Extract<Effect, { type: 'reply' }>['code'], undefined>;
type Refusal = readonly [code: ReplyCode, text: string];

export class Forced {
  readonly #context: GroupContext;
  readonly #moves: Moves;
  readonly #parts: ForcedParts;
  /** Begins as soon as nothing of the group runs here. */
  #pending: { readonly id: number; readonly request: ForceRequest } | undefined;

  constructor(context: GroupContext, moves: Moves, parts: ForcedParts) {
    this.#context = context;
    this.#moves = moves;
    this.#parts = parts;
  }

  asked(id: number, request: ForceRequest, now: Instant): void {
    const { options, phase, record, voice } = this.#context;
    if (voice.request !== undefined || this.#pending !== undefined) {
      return voice.reply(id, 'busy', 'another request for this group is under way');
    }
    const known = phase === 'probing' ? (record ?? options.accepted()) : record;
    const refusal = this.#refusal(request, known);
    if (refusal !== undefined) return voice.reply(id, ...refusal);
    if (phase === 'probing' && !this.#parts.probing.presume(now)) {
      return voice.reply(id, 'not-forced', 'It is not known yet what of the group runs here');
    }
    this.#pending = { id, request };
    if (phase === 'suspended') this.#moves.yield('an administrator forces it', now);
    this.advance(now);
  }

  /** What was asked of an owner without a lease begins when everything has stopped here. */
  advance(now: Instant): void {
    const { me, options, phase, record, voice } = this.#context;
    if (this.#pending === undefined || !AT_REST.includes(phase) || record === undefined) return;
    const { id, request } = this.#pending;
    this.#pending = undefined;
    const busy: Refusal = ['busy', 'another request for this group is under way'];
    const refusal = voice.request === undefined ? this.#refusal(request, record) : busy;
    if (refusal !== undefined) return voice.reply(id, ...refusal);
    voice.begin(id, request, now);
    const change: ForceChange = {
      type: 'force',
      owner: me,
      epoch: record.epoch,
      rank: options.members.indexOf(me),
      off: [...request.off].sort(),
      nodes: options.group.nodes,
      acceptLoss: request.acceptLoss,
    };
    this.#parts.candidate.force(change, now);
  }

  #refusal(request: ForceRequest, record: OwnershipRecord | undefined): Refusal | undefined {
    const { id, leaving, me, options, peers, phase } = this.#context;
    const what = `Cannot force "${id}" onto ${me}`;
    if (!options.group.nodes.includes(me)) {
      return ['not-forced', `${what}: it is not among the nodes of the group`];
    }
    if (leaving) return ['busy', `${what}: ${me} is being stopped`];
    if (!FROM.includes(phase)) {
      return ['not-forced', `${what}: the group is ${phase} here`];
    }
    if (!peers.heartConnected) return ['not-forced', `${what}: the heart does not answer`];
    if (record === undefined) {
      return ['not-forced', `${what}: this node has never heard of an owner of it`];
    }
    return this.#unsafe(what, request, record) ?? this.#lossNotAccepted(what, request, record);
  }

  /** What Tako can know of what the administrator vouches for. */
  #unsafe(what: string, request: ForceRequest, record: OwnershipRecord): Refusal | undefined {
    const { me, options, peers } = this.#context;
    const { off } = request;
    const { owner } = record;
    const strangers = off.filter((node) => node === me || !options.members.includes(node));
    if (strangers.length > 0) {
      return ['not-forced', `${what}: ${strangers.join(', ')} is no other member of the cluster`];
    }
    if (peers.someoneClaimsAfter(record.epoch)) {
      return ['not-forced', `${what}: another node runs it at a newer epoch`];
    }
    for (const node of options.members) {
      const report = peers.reports.get(node);
      if (node === me) continue;
      if (off.includes(node) && !peers.isLost(node)) {
        return ['not-forced', `${what}: ${node} is heard, and so is not off`];
      }
      if (off.includes(node)) continue;
      if (report?.state !== 'up') {
        const next = `bring it back, or, if it is off for certain, name it with --off ${node}`;
        return ['not-forced', `${what}: ${node} does not answer; ${next}`];
      }
      const { newest } = report.speaks ?? { newest: FEATURES.forcedRecords };
      if (newest < FEATURES.forcedRecords) {
        const text = `${what}: ${node} speaks version ${newest} of the protocol, this needs`;
        const next = `upgrade Tako on ${node} first`;
        return ['version-unsupported', `${text} ${FEATURES.forcedRecords}; ${next}`];
      }
    }
    if (owner === me || off.includes(owner)) return undefined;
    return ['not-forced', `${what}: ${owner} owns it and answers; use "tako move"`];
  }

  #lossNotAccepted(
    what: string,
    { acceptLoss }: ForceRequest,
    record: OwnershipRecord,
  ): Refusal | undefined {
    const { hasRead, me, mirrors } = this.#context;
    const stale = staleCopies(record, me);
    const unsure = !hasRead && mirrors.mirrors.length > 0;
    if (acceptLoss || (stale.length === 0 && !unsure)) return undefined;
    const which = (stale.length > 0 ? stale : mirrors.mirrors).join('", "');
    const lacks = stale.length > 0 ? 'lacks' : 'may lack';
    const copies = `the copy of "${which}" on ${me} ${lacks} what others acknowledged`;
    return ['copy-stale', `${what}: ${copies}; to give that up, add --accept-data-loss`];
  }
}
