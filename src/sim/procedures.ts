/**
 * Everything that a cluster carries out in several durable steps, as a story that has its steps
 * counted: what is done beforehand, what begins the procedure, for how long its steps count, and
 * the marks of coverage that show that it has really happened.
 */
import type { Fault, FaultKind } from './faults.ts';

export interface Procedure {
  readonly name: string;
  readonly nodes: readonly string[];
  readonly witness: string | undefined;
  /** The records are in a store outside. */
  readonly registry: 'etcd' | undefined;
  /** Its steps count from the first power-on. */
  readonly cold: boolean;
  /** Carried out before the steps count, in `beforeMs`. */
  readonly before: readonly Fault[];
  readonly beforeMs: number;
  readonly faults: readonly Fault[];
  /** For how long its steps count. */
  readonly windowMs: number;
  /** Stays off until the end; groups must be served without it. */
  readonly lacking: string | undefined;
  /** Must be reached while its steps count, when nothing interrupts it. */
  readonly marks: readonly string[];
}

const FOR_EVER_MS = 1e9;
const BACK_MS = 300;
/** Tako is told to end that long before its machine goes off (`leave` in `faults.ts`). */
const LEAVE_MS = 4000;

const TWO = {
  ...{ nodes: ['n1', 'n2'], witness: 'w1', registry: undefined },
  ...{ cold: false, before: [], beforeMs: 0 },
} as const;
const THREE = { ...TWO, nodes: ['n1', 'n2', 'n3'], witness: undefined } as const;
const ETCD = { ...TWO, witness: undefined, registry: 'etcd' } as const;
const NOTHING = { faults: [], lacking: undefined } as const;
const WHOLE = { lacking: undefined } as const;

function happens(
  atMs: number,
  kind: FaultKind,
  node: string,
  how: { readonly forMs?: number; readonly other?: string; readonly shape?: string } = {},
): Fault {
  const { forMs = FOR_EVER_MS, other = '', shape = '' } = how;
  return { kind, atMs, forMs, node, other, link: '', group: 'db', shape, amount: 0 };
}

function off(node: string): Fault {
  return happens(0, 'power', node);
}

function move(atMs: number, to: string): Fault {
  const other = to === 'n1' ? 'n2' : 'n1';
  return happens(atMs, 'operator', other, { other: to, shape: 'move' });
}

/** Somebody vouches for it that all who are off are off. */
function forced(atMs: number, onto: string): Fault {
  return happens(atMs, 'force', onto, { shape: 'truthful' });
}

/** In standby for `forMs`, by the word of an administrator. */
function rests(atMs: number, node: string, forMs: number): Fault {
  return { ...happens(atMs, 'bar', node, { other: node, shape: 'standby', forMs }), amount: 1 };
}

/** Tako ends in order, and the machine starts again. */
function leaves(atMs: number, node: string): Fault {
  return happens(atMs, 'leave', node, { forMs: BACK_MS });
}

function restarts(atMs: number, kind: 'control' | 'heart' | 'mirror', node: string): Fault {
  return happens(atMs, kind, node, { forMs: BACK_MS });
}

/** The machine goes off, so that it can come back when the steps begin to count. */
function offUntil(backMs: number, kind: 'power' | 'memory', node: string): readonly Fault[] {
  return [happens(0, kind, node, { forMs: backMs })];
}

const EXPELLED = ['event copy-expelled', 'event voters-changed'];
/** Nobody is left to vote with n2 until then. */
function alone(backMs: number): readonly Fault[] {
  return ['n1', 'w1'].map((node) => happens(0, 'power', node, { forMs: backMs }));
}

const REJOINED = ['event copy-admitted', 'event voters-changed'];

export const PROCEDURES: readonly Procedure[] = [
  {
    ...{ ...TWO, ...NOTHING, name: 'first-start', cold: true, windowMs: 2500 },
    marks: ['event first-start', 'event online', 'event copy-admitted'],
  },
  {
    ...{ ...THREE, ...NOTHING, name: 'first-start-of-three', cold: true, windowMs: 2500 },
    marks: ['event first-start', 'event online', 'event copy-admitted'],
  },
  {
    ...{ ...TWO, name: 'failover', faults: [off('n1')], windowMs: 5000, lacking: 'n1' },
    marks: ['event failover', 'event online', 'event voters-changed'],
  },
  {
    ...{ ...THREE, name: 'failover-of-three', faults: [off('n1')], windowMs: 5000, lacking: 'n1' },
    marks: ['event failover', 'event online', 'event voters-changed'],
  },
  {
    ...{ ...TWO, ...NOTHING, name: 'owner-returns', windowMs: 4000 },
    ...{ before: offUntil(6000, 'power', 'n1'), beforeMs: 5990, marks: REJOINED },
  },
  {
    ...{ ...TWO, ...WHOLE, name: 'switchover', windowMs: 3500 },
    ...{ faults: [move(0, 'n2'), move(1500, 'n1')], marks: ['event switchover', 'event online'] },
  },
  {
    ...{ ...TWO, name: 'copy-expelled', faults: [off('n2')], windowMs: 4000, lacking: 'n2' },
    marks: EXPELLED,
  },
  {
    ...{ ...TWO, ...NOTHING, name: 'copy-admitted', windowMs: 3500 },
    ...{ before: offUntil(6000, 'power', 'n2'), beforeMs: 5990, marks: REJOINED },
  },
  {
    ...{ ...TWO, name: 'witness-gone', faults: [off('w1')], windowMs: 4000, lacking: 'w1' },
    marks: ['event voters-changed'],
  },
  {
    ...{ ...TWO, ...NOTHING, name: 'witness-back', windowMs: 3000 },
    ...{ before: offUntil(5000, 'power', 'w1'), beforeMs: 4990 },
    marks: ['event voters-changed'],
  },
  {
    ...{ ...TWO, ...NOTHING, name: 'disk-lost', windowMs: 4000 },
    ...{ before: offUntil(6000, 'memory', 'n2'), beforeMs: 5990 },
    marks: ['memory lost', ...REJOINED],
  },
  {
    ...{ ...TWO, ...NOTHING, name: 'disk-of-the-witness-lost', windowMs: 3000 },
    ...{ before: offUntil(5000, 'memory', 'w1'), beforeMs: 4990 },
    marks: ['memory lost', 'event voters-changed'],
  },
  {
    ...{ ...TWO, ...WHOLE, name: 'stop-and-start', windowMs: 3500 },
    faults: [happens(0, 'operator', 'n1', { shape: 'stop' })],
    marks: ['event stopped', 'event online'],
  },
  {
    ...{ ...TWO, ...WHOLE, name: 'owner-leaves', faults: [leaves(0, 'n1')] },
    ...{ windowMs: LEAVE_MS + 4500, marks: ['event switchover', 'event copy-admitted'] },
  },
  {
    ...{ ...TWO, ...WHOLE, name: 'copy-leaves', faults: [leaves(0, 'n2')] },
    ...{ windowMs: LEAVE_MS + 3500, marks: ['event copy-expelled', 'event copy-admitted'] },
  },
  {
    ...{ ...TWO, ...WHOLE, name: 'resource-restarted', windowMs: 2500 },
    ...{ faults: [happens(0, 'kill', 'n1')], marks: ['event resource-failed'] },
  },
  {
    ...{ ...TWO, ...WHOLE, name: 'control-restarted', windowMs: 2500 },
    ...{ faults: [restarts(0, 'control', 'n1')], marks: ['event adopted'] },
  },
  {
    ...{ ...TWO, ...WHOLE, name: 'owner-isolated', windowMs: 7000 },
    faults: [happens(0, 'isolate', 'n1', { forMs: 2500 })],
    marks: ['event failover', 'event yielding', 'event copy-admitted'],
  },
  {
    ...{ ...TWO, ...WHOLE, name: 'standby', faults: [rests(0, 'n1', 2500)], windowMs: 6000 },
    marks: ['event standby', 'event switchover', 'event standby-lifted', 'event online'],
  },
  {
    ...{ ...TWO, ...WHOLE, name: 'forced', before: alone(FOR_EVER_MS), beforeMs: 3000 },
    ...{ faults: [forced(0, 'n2')], windowMs: 4000, marks: ['event forced', 'event online'] },
  },
  {
    ...{ ...TWO, ...NOTHING, name: 'owner-returns-to-forced', windowMs: 5000 },
    ...{ before: [...alone(6000), forced(3000, 'n2')], beforeMs: 5990 },
    // Its copy is kept aside until somebody has looked at it.
    marks: ['event voters-changed'],
  },
  {
    ...{ ...ETCD, ...NOTHING, name: 'first-start-on-etcd', cold: true, windowMs: 2500 },
    marks: ['event first-start', 'event online', 'event copy-admitted'],
  },
  {
    ...{ ...ETCD, name: 'failover-on-etcd', faults: [off('n1')], windowMs: 5000, lacking: 'n1' },
    marks: ['event failover', 'event online'],
  },
  {
    ...{ ...ETCD, ...WHOLE, name: 'switchover-on-etcd', windowMs: 3500 },
    ...{ faults: [move(0, 'n2'), move(1500, 'n1')], marks: ['event switchover', 'event online'] },
  },
  {
    ...{ ...ETCD, ...NOTHING, name: 'disk-lost-on-etcd', windowMs: 4000 },
    ...{ before: offUntil(6000, 'memory', 'n2'), beforeMs: 5990 },
    marks: ['memory lost', ...REJOINED],
  },
  {
    // It meets the witness again while that votes for the other.
    ...{ ...TWO, ...WHOLE, name: 'owner-half-isolated', windowMs: 6000 },
    faults: [
      happens(0, 'pair', 'n1', { other: 'n2', forMs: 2500 }),
      happens(0, 'pair', 'n1', { other: 'w1', forMs: 650 }),
    ],
    marks: ['event failover', 'event yielding', 'event copy-admitted'],
  },
  {
    ...{ ...TWO, ...WHOLE, name: 'upgrade', windowMs: 2 * LEAVE_MS + 8500 },
    faults: [leaves(0, 'n2'), restarts(LEAVE_MS + 2500, 'heart', 'w1'), leaves(7500, 'n1')],
    marks: ['event switchover', 'event copy-expelled', 'event copy-admitted'],
  },
  {
    ...{ ...TWO, ...WHOLE, name: 'upgrade-in-place', windowMs: 7000 },
    faults: ['n2', 'w1', 'n1'].flatMap((node, index) => [
      restarts(index * 2000, 'heart', node),
      restarts(index * 2000 + 1000, 'control', node),
    ]),
    marks: ['event adopted', 'fault heart', 'fault control'],
  },
];
