/**
 * Looks for broken promises, as an onlooker who sees everything at once. The names P1 to P3 are the
 * promises of the product, N, H, R and M the invariants of the `SPEC.md` files.
 *
 * What rests on clocks (leases, and with them P3) is checked only while clocks keep their bound
 * (`clocks`); votes, epochs and data are checked whatever the clocks do.
 */
import { assert, InvariantError } from '../base/assert.ts';
import type { Instant } from '../base/time.ts';
import type { AcceptorEntry } from '../core/registry/acceptor.ts';
import { isBelow } from '../core/registry/ballot.ts';
import { barOf } from '../core/registry/bars.ts';
import type { Config } from '../protocol/config.ts';
import type { Epoch, GroupId, NodeId, ResourceId } from '../protocol/ids.ts';
import type { Ballot, Electorate, OwnershipRecord, Voter } from '../protocol/record.ts';
import type { StoredVote } from '../protocol/stored-record.ts';
import { badNeighbours } from './placed-checks.ts';
import { RecordHistory } from './record-history.ts';
import { holds } from './sim-disk.ts';
import type { SimNode } from './sim-node.ts';
import { beginsLine, Vouched } from './vouched.ts';
import { isMajority } from './votes.ts';

export interface CheckedWorld {
  readonly config: Config;
  readonly now: Instant;
  node(id: NodeId): SimNode | undefined;
  members(): readonly NodeId[];
  /** Both answer, and packets get through both ways. */
  hear(a: NodeId, b: NodeId): boolean;
  /** The copy on that node's disk, also while the node is off. */
  copyHas(id: NodeId, key: string, write: number): boolean;
  readonly fences: { hasLied(node: NodeId): boolean };
}

export interface CheckOptions {
  /** Clocks keep the bound that the configuration names. */
  readonly clocks: boolean;
}

/** A heart that is started anew finds what an earlier one has marked; a wake-up is late. */
const SLACK_MS = 10;
/** Clocks that drift make fractions. */
const ROUNDING_MS = 0.001;

interface Claim {
  readonly epoch: Epoch;
  readonly electorates: readonly Electorate[];
  readonly since: Instant;
}

export class Checkers {
  readonly #world: CheckedWorld;
  readonly #options: CheckOptions;
  readonly #histories = new Map<GroupId, RecordHistory>();
  readonly #acknowledged = new Map<string, number[]>();
  readonly #ackedBy = new Map<string, NodeId>();
  readonly #epochMax = new Map<string, Epoch>();
  /** `node other`: when the node last took a packet of the other. */
  readonly #heardAt = new Map<string, Instant>();
  /** `node group`: the newest epoch for which it proposed somebody else, and so agreed to it. */
  readonly #agreed = new Map<string, Epoch>();
  /** `node group`: what its heart was told last to count for the lease. */
  readonly #claims = new Map<string, Claim>();
  readonly #vouched: Vouched;
  /** What stood wrong when the configuration was changed. */
  readonly #tolerated = new Set<string>();
  #dirty = false;
  /** How often something was looked at. */
  checks = 0;

  constructor(world: CheckedWorld, options: CheckOptions) {
    this.#world = world;
    this.#options = options;
    this.#vouched = new Vouched({
      isOn: (id) => world.node(id) !== undefined,
      hear: (a, b) => world.hear(a, b),
      copyHas: (id, key, write) => world.copyHas(id, key, write),
      fenceLied: (id) => world.fences.hasLied(id),
    });
    const outside = world.config.registry !== undefined;
    for (const { id } of world.config.groups) {
      const falsely = (): boolean => this.#vouched.falsely(id);
      this.#histories.set(id, new RecordHistory(id, { falsely, outside }));
    }
  }

  history(group: GroupId): RecordHistory {
    const known = this.#histories.get(group);
    assert(known !== undefined, `group ${group} is known`);
    return known;
  }

  acknowledgedCount(key: string): number {
    return this.#acknowledged.get(key)?.length ?? 0;
  }

  // Votes.

  told(group: GroupId, ballot: Ballot, accepted: Ballot | undefined): void {
    if (this.#outside) return;
    this.history(group).told(ballot, accepted);
  }

  proposed(group: GroupId, ballot: Ballot, record: OwnershipRecord): void {
    if (this.#outside) return;
    this.#given(group, ballot, { before: this.history(group).proposed(ballot, record), record });
  }

  /** The store outside has replaced the record. */
  decided(group: GroupId, { by, record }: StoredVote, revision: number): void {
    const history = this.history(group);
    const before = history.latest;
    history.decided({ ...by, counter: revision }, record);
    this.#given(group, by, { before, record });
    if (before !== undefined && before.epoch < record.epoch) {
      if (beginsLine(record)) this.#forced(group, record);
      if (!this.#vouched.falsely(group)) this.#elected(group, record, by.node);
    }
  }

  get #outside(): boolean {
    return this.#world.config.registry !== undefined;
  }

  #given(
    group: GroupId,
    ballot: Ballot,
    { before, record }: { before: OwnershipRecord | undefined; record: OwnershipRecord },
  ): void {
    if (record.owner !== ballot.node) this.#agreed.set(`${ballot.node} ${group}`, record.epoch);
    const begins = before !== undefined && before.epoch < record.epoch;
    if (!begins || before.owner !== ballot.node || record.owner === before.owner) return;
    // Whoever gives a group away has stopped everything of it, and needs no lease any more.
    const running = this.#world.node(ballot.node)?.runningOf(group) ?? [];
    const what = `${ballot.node} gives ${group} to ${record.owner}`;
    assert(running.length === 0, `N2: ${what} while it runs ${running.join(', ')}`);
  }

  stored(voter: Voter, entry: AcceptorEntry, before: AcceptorEntry | undefined): void {
    const { group, accepted } = entry;
    if (before !== undefined) {
      const grows = !isBelow(entry.promised, before.promised);
      assert(grows, `R2: ${voter.node} stores a lower ballot for ${group} than it had promised`);
      const kept = before.accepted === undefined || accepted !== undefined;
      assert(kept, `R6: ${voter.node} forgets what it accepted for ${group}`);
    }
    if (accepted?.record === undefined || this.#outside) return;
    // A line that was forced by hand beside one of a fence need not be the newest.
    const byHand = beginsLine(accepted.record) && accepted.record.forced?.by !== 'fence';
    const fences = this.#world.config.withoutWitness !== undefined;
    const was = this.history(group).latest;
    if (byHand && fences) this.#vouched.forced(group, accepted.record, was?.epoch);
    const record = this.history(group).stored(voter, accepted.ballot);
    if (record === undefined) return;
    const begins = was !== undefined && was.epoch < record.epoch;
    if (begins && beginsLine(record)) this.#forced(group, record);
    if (begins && !this.#vouched.falsely(group)) this.#elected(group, record, accepted.ballot.node);
  }

  /**
   * Another period of ownership has begun in this very moment. Who holds the lease may have proposed
   * that itself: by that it agreed, be it by completing what it found when it read.
   */
  #elected(group: GroupId, record: OwnershipRecord, proposer: NodeId): void {
    if (!this.#options.clocks) return;
    for (const id of this.#world.members()) {
      const node = this.#world.node(id);
      if (node?.answers !== true || id === record.owner || id === proposer) continue;
      const held = node.leaseOf(group);
      if (held === undefined || (this.#agreed.get(`${id} ${group}`) ?? 0) > held) continue;
      const what = `${record.owner} owns ${group} at epoch ${record.epoch}`;
      throw new InvariantError(`H2: ${what} while ${id} holds the lease of epoch ${held}`);
    }
  }

  /** Writes that were acknowledged and given up by that are no loss any more. */
  #forced(group: GroupId, record: OwnershipRecord): void {
    this.#vouched.forced(group, record, undefined);
    for (const mirror of mirrorsOf(this.#world.config, group)) {
      const key = `${group}/${mirror}`;
      const acknowledged = this.#acknowledged.get(key) ?? [];
      this.#acknowledged.set(key, this.#vouched.kept(key, record, acknowledged));
    }
  }

  claimed(id: NodeId, group: GroupId, claim: Pick<Claim, 'epoch' | 'electorates'>): void {
    const { epoch, electorates } = claim;
    this.#claims.set(`${id} ${group}`, { epoch, electorates, since: this.#world.now });
    const owner = this.history(group).ownerAt(epoch);
    const text = `R: ${id} claims ${group} at epoch ${epoch}, which belongs to ${owner ?? 'nobody'}`;
    assert(owner === id, text);
  }

  /** Some heart was told last that this voter counts for a lease. */
  countedOn({ node, seat }: Voter): boolean {
    return [...this.#claims.values()].some(({ electorates }) =>
      electorates.some((voters) => voters.some((v) => v.node === node && v.seat === seat)),
    );
  }

  released(node: SimNode, group: GroupId): void {
    const running = node.runningOf(group);
    const text = `N7: ${node.id} gives up the claim of ${group} while it runs ${running.join(', ')}`;
    assert(running.length === 0, text);
  }

  // Leases.

  marked(node: SimNode, group: GroupId, mark: { epoch: Epoch; validUntil: Instant }): void {
    this.#dirty = true;
    const { leaseMs } = this.#world.config.timing;
    const ahead = mark.validUntil - node.now();
    assert(
      ahead <= leaseMs + ROUNDING_MS,
      `H4: ${node.id} marks a lease of ${group} for ${ahead} ms`,
    );
  }

  /** Nothing starts without the lease of its epoch. */
  starting(node: SimNode, group: GroupId, epoch: Epoch): void {
    if (node.core?.instance(group) !== undefined) return this.#instanceStarts(node, group);
    const text = `P3: ${group} starts on ${node.id} at epoch ${epoch} without its lease`;
    assert(node.leaseOf(group) === epoch, text);
  }

  /** An instance starts only where the newest record that its node knows wants it. */
  #instanceStarts(node: SimNode, group: GroupId): void {
    const record = node.core?.instance(group)?.record;
    const wanted = record?.want === 'online' && barOf(record, node.id) === undefined;
    assert(wanted, `I1: ${group} starts on ${node.id}, which knows that it shall not`);
  }

  // Data.

  served(node: SimNode, key: string, epoch: Epoch): void {
    this.#dirty = true;
    const group = groupOf(key);
    const owner = this.history(group).ownerAt(epoch);
    assert(owner === node.id, `P2: ${node.id} serves ${key} at epoch ${epoch} of ${owner}`);
    // An owner of the past that does not know it yet acknowledges nothing: its lease is out.
    if (this.history(group).latest?.epoch !== epoch) return;
    const data = node.mirror(key)?.disk.data ?? [];
    const lost = (this.#acknowledged.get(key) ?? []).filter(
      (write) => !holds(data, data.length, write),
    );
    const text = `P1: ${lost.length} acknowledged writes of ${key} are not on ${node.id}`;
    assert(lost.length === 0, `${text}, which serves at epoch ${epoch}`);
  }

  /** A copy says that it has on stable storage what a primary of that epoch wrote. */
  confirmed(node: SimNode, key: string, epoch: Epoch): void {
    const latest = this.history(groupOf(key)).latest;
    const sealed = latest === undefined || latest.epoch <= epoch || latest.owner !== node.id;
    const text = `N3: ${node.id} confirms ${key} at epoch ${epoch} and owns it at ${latest?.epoch}`;
    assert(sealed, text);
  }

  acknowledged(node: NodeId, key: string, write: number, epoch: Epoch): void {
    this.checks += 1;
    const newest = this.history(groupOf(key)).latest?.epoch ?? epoch;
    // Who was said to be off and is not goes on until it hears of it: what it writes is kept aside.
    if (this.#vouched.falsely(groupOf(key)) && epoch < newest) return;
    const epochMax = this.#epochMax.get(key) ?? (0 as Epoch);
    const older = `P2: ${key} acknowledged at ${epoch} after ${epochMax}`;
    assert(epoch >= epochMax || !this.#options.clocks, older);
    if (epoch > epochMax) this.#epochMax.set(key, epoch);
    const by = this.#ackedBy.get(`${key}@${epoch}`);
    assert((by ?? node) === node, `P2: ${key} acknowledged at ${epoch} by ${by} and by ${node}`);
    if (by === undefined) this.#ackedBy.set(`${key}@${epoch}`, node);
    const list = this.#acknowledged.get(key);
    if (list === undefined) this.#acknowledged.set(key, [write]);
    else list.push(write);
    this.#onEveryCopy(key, write, epoch);
  }

  /** Every copy that the registry has in sync has it on stable storage. */
  #onEveryCopy(key: string, write: number, epoch: Epoch): void {
    const record = this.history(groupOf(key)).latest;
    assert(record !== undefined, `P2: ${key} acknowledges without a record`);
    const before = record.epoch > epoch;
    assert(!before || !this.#options.clocks, `P2: ${key} acknowledges at ${epoch}, not newest`);
    for (const id of record.inSync[resourceOf(key)] ?? []) {
      const has = this.#world.copyHas(id, key, write);
      assert(has, `P1: ${key} acknowledged write ${write}, which is not on ${id} (in sync)`);
    }
  }

  /** Every acknowledged write is on the copy that serves. */
  nothingLost(group: GroupId, serving: readonly NodeId[]): void {
    for (const id of serving) {
      for (const mirror of mirrorsOf(this.#world.config, group)) {
        const key = `${group}/${mirror}`;
        const data = this.#world.node(id)?.mirror(key)?.disk.data ?? [];
        const acknowledged = this.#acknowledged.get(key) ?? [];
        const lost = acknowledged.filter((write) => !holds(data, data.length, write));
        assert(lost.length === 0, `P1: ${lost.length} acknowledged writes of ${key} lost on ${id}`);
      }
    }
  }

  // After every step.

  changed(): void {
    this.#dirty = true;
  }

  /** Cheap when nothing happened that could have broken it: leases only end by themselves. */
  afterStep(): void {
    if (!this.#dirty) return;
    this.#dirty = false;
    this.checks += 1;
    this.#neighbours();
    if (!this.#options.clocks) return;
    for (const { id, resources } of this.#world.config.groups) {
      if (this.#vouched.falsely(id)) continue;
      this.#oneHolder(id);
      for (const resource of resources) {
        if (resource.agent === 'virtual-ip') this.#oneAddress(id, resource.id);
      }
    }
  }

  /** Of what ran when the configuration was changed some may stand wrong, until it has moved. */
  #neighbours(): void {
    const found = this.#badNeighbours();
    for (const known of this.#tolerated) if (!found.includes(known)) this.#tolerated.delete(known);
    const [bad] = found.filter((text) => !this.#tolerated.has(text));
    assert(bad === undefined, `N30: ${bad ?? ''}`);
  }

  #badNeighbours(): readonly string[] {
    return badNeighbours(this.#world.config, (node, group) => {
      return this.#world.node(node)?.runs(`${group}/program`) === true;
    });
  }

  /** Somebody changes the file. */
  configChanged(): void {
    for (const text of this.#badNeighbours()) this.#tolerated.add(text);
  }

  #oneHolder(group: GroupId): void {
    let holder: SimNode | undefined;
    for (const id of this.#world.members()) {
      const node = this.#world.node(id);
      if (node === undefined || !node.answers || node.leaseOf(group) === undefined) continue;
      const both = `${holder?.id} and ${id}`;
      assert(holder === undefined, `H1: ${both} hold the lease of ${group} at the same time`);
      holder = node;
    }
  }

  /** An address whose heart hangs or died stays for the life that the kernel gives it. */
  #oneAddress(group: GroupId, resource: ResourceId): void {
    const key = `${group}/${resource}`;
    let first: SimNode | undefined;
    for (const id of this.#world.members()) {
      const node = this.#world.node(id);
      if (node?.answers !== true || !node.runs(key) || !node.heartSure) continue;
      assert(first === undefined, `P3: the address ${key} is on ${first?.id} and on ${id}`);
      first = node;
    }
  }

  heard(id: NodeId, from: NodeId): void {
    this.#heardAt.set(`${id} ${from}`, this.#world.now);
  }

  /**
   * Called every now and then: who does not hear a majority of each electorate that is counted for its
   * lease gives it up in its bound. Promises of voters need not be of the same moment, only each of
   * the last lease.
   */
  quorums(): void {
    if (!this.#options.clocks) return;
    for (const id of this.#world.members()) {
      const node = this.#world.node(id);
      if (node?.answers !== true) continue;
      for (const { id: group } of this.#world.config.groups) this.#quorum(node, group);
    }
  }

  #quorum(node: SimNode, group: GroupId): void {
    const { config, now } = this.#world;
    const { leaseMs, clockDrift } = config.timing;
    const bound = leaseMs * (1 + clockDrift) + SLACK_MS;
    const epoch = node.leaseOf(group);
    const claim = this.#claims.get(`${node.id} ${group}`);
    // A mark that was given by what was counted before lives to its end.
    if (epoch === undefined || claim?.epoch !== epoch || now - claim.since <= bound) return;
    const hears = (other: NodeId): boolean => {
      const at = this.#heardAt.get(`${node.id} ${other}`);
      return other === node.id || (at !== undefined && now - at <= bound);
    };
    for (const electorate of claim.electorates) {
      if (isMajority(electorate, (voter) => hears(voter.node))) continue;
      const of = electorate.map((voter) => voter.node).join(', ');
      const text = `H: ${node.id} holds the lease of ${group}, though it heard no majority of ${of}`;
      throw new InvariantError(`${text} within ${bound} ms`);
    }
  }
}

export function mirrorsOf(config: Config, group: GroupId): readonly ResourceId[] {
  const resources = config.groups.find((g) => g.id === group)?.resources ?? [];
  return resources.flatMap((r) => (r.agent === 'mirror' ? [r.id] : []));
}

function resourceOf(key: string): ResourceId {
  return key.slice(key.indexOf('/') + 1) as ResourceId;
}

function groupOf(key: string): GroupId {
  return key.slice(0, key.indexOf('/')) as GroupId;
}
