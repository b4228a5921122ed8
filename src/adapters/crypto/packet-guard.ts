/**
 * Encrypts what is sent, and lets in what is authentic and fresh.
 *
 * Keys: each run of a heart (boot) encrypts with a key of its own, derived from the cluster key, the
 * boot id, the cluster's name and the sender's; the nonce is a counter, so it is never used twice.
 * Freshness: a packet names the receiver's boot as its sender knows it. It counts only when that is
 * the present one, its counter was not seen before, and the sender's boot is its current one.
 *
 * A boot becomes current by an exchange of hellos: each side sends a challenge (a digest of a secret
 * of this run, the other's boot, and how many boots of that peer were current before) and takes the
 * boot for current that sends it back. So no recording, of whatever age, makes a dead peer live.
 *
 *     A (boot a, knows nothing)                    B (boot b, knows nothing)
 *       hello to 0                          -->      authentic, not meant for b: who are you?
 *       challenge for b             <-- hello to a, challenge cB
 *       hello to b, echo cB, challenge cA   -->      a is current
 *       b is current                <-- hello to a, echo cA
 *
 * Hellos also tell which versions of the protocol a boot speaks. One without a version in common is
 * never current: it is answered with hellos, and counts for nothing.
 *
 * Work for strangers is bounded: names and addresses outside the configuration are dropped before
 * any cryptography, and keys for unknown boots are derived at a limited rate.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import { must } from '../../base/assert.ts';
import type { Instant } from '../../base/time.ts';
import type { BootId, NodeId } from '../../protocol/ids.ts';
import {
  BOOT_BYTES,
  bootBytes,
  decodeBody,
  decodeHeader,
  encodeBody,
  encodeHeader,
  type HelloBody,
  PACKET_BYTES_MAX,
  type PacketBody,
  type PacketHeader,
  TAG_BYTES,
} from '../../protocol/packet.ts';
import {
  CLUSTER_PROTOCOL,
  FIRST_PROTOCOL,
  type VersionRange,
  commonVersion,
  toldRange,
} from '../../protocol/versions.ts';
import { ReplayWindow } from './replay-window.ts';

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const CHALLENGE_BYTES = 8;
/** Boots per peer whose keys are kept. */
const KEYS_PER_PEER_MAX = 4;
/** Keys derived for unknown boots of one peer, per second. */
const DERIVATIONS_PER_SECOND_MAX = 20;
/** Hellos sent to one peer, per second. */
const HELLOS_PER_SECOND_MAX = 100;
const UNKNOWN_BOOT = Buffer.alloc(BOOT_BYTES);

export type Opened =
  /** Authentic and fresh. `body` is undefined for a hello. `reply` is to be sent back first. */
  | {
      readonly type: 'fresh';
      readonly from: NodeId;
      readonly boot: BootId;
      readonly body: Exclude<PacketBody, HelloBody> | undefined;
      readonly reply: Uint8Array | undefined;
    }
  /** Authentic, but proves nothing. `reply` is the next step of the hellos. */
  | { readonly type: 'stale'; readonly reply: Uint8Array | undefined }
  /** Authentic and alive, but there is no version of the protocol in common. */
  | {
      readonly type: 'incompatible';
      readonly from: NodeId;
      readonly speaks: VersionRange;
      readonly reply: Uint8Array | undefined;
    }
  | { readonly type: 'malformed' | 'unknown' | 'forged' | 'refused' };

/** So many per second, counted in whole seconds of the clock. */
class Rate {
  readonly #limit: number;
  #second = -1;
  #count = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  take(now: Instant): boolean {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) this.#count = 0;
    this.#second = second;
    this.#count += 1;
    return this.#count <= this.#limit;
  }
}

interface Peer {
  readonly id: NodeId;
  /** By boot, the latest used last. */
  readonly keys: Map<BootId, KeyObject>;
  readonly derivations: Rate;
  readonly hellos: Rate;
  current:
    | { readonly boot: BootId; readonly window: ReplayWindow; readonly speaks: VersionRange }
    | undefined;
  /** How many boots were current before; part of the challenge. */
  generation: number;
}

export interface PacketGuardOptions {
  readonly cluster: string;
  readonly key: Uint8Array;
  readonly self: NodeId;
  readonly boot: BootId;
  readonly peers: readonly NodeId[];
  /** Other than this release's, for tests. */
  readonly speaks?: VersionRange | undefined;
}

export function newBoot(): BootId {
  return randomBytes(BOOT_BYTES).toString('hex') as BootId;
}

export class PacketGuard {
  readonly #options: PacketGuardOptions;
  readonly #ownKey: KeyObject;
  readonly #ownBoot: Buffer;
  readonly #secret = randomBytes(KEY_BYTES);
  readonly #peers: ReadonlyMap<NodeId, Peer>;
  readonly #speaks: VersionRange;
  #counter = 0;

  constructor(options: PacketGuardOptions) {
    this.#options = options;
    this.#speaks = options.speaks ?? CLUSTER_PROTOCOL;
    this.#ownKey = this.#derive(options.self, options.boot);
    this.#ownBoot = Buffer.from(bootBytes(options.boot));
    this.#peers = new Map(
      options.peers.map((id) => [
        id,
        {
          id,
          keys: new Map(),
          derivations: new Rate(DERIVATIONS_PER_SECOND_MAX),
          hellos: new Rate(HELLOS_PER_SECOND_MAX),
          current: undefined,
          generation: 0,
        },
      ]),
    );
  }

  /** A datagram for that peer: a hello while its boot is not known. Undefined: body too large. */
  seal(to: NodeId, body: PacketBody): Uint8Array | undefined {
    const peer = must(this.#peers.get(to), 'only peers are written to');
    if (peer.current !== undefined) return this.#encrypt(peer.current.boot, body);
    const hello = { kind: 'hello', challenge: undefined, echo: undefined } as const;
    return this.#encrypt(undefined, { ...hello, speaks: toldRange(this.#speaks) });
  }

  /** True when the peer's boot is known, so that `seal` does not replace the body by a hello. */
  knows(to: NodeId): boolean {
    return this.#peers.get(to)?.current !== undefined;
  }

  /** What the peer's present boot speaks; undefined while that is not known. */
  speaks(peer: NodeId): VersionRange | undefined {
    return this.#peers.get(peer)?.current?.speaks;
  }

  open(datagram: Uint8Array, now: Instant): Opened {
    const decoded = decodeHeader(datagram);
    if (decoded === undefined) return { type: 'malformed' };
    const { header, length } = decoded;
    const peer = this.#peers.get(header.sender);
    if (peer === undefined) return { type: 'unknown' };
    const key = this.#keyOf(peer, header.boot, now);
    if (key === undefined) return { type: 'refused' };
    const plain = decrypt(key, header, datagram, length);
    if (plain === undefined) return { type: 'forged' };
    remember(peer, header.boot, key);
    const body = decodeBody(plain.subarray(BOOT_BYTES).toString('utf8'));
    if (body === undefined) return { type: 'malformed' };
    const mine = timingSafeEqual(plain.subarray(0, BOOT_BYTES), this.#ownBoot);
    if (!mine) return { type: 'stale', reply: this.#hello(peer, header.boot, undefined, now) };
    return this.#openMine(peer, header, body, now);
  }

  /** A packet that was meant for this very run. */
  #openMine(peer: Peer, header: PacketHeader, body: PacketBody, now: Instant): Opened {
    const { boot, counter } = header;
    if (peer.current?.boot !== boot) {
      const proven = body.kind === 'hello' && body.echo === this.#challenge(peer, boot);
      if (!proven) {
        const echo = body.kind === 'hello' ? body.challenge : undefined;
        return { type: 'stale', reply: this.#hello(peer, boot, echo, now) };
      }
      const speaks = body.speaks ?? FIRST_PROTOCOL;
      if (commonVersion(this.#speaks, speaks) === undefined) {
        return this.#refuse(peer, boot, { speaks, echo: body.challenge }, now);
      }
      peer.current = { boot, window: new ReplayWindow(counter - 1), speaks };
      peer.generation += 1;
    }
    const current = must(peer.current, 'just set');
    if (!current.window.take(counter)) return { type: 'stale', reply: undefined };
    if (body.kind !== 'hello') {
      return { type: 'fresh', from: peer.id, boot, body, reply: undefined };
    }
    const reply =
      body.challenge === undefined ? undefined : this.#hello(peer, boot, body.challenge, now);
    return { type: 'fresh', from: peer.id, boot, body: undefined, reply };
  }

  /** It is told this side's versions, and proven to be answered; no proof is asked for any more. */
  #refuse(
    peer: Peer,
    boot: BootId,
    { speaks, echo }: { readonly speaks: VersionRange; readonly echo: string | undefined },
    now: Instant,
  ): Opened {
    const hello = { kind: 'hello', challenge: undefined, echo } as const;
    const told = { ...hello, speaks: toldRange(this.#speaks) };
    const answers = echo !== undefined && peer.hellos.take(now);
    const reply = answers ? this.#encrypt(boot, told) : undefined;
    return { type: 'incompatible', from: peer.id, speaks, reply };
  }

  #hello(peer: Peer, boot: BootId, echo: string | undefined, now: Instant): Uint8Array | undefined {
    if (!peer.hellos.take(now)) return undefined;
    const challenge = peer.current?.boot === boot ? undefined : this.#challenge(peer, boot);
    const speaks = toldRange(this.#speaks);
    return this.#encrypt(boot, { kind: 'hello', challenge, echo, speaks });
  }

  #challenge(peer: Peer, boot: BootId): string {
    return createHmac('sha256', this.#secret)
      .update(`${peer.id} ${boot} ${peer.generation}`)
      .digest('hex')
      .slice(0, 2 * CHALLENGE_BYTES);
  }

  #encrypt(receiver: BootId | undefined, body: PacketBody): Uint8Array | undefined {
    const { self, boot } = this.#options;
    const text = Buffer.from(encodeBody(body));
    this.#counter += 1;
    const header = encodeHeader({ sender: self, boot, counter: this.#counter });
    if (header.length + BOOT_BYTES + text.length + TAG_BYTES > PACKET_BYTES_MAX) return undefined;
    const cipher = createCipheriv(CIPHER, this.#ownKey, nonce(this.#counter));
    cipher.setAAD(header);
    const to = receiver === undefined ? UNKNOWN_BOOT : bootBytes(receiver);
    return Buffer.concat([
      header,
      cipher.update(to),
      cipher.update(text),
      cipher.final(),
      cipher.getAuthTag(),
    ]);
  }

  #keyOf(peer: Peer, boot: BootId, now: Instant): KeyObject | undefined {
    const known = peer.keys.get(boot);
    if (known !== undefined) return known;
    return peer.derivations.take(now) ? this.#derive(peer.id, boot) : undefined;
  }

  #derive(sender: NodeId, boot: BootId): KeyObject {
    const { key, cluster } = this.#options;
    const info = ['tako heart', cluster, sender].join('\0');
    const derived = hkdfSync('sha256', key, bootBytes(boot), info, KEY_BYTES);
    return createSecretKey(new Uint8Array(derived));
  }
}

/** Only keys that have opened a packet are kept, so that forged boots push out nothing. */
function remember(peer: Peer, boot: BootId, key: KeyObject): void {
  if (peer.keys.has(boot)) return;
  peer.keys.set(boot, key);
  for (const old of peer.keys.keys()) {
    if (peer.keys.size <= KEYS_PER_PEER_MAX) break;
    if (old !== peer.current?.boot) peer.keys.delete(old);
  }
}

function decrypt(
  key: KeyObject,
  header: PacketHeader,
  datagram: Uint8Array,
  headerBytes: number,
): Buffer | undefined {
  const tagAt = datagram.length - TAG_BYTES;
  const decipher = createDecipheriv(CIPHER, key, nonce(header.counter), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(datagram.subarray(0, headerBytes));
  decipher.setAuthTag(datagram.subarray(tagAt));
  try {
    const plain = decipher.update(datagram.subarray(headerBytes, tagAt));
    decipher.final();
    return plain;
  } catch {
    // The tag does not fit: another key, or changed on the way. The caller counts it.
    return undefined;
  }
}

function nonce(counter: number): Buffer {
  const bytes = Buffer.alloc(NONCE_BYTES);
  bytes.writeBigUInt64BE(BigInt(counter), NONCE_BYTES - 8);
  return bytes;
}
