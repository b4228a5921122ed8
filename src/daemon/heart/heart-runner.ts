/**
 * Drives the heart's core: gives it datagrams, carrier changes, commands and time, and carries out
 * its effects in their order. One event at a time; what an effect brings about is queued. Nothing
 * here waits: sockets are non-blocking, files are on tmpfs.
 *
 * After a freeze the first event, whatever it is, comes with the present time, so the core gives up
 * what it lost before anything is sent.
 */
import { assert, must } from '../../base/assert.ts';
import { messageOf } from '../../base/tako-error.ts';
import { type Instant, plus } from '../../base/time.ts';
import { HeartCore } from '../../core/heart/heart-core.ts';
import type { HeartEffect, HeartEvent } from '../../core/heart/heart-types.ts';
import { type NodeSetup, shareLink } from '../../protocol/config.ts';
import type { FromHeart, HeartMeters, ToHeart } from '../../protocol/heart-ipc.ts';
import type { BootId, LinkId, NodeId } from '../../protocol/ids.ts';
import type { MessageBody } from '../../protocol/packet.ts';
import { LOCAL_PROTOCOL, toldRange } from '../../protocol/versions.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { newBoot, type Opened, PacketGuard } from '../../adapters/crypto/packet-guard.ts';
import { ReplayWindow } from '../../adapters/crypto/replay-window.ts';
import type { LeaseMarkFiles } from '../../adapters/lease-mark-file.ts';
import { SleepWatch } from '../../adapters/supervise/sleep-watch.ts';
import { UdpLinks } from '../../adapters/udp/udp-links.ts';
import type { AddressKeeper } from './address-keeper.ts';
import type { Admission } from './admission.ts';
import { coreOptions, membersOf, udpLinks } from './heart-options.ts';
import { ShareLink } from './share-link.ts';
import { PeerVersions } from './peer-versions.ts';
import type { TermKeeper } from './term-keeper.ts';

/** Carrier changes are noticed within this time. */
const POLL_MS = 10;
/** A heart that has no addresses looks only at the clock, and whether the machine slept. */
const POLL_MS_WITHOUT_ADDRESSES = 50;
const METERS_EVERY_MS = 1000;
const WAKE_WINDOW_MS = 60_000;
const QUEUE_MAX = 10_000;

/** An event before it gets its time. */
type Untimed = HeartEvent extends infer E ? (E extends HeartEvent ? Omit<E, 'now'> : never) : never;

/** What the heart of a node keeps for its groups, and that of a witness does not have. */
export interface Holdings {
  readonly addresses: AddressKeeper;
  readonly marks: LeaseMarkFiles;
}

export interface HeartRunnerOptions {
  readonly setup: NodeSetup;
  /** The same as a file, for the process that votes on a share; without it no share is used. */
  readonly setupFile?: string | undefined;
  readonly key: Uint8Array;
  readonly clock: Clock;
  readonly log: Log;
  /** What control is to know. Called with the runner busy: answers are queued. */
  readonly report: (message: FromHeart) => void;
  readonly holdings?: Holdings | undefined;
  /** What promises may bind for, kept for the next heart; without it all are of equal settings. */
  readonly terms?: TermKeeper | undefined;
  /** Bounds the work that datagrams make; without it each one is looked at. */
  readonly admission?: Admission | undefined;
  /** Told what broke in here; this heart must not go on then. Without it the process ends. */
  readonly broken?: ((error: unknown) => void) | undefined;
}

export class HeartRunner {
  readonly boot: BootId = newBoot();
  readonly startedAt: Instant;
  readonly #options: HeartRunnerOptions;
  readonly #core: HeartCore;
  readonly #guard: PacketGuard;
  readonly #versions: PeerVersions;
  readonly #udp: UdpLinks;
  readonly #share: ShareLink | undefined;
  readonly #sleep = new SleepWatch();
  readonly #links: readonly LinkId[];
  readonly #queue: Untimed[] = [];
  readonly #received = new Map<NodeId, { readonly boot: BootId; readonly ids: ReplayWindow }>();
  readonly #counts = { malformed: 0, unknown: 0, forged: 0, stale: 0, refused: 0, incompatible: 0 };
  #wake = { latestMs: 0, windowEndsAt: 0 };
  #carriers = new Map<LinkId, boolean>();
  #messages = 0;
  #metersAt: Instant;
  #busy = false;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: HeartRunnerOptions) {
    const { setup, key, clock, log } = options;
    this.#options = options;
    this.startedAt = clock.now();
    this.#metersAt = this.startedAt;
    const members = membersOf(setup.config).map((member) => member.id);
    const formerTermMs = options.terms?.formerMs;
    this.#core = new HeartCore({
      ...coreOptions(setup, this.boot, this.startedAt),
      formerTermMs,
    });
    this.#guard = new PacketGuard({
      cluster: setup.config.cluster,
      key,
      self: setup.node,
      boot: this.boot,
      peers: members.filter((id) => id !== setup.node),
    });
    this.#versions = new PeerVersions(setup.node, log);
    this.#share = this.#openShare();
    const links = udpLinks(setup);
    this.#links = links.map((link) => link.id);
    this.#udp = new UdpLinks({
      port: setup.config.basePort,
      links,
      log,
      onDatagram: (link, datagram, from) =>
        this.#contained(() => this.#datagram(link, datagram, from)),
    });
  }

  /** Begins to beat; reports come from now on. */
  start(): void {
    const now = this.#options.clock.now();
    this.#contained(() => this.#loop(now));
  }

  /** A command of control. */
  command(message: Exclude<ToHeart, { type: 'hello' }>): void {
    switch (message.type) {
      case 'records':
        return this.#step({
          type: 'recordsReported',
          seat: message.seat,
          records: message.records,
          after: message.after,
        });
      case 'claim':
        return this.#step({
          type: 'claimed',
          group: message.group,
          epoch: message.epoch,
          electorates: message.electorates,
        });
      case 'release':
        return this.#step({ type: 'released', group: message.group });
      case 'revoke':
        return this.#step({ type: 'revokeAsked', id: message.id, group: message.group });
      case 'send':
        return this.#send(message.to, message.body);
      case 'addresses': {
        const { group, epoch, addresses, gone } = message;
        return this.#step({ type: 'addressesWanted', group, epoch, addresses, gone });
      }
    }
  }

  /** What a client is told first. */
  welcome(): FromHeart {
    return {
      type: 'welcome',
      node: this.#options.setup.node,
      boot: this.boot,
      startedAt: this.startedAt,
      speaks: toldRange(LOCAL_PROTOCOL),
      claims: this.#core.claims(this.#options.clock.now()),
      addresses: this.#core.addresses(),
    };
  }

  /** Control said hello. */
  controlConnected(): void {
    this.#step({ type: 'controlConnected' });
  }

  /** Reports everything there is to know, for a client that just came. */
  reportAll(): void {
    this.#step({ type: 'reportAsked' });
  }

  /** Gives up all leases and addresses; heartbeats go on. */
  giveUp(): void {
    this.#step({ type: 'stopAsked' });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#options.terms?.close();
    this.#udp.close();
    this.#share?.close();
    this.#options.holdings?.addresses.close();
    this.#options.holdings?.marks.remove();
  }

  meters(): HeartMeters {
    const links = this.#udp.meters.map((meters) => ({ ...meters }));
    return { links, ...this.#counts, latestWakeMs: this.#wake.latestMs };
  }

  /** Looks at the world and at the clock; `planned` is when it wanted to. */
  #loop(planned: Instant): void {
    if (this.#closed) return;
    const { clock, holdings } = this.#options;
    this.#noteWake(planned);
    if (this.#sleep.slept()) this.#step({ type: 'timeLost' });
    if (holdings !== undefined) this.#lookAtLinks(holdings.addresses);
    if (clock.now() >= this.#core.nextWakeAt()) this.#step({ type: 'timePassed' });
    this.#reportMeters();
    const now = clock.now();
    const pollMs = holdings === undefined ? POLL_MS_WITHOUT_ADDRESSES : POLL_MS;
    const next = Math.min(now + pollMs, this.#core.nextWakeAt()) as Instant;
    const again = (): void => this.#contained(() => this.#loop(next));
    this.#timer = setTimeout(again, Math.max(1, Math.ceil(next - now)));
  }

  /** Whatever comes from outside enters through here. */
  #contained(work: () => void): void {
    const { broken } = this.#options;
    if (broken === undefined) return work();
    try {
      work();
    } catch (error) {
      broken(error);
    }
  }

  #noteWake(planned: Instant): void {
    const now = this.#options.clock.now();
    if (now > this.#wake.windowEndsAt) {
      this.#wake = { latestMs: 0, windowEndsAt: now + WAKE_WINDOW_MS };
    }
    this.#wake.latestMs = Math.max(this.#wake.latestMs, now - planned);
  }

  #reportMeters(): void {
    const now = this.#options.clock.now();
    if (now < this.#metersAt) return;
    this.#metersAt = plus(now, METERS_EVERY_MS);
    this.#options.report({ type: 'meters', meters: this.meters() });
  }

  #lookAtLinks(addresses: AddressKeeper): void {
    if (!addresses.poll() && this.#carriers.size > 0) return;
    for (const link of this.#links) {
      const carrier = addresses.hasCarrier(link);
      if (this.#carriers.get(link) === carrier) continue;
      this.#carriers.set(link, carrier);
      this.#options.log[carrier ? 'info' : 'warn']('carrier changed', { link, carrier });
      this.#step({ type: 'carrierChanged', link, carrier });
    }
  }

  #step(event: Untimed): void {
    this.#queue.push(event);
    assert(this.#queue.length < QUEUE_MAX, 'effects do not breed events without end');
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        const timed: HeartEvent = { ...next, now: this.#options.clock.now() };
        for (const effect of this.#core.step(timed)) this.#carryOut(effect);
      }
    } finally {
      this.#busy = false;
    }
  }

  #carryOut(effect: HeartEffect): void {
    switch (effect.type) {
      case 'send': {
        if (this.#share !== undefined && this.#isShare(effect.to)) {
          return effect.body.kind === 'heartbeat' ? this.#share.beat(effect.body) : undefined;
        }
        const datagram = this.#guard.seal(effect.to, effect.body);
        assert(datagram !== undefined, 'heartbeats and answers fit a datagram');
        return this.#udp.send(effect.link, effect.to, datagram);
      }
      case 'mark':
        return this.#mark(effect);
      case 'hold': {
        const { group, address, until, renewal } = effect;
        const result = this.#holdings().addresses.hold(address, until, renewal);
        return this.#step({ type: 'addressDone', group, resource: address.resource, result });
      }
      case 'drop':
        return this.#holdings().addresses.drop(effect.address);
      case 'rememberTerm':
        return this.#rememberTerm(effect.termMs);
      case 'announce':
        return this.#holdings().addresses.announce(effect.address, effect.until);
      case 'report':
        return this.#report(effect.message);
    }
  }

  #rememberTerm(termMs: number): void {
    const { terms } = this.#options;
    const remembered = (): void => this.#step({ type: 'termRemembered', termMs });
    if (terms === undefined) return remembered();
    terms.remember(termMs, () => this.#contained(remembered));
  }

  /** A witness that is a share answers like one that sends datagrams. */
  #openShare(): ShareLink | undefined {
    const { clock, log, report, setup, setupFile } = this.#options;
    const { witness } = setup.config;
    const [link] = shareLink(setup.config);
    if (witness === undefined || link === undefined || setupFile === undefined) return undefined;
    const boot = newBoot();
    const from = witness.id;
    return new ShareLink({
      ...{ clock, log, setupFile, link },
      answered: (body) =>
        this.#contained(() => this.#step({ type: 'heard', from, boot, link, body })),
      said: (body) => this.#contained(() => report({ type: 'message', from, body })),
    });
  }

  #isShare(id: NodeId): boolean {
    return id === this.#options.setup.config.witness?.id;
  }

  #report(message: FromHeart): void {
    if (message.type !== 'peers') return this.#options.report(message);
    const trouble = this.#share?.trouble;
    const peers = message.peers.map((peer) => {
      const judged = this.#versions.judged(peer, this.#guard.speaks(peer.node));
      if (trouble === undefined || !this.#isShare(peer.node)) return judged;
      return { ...judged, reason: `${judged.reason}: ${trouble}` };
    });
    this.#options.report({ ...message, peers });
  }

  #holdings(): Holdings {
    return must(this.#options.holdings, 'only a heart with holdings is asked for a group');
  }

  #mark(effect: Extract<HeartEffect, { type: 'mark' }>): void {
    const { group, epoch, validUntil } = effect;
    const { marks } = this.#holdings();
    try {
      // What was slept since the core was last told of it makes the mark void.
      marks.write(group, { epoch, validUntil, sleptMs: this.#sleep.sleptMs });
    } catch (error) {
      // A mirror without a mark holds back its answers: safe, and someone must act.
      this.#options.log.error('lease mark not written', { group, error: messageOf(error) });
    }
  }

  #send(to: NodeId, body: unknown): void {
    const { setup, report, log } = this.#options;
    if (to === setup.node) return report({ type: 'message', from: to, body });
    if (this.#share !== undefined && this.#isShare(to)) return this.#share.ask(body);
    const target = this.#core.targets().find((peer) => peer.id === to);
    if (target === undefined) return log.warn('message to a stranger not sent', { to });
    this.#messages += 1;
    const message: MessageBody = { kind: 'message', id: this.#messages, body };
    for (const link of target.links) {
      const datagram = this.#guard.seal(to, message);
      if (datagram === undefined) return log.error('message not sent, too long', { to });
      this.#udp.send(link, to, datagram);
    }
  }

  #datagram(link: LinkId, datagram: Uint8Array, from: NodeId | undefined): void {
    if (from === undefined) {
      this.#counts.unknown += 1;
      return;
    }
    const { admission, clock } = this.#options;
    if (admission?.take(clock.now()) === false) {
      this.#counts.refused += 1;
      return;
    }
    const opened = this.#guard.open(datagram, this.#options.clock.now());
    if (opened.type !== 'fresh') this.#counts[opened.type] += 1;
    if ('reply' in opened && opened.reply !== undefined) this.#udp.send(link, from, opened.reply);
    if (opened.type === 'incompatible') this.#versions.refused(opened.from, opened.speaks);
    if (opened.type === 'fresh') this.#fresh(link, opened);
  }

  #fresh(link: LinkId, opened: Extract<Opened, { type: 'fresh' }>): void {
    const { from, boot, body } = opened;
    this.#versions.accepted(from);
    const said = body?.kind === 'message' ? undefined : body;
    this.#step({ type: 'heard', from, boot, link, body: said });
    if (body?.kind !== 'message' || !this.#isNew(from, boot, body.id)) return;
    this.#options.report({ type: 'message', from, body: body.body });
  }

  /** Messages come once per link; one is enough. */
  #isNew(from: NodeId, boot: BootId, id: number): boolean {
    let received = this.#received.get(from);
    if (received?.boot !== boot) {
      received = { boot, ids: new ReplayWindow(0) };
      this.#received.set(from, received);
    }
    return received.ids.take(id);
  }
}
