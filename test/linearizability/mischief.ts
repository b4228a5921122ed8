/**
 * What people and accidents do to a cluster, drawn from a seed: requests, cut links, kills,
 * power-offs, standstills. Every trouble has an end; a few at most last at a time. The seed fixes
 * what is tried and in which order; when exactly, and what it meets, is up to the machine.
 */
import type { Prng } from '../../src/base/prng.ts';
import type { GroupId, NodeId } from '../../src/protocol/ids.ts';
import type { CutHow } from '../hosts/fabric.ts';
import { monotonicMs } from '../hosts/host.ts';
import { pause } from '../hosts/wait.ts';
import { type VoteCluster, isEtcdHost } from './vote-cluster.ts';

/** Troubles that last at a time; requests and kills are over at once. */
const TROUBLES_MAX = 2;
/** Most are short, so that votes go on; the long ones have nodes counted as lost. */
const SHORT_MS = 600;
const LONG_MS = 3000;
/** Between two troubles, and between two requests. */
const CALM_MS_MAX = 1600;
const PAUSE_MS_MAX = 60;
/** Requests that may wait for an answer at a time. */
const REQUESTS_MAX = 24;
/** A trouble for a member of etcd is one for its leader, whoever that is. */
const LEADER_CHANCE = 0.4;
const CUTS: readonly CutHow[] = ['unplug', 'mute', 'deafen', 'gag'];

interface Trouble {
  readonly host: string;
  readonly until: number;
  readonly mend: () => Promise<void>;
}

export class Mischief {
  readonly #cluster: VoteCluster;
  readonly #prng: Prng;
  #troubles: Trouble[] = [];
  readonly #requests = new Set<Promise<void>>();
  /** How often each kind of thing was done. */
  readonly done: Record<string, number> = {};

  constructor(cluster: VoteCluster, prng: Prng) {
    this.#cluster = cluster;
    this.#prng = prng;
  }

  /** Goes on for so long, then mends everything. */
  async run(ms: number): Promise<void> {
    const until = monotonicMs() + ms;
    let troubleAt = monotonicMs();
    while (monotonicMs() < until) {
      await this.#mend(monotonicMs());
      if (monotonicMs() < troubleAt) this.#ask();
      else {
        await this.#makeTrouble();
        troubleAt = monotonicMs() + this.#prng.below(CALM_MS_MAX);
      }
      await pause(this.#prng.below(PAUSE_MS_MAX));
    }
    await this.#mend(Number.POSITIVE_INFINITY);
  }

  async #mend(now: number): Promise<void> {
    const due = this.#troubles.filter(({ until }) => until <= now);
    this.#troubles = this.#troubles.filter(({ until }) => until > now);
    for (const { mend } of due) await mend();
  }

  async #makeTrouble(): Promise<void> {
    const prng = this.#prng;
    const dice = prng.below(100);
    const name = prng.pick(this.#cluster.lab.hosts).name;
    const host = isEtcdHost(name) && prng.chance(LEADER_CHANCE) ? this.#leaderOr(name) : name;
    const ms = 100 + prng.below(prng.chance(0.2) ? LONG_MS : SHORT_MS);
    if (dice < 45) return this.#cut(host, ms);
    if (isEtcdHost(host)) return this.#troubleEtcd(host, dice, ms);
    if (dice < 65) return this.#kill(host, 'control');
    if (dice < 72) return this.#kill(host, 'heart');
    if (dice < 78) return this.#kill(host, 'witness');
    if (dice < 92) return this.#freeze(host, ms);
    return this.#powerOff(host, ms);
  }

  async #troubleEtcd(host: string, dice: number, ms: number): Promise<void> {
    if (dice < 72) return this.#killEtcd(host, ms);
    if (dice < 90) return this.#freeze(host, ms);
    return this.#powerOff(host, ms);
  }

  #leaderOr(name: string): string {
    return this.#cluster.etcd?.leader() ?? name;
  }

  /** One request, or several for the same group at the same time through different nodes. */
  #ask(): void {
    const prng = this.#prng;
    const group = prng.pick(this.#cluster.groups) as GroupId;
    const rivals = prng.chance(0.4) ? this.#cluster.nodes : [prng.pick(this.#cluster.nodes)];
    for (const { name, powered } of rivals) {
      const dice = prng.below(10);
      const to = prng.pick(this.#cluster.nodes).name as NodeId;
      if (!powered || this.#requests.size >= REQUESTS_MAX) continue;
      const api = this.#cluster.api(name);
      if (dice < 4) this.#wait('move', api.move(group, to));
      else if (dice < 7) this.#wait('start', api.startGroup(group));
      else this.#wait('stop', api.stopGroup(group));
    }
  }

  /** What becomes of a request is in the histories, refusals and all: its answer tells nothing new. */
  #wait(what: string, answer: Promise<unknown>): void {
    this.#count(what);
    const request = answer.then(
      () => undefined,
      () => undefined,
    );
    this.#requests.add(request);
    void request.then(() => this.#requests.delete(request));
  }

  async #cut(name: string, ms: number): Promise<void> {
    const host = this.#cluster.lab.host(name);
    const how = this.#prng.pick(CUTS);
    const links = this.#prng.chance(0.5) ? host.links : [this.#prng.pick(host.links)];
    if (!this.#mayTrouble(name)) return;
    this.#count(how, name);
    for (const link of links) await host.cut(link, how);
    this.#trouble(name, ms, async () => {
      for (const link of links) await host.mend(link);
    });
  }

  async #kill(name: string, daemon: string): Promise<void> {
    const troubled = this.#troubles.some(({ host }) => host === name);
    if (!troubled && (await this.#cluster.kill(name, daemon))) this.#count(`kill ${daemon}`);
  }

  async #killEtcd(name: string, ms: number): Promise<void> {
    const { etcd } = this.#cluster;
    if (etcd === undefined || !this.#mayTrouble(name) || !(await etcd.kill(name))) return;
    this.#count('kill', name);
    this.#trouble(name, ms, async () => etcd.startAgain(name));
  }

  async #freeze(name: string, ms: number): Promise<void> {
    const host = this.#cluster.lab.host(name);
    if (!this.#mayTrouble(name)) return;
    this.#count('freeze', name);
    await host.freeze();
    this.#trouble(name, ms, async () => host.thaw());
  }

  async #powerOff(name: string, ms: number): Promise<void> {
    const host = this.#cluster.lab.host(name);
    const carrier = this.#prng.chance(0.5) ? 'lost' : 'stays';
    if (!this.#mayTrouble(name)) return;
    this.#count('power-off', name);
    await host.powerOff({ carrier });
    this.#trouble(name, ms, async () => {
      if (isEtcdHost(name)) return this.#cluster.etcd?.bringBack(name);
      await host.powerOn();
      this.#cluster.startTako(name);
    });
  }

  #mayTrouble(name: string): boolean {
    const same = this.#troubles.some(({ host }) => host === name);
    return !same && this.#troubles.length < TROUBLES_MAX;
  }

  #trouble(host: string, ms: number, mend: () => Promise<void>): void {
    this.#troubles.push({ host, until: monotonicMs() + ms, mend });
  }

  /** What is done to members of etcd is counted for itself. */
  #count(kind: string, host = ''): void {
    const what = isEtcdHost(host) ? `${kind} of etcd` : kind;
    this.done[what] = (this.done[what] ?? 0) + 1;
  }
}
