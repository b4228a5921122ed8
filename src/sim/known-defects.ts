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
 * Not recognised here, so that it is a failure of a run:
 *
 *   unreported  a mirror that tells a new control process that a copy is silent does not tell that the
 *             copy had caught up before: once it answers, nobody votes it in until it connects anew
 *   unheard   a request to start stays without an answer when the owner's heart did not hear
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
