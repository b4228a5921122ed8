/**
 * Defects of the core that the simulator has found and that are not mended yet. It makes up for
 * them, or ends a life that came upon one, so that it goes on finding others; each has a test that
 * runs without this and is expected to fail (`test/sim/small-lives.test.ts`). Who mends one takes its
 * entry out here and there.
 *
 *   asleep    a mirror trusts the lease mark that it has read to its end by a clock that stands still
 *             while the machine sleeps: after it wakes, what its copies had confirmed before is
 *             acknowledged in an epoch that is over, though nothing of it is lost; a heart that hangs
 *             or is dead at that time leaves such a mark standing
 *
 * Not recognised here, so that they are failures of a run:
 *
 *   unread    a control process that takes up a running group goes by the record that its own acceptor
 *             has stored, which may never have been chosen: it gives up a copy that the chosen record
 *             has in sync, and writes are acknowledged that this copy lacks (P1)
 *   reopened  a control process that finds that its claim was completed unseals the mirrors that the
 *             process before had sealed before it claims anew: a copy confirms what the former primary
 *             still sends (N3)
 *   rivals    five nodes that read a record over slow links outbid one another for ever
 *   unheard   a request to start stays without an answer when the owner's heart did not hear
 *   left-out  a copy that is there and answers is never in sync again
 */
export type KnownName = 'asleep';

/** A life came upon a defect that is known. */
export class KnownDefect extends Error {
  override readonly name = 'KnownDefect';
  readonly defect: KnownName;

  constructor(defect: KnownName) {
    super(`the known defect "${defect}" showed itself`);
    this.defect = defect;
  }
}
