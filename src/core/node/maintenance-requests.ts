/**
 * Maintenance as people ask for it: the vote that records or ends it, and what a node says that does
 * nothing because of it.
 *
 * Invariant: every request is answered once, when its vote has ended.
 */
import type { Instant } from '../../base/time.ts';
import type { NodeId } from '../../protocol/ids.ts';
import type { OwnershipRecord } from '../../protocol/record.ts';
import {
  hasMaintenance,
  isSamePlace,
  leftAlone,
  type MaintenanceChange,
} from '../registry/maintenance.ts';
import type { ProposalOutcome } from '../registry/proposer.ts';
import type { RecordChange } from '../registry/record-change.ts';
import type { GroupContext } from './group-context.ts';
import { describeMaintenance, placeWords } from './maintenance-words.ts';

/** More at a time are refused. */
const ASKED_MAX = 16;

interface Asked {
  readonly id: number;
  readonly change: MaintenanceChange;
}

export class MaintenanceRequests {
  readonly #context: GroupContext;
  #asked: readonly Asked[] = [];

  constructor(context: GroupContext) {
    this.#context = context;
  }

  asked(id: number, change: MaintenanceChange, now: Instant): void {
    const { options, voice } = this.#context;
    if (this.#asked.length >= ASKED_MAX) {
      return voice.reply(id, 'busy', 'too many requests for this group are under way');
    }
    const { node } = change;
    if (node !== undefined && !options.group.nodes.includes(node)) {
      return voice.reply(id, 'no-node', `${node} is not among the nodes of "${this.#context.id}"`);
    }
    this.#asked = [...this.#asked, { id, change }];
    this.#context.propose('maintain', change, now);
  }

  /** `before`: what this node knew before that vote, to tell what it changed. */
  settled(
    change: RecordChange,
    outcome: ProposalOutcome,
    before: OwnershipRecord | undefined,
    now: Instant,
  ): void {
    if (change.type !== 'maintain') return;
    const answered = this.#asked.filter((asked) => isSame(asked.change, change));
    this.#asked = this.#asked.filter((asked) => !answered.includes(asked));
    const { id: group, voice } = this.#context;
    if (outcome.type !== 'chosen') {
      const why = outcome.type === 'empty' ? 'the group was never started' : outcome.why;
      for (const { id } of answered) {
        voice.reply(id, 'no-quorum', `Cannot record it for "${group}": ${why}`);
      }
      return;
    }
    this.#context.announce(outcome.record, now);
    const text = this.#told(change, outcome.record);
    if (change.entry !== undefined) voice.say('warning', 'maintenance', text);
    else if (before !== undefined && hasMaintenance(before, change)) {
      voice.say('info', 'maintenance-ended', text);
    }
    for (const { id } of answered) voice.reply(id, undefined, text);
  }

  #told(change: MaintenanceChange, { maintenance = [] }: OwnershipRecord): string {
    const entry = maintenance.find((other) => isSamePlace(other, change));
    if (entry !== undefined) return describeMaintenance(entry);
    const of = { group: 'the group', node: `node ${change.node}`, cluster: 'the cluster' }[
      change.scope
    ];
    const why = change.dueMs === undefined ? 'an administrator ended it' : 'its time is over';
    return `${of} is no longer in maintenance: ${why}`;
  }
}

/** One vote answers all that ask for the very same. */
function isSame(a: MaintenanceChange, b: MaintenanceChange): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Why this node may not take the group over, nor start it anew, by itself. */
export function isKeptBack(context: GroupContext, record: OwnershipRecord): boolean {
  if (leftAlone(record) === undefined) return false;
  const { me, overruled, restoredEpoch } = context;
  return record.owner !== me || !(overruled || restoredEpoch === record.epoch);
}

/** The owner is lost, or this node owned it before it was restarted, and nothing is done. */
export function sayKeptBack(context: GroupContext, record: OwnershipRecord): void {
  const { id, me, peers, voice } = context;
  const why = leftAlone(record);
  if (why === undefined) return;
  const own = record.owner === me;
  const lost = own ? `nothing of it runs on ${me}` : peers.lostReason(record.owner, record.epoch);
  const what = own ? 'nothing is started' : 'nobody takes over';
  context.reason = `${lost}, and ${what}: ${describeMaintenance(why)}`;
  const start = own ? `run "tako group start ${id}", or ` : '';
  const next = `next: ${start}end it with "tako maintenance off ${placeWords(why, id)}"`;
  const about = `kept back ${record.owner}@${record.epoch}`;
  const level = own ? 'warning' : 'error';
  voice.sayOnce(about, level, 'left-alone', `${context.reason}; ${next}`);
}

/** Whether it is in maintenance, for a request of something that is no administrator's. */
export function refusesPrograms(record: OwnershipRecord | undefined): string | undefined {
  const why = leftAlone(record);
  return why === undefined ? undefined : describeMaintenance(why);
}

export function isAskedElsewhere(record: OwnershipRecord | undefined, me: NodeId): boolean {
  return record !== undefined && record.owner !== me && leftAlone(record) !== undefined;
}
