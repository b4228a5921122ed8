/**
 * Defects of the core that the simulator has found and that are not mended yet. It makes up for
 * them, so that it goes on finding others; each has a test of its own that runs without this and is
 * expected to fail (`known-defects.test.ts`). Who mends one takes its entry out here.
 *
 *   sealed    a control process that dies between `seal` and `unseal` leaves its mirror sealed; the
 *             next one tells it to follow the same epoch, which does not unseal it, so that copy is
 *             out until the next epoch
 *   untold    what a mirror says about its copies while control is probing is dropped; a mirror
 *             says it once, so a copy that was silent then is never voted out, and writes wait
 */
import type { SimMirror } from './sim-mirror.ts';

/** How often, and how soon, a mirror repeats to a new control process what it knows. */
const REPEATS = 40;
const REPEAT_MS = 250;

export function makeUpForRestart(parts: {
  readonly mirror: SimMirror;
  readonly tell: () => void;
  /** Ends with the control process. */
  readonly later: (ms: number, run: () => void) => void;
}): void {
  const { mirror, tell, later } = parts;
  mirror.unseal();
  for (let n = 1; n <= REPEATS; n += 1) later(n * REPEAT_MS, tell);
}
