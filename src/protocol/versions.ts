/**
 * Which versions this release speaks and reads, and how two sides agree on one.
 *
 * Each side tells its range; the higher common version is used. A side that tells none is of the
 * first release and speaks version 1. What a later version adds is used only where everybody
 * concerned speaks it (`FEATURES`). Formats on disk carry one version each: a newer one than known
 * is refused and left untouched. How to raise a version: docs/decisions/0023-versions.md.
 *
 * Invariant: adjacent releases have a version in common, so `oldest` of a release is at most
 * `newest` of the release before it.
 */

export interface VersionRange {
  readonly oldest: number;
  readonly newest: number;
}

/** Between members: packets, votes, controls, streams of mirrors, the witness. */
export const CLUSTER_PROTOCOL: VersionRange = { oldest: 1, newest: 4 };

/** Between the processes of one node: the sockets of heart, mirrors and witness. */
export const LOCAL_PROTOCOL: VersionRange = { oldest: 1, newest: 3 };

/** Of the first release, which did not tell its versions. */
export const FIRST_PROTOCOL: VersionRange = { oldest: 1, newest: 1 };

/** From which version of the cluster protocol on something may be said. */
export const FEATURES = {
  /** A record may say that an administrator forced it (`OwnershipRecord.forced`). */
  forcedRecords: 2,
  /** A copy may say that it is kept aside (`CopyWorth`). */
  keptCopies: 2,
  /** A copy can be verified (`verification.ts`). */
  verification: 3,
  /** A copy may say what it stored, and what it changed as the primary (`ActivitySegment`). */
  activity: 4,
} as const;

/** Newest version that this release reads and writes, of each format that outlives an upgrade. */
export const FORMATS = {
  /** `acceptor.log` */
  recordLog: 1,
  /** `mirrors/G.R.json` */
  copyNote: 1,
  /** `events.ndjson` */
  eventLog: 1,
  /** Slots of a share that is a witness. */
  share: 1,
  /** `decisions/*.ndjson`, and what `tako why --save` writes */
  decisions: 1,
  /** `lease/G` */
  leaseMark: 0,
  /** What programs say on their report socket. */
  report: 1,
} as const;

/** The highest version that both speak; undefined when there is none. */
export function commonVersion(a: VersionRange, b: VersionRange): number | undefined {
  const version = Math.min(a.newest, b.newest);
  return version >= Math.max(a.oldest, b.oldest) ? version : undefined;
}

/** From which version of the local protocol on something may be said. */
export const LOCAL_FEATURES = {
  /** A mirror can be told to keep its copy aside (`follow` with `keepBefore`). */
  keepAside: 2,
  /** A mirror can be told to verify its copies (`verify`). */
  verify: 3,
} as const;

/** What a side said it speaks; undefined for what is no range. */
export function readRange(said: unknown): VersionRange | undefined {
  if (said === undefined) return FIRST_PROTOCOL;
  if (typeof said !== 'object' || said === null) return undefined;
  const { oldest, newest } = said as Readonly<Record<string, unknown>>;
  if (!isVersion(oldest) || !isVersion(newest) || oldest > newest) return undefined;
  return { oldest, newest };
}

/** What this side tells: nothing while it speaks no more than the first release did. */
export function toldRange(range: VersionRange): VersionRange | undefined {
  return range.newest === FIRST_PROTOCOL.newest ? undefined : range;
}

/** Why two sides cannot speak with each other, which of them is too old, and what to do. */
export function noCommonVersion(
  own: { readonly name: string; readonly speaks: VersionRange },
  other: { readonly name: string; readonly speaks: VersionRange },
): { readonly why: string; readonly next: string } {
  const old = own.speaks.newest < other.speaks.newest ? own.name : other.name;
  const why =
    `no version of the protocol in common: ${other.name} speaks ${words(other.speaks)}, ` +
    `${own.name} speaks ${words(own.speaks)}; ${old} is too old`;
  return { why, next: `Upgrade Tako on ${old}, one release at a time` };
}

function words({ oldest, newest }: VersionRange): string {
  return oldest === newest ? `${oldest}` : `${oldest} to ${newest}`;
}

function isVersion(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 1;
}
