/**
 * The one multiplier of all time limits in tests and tools: `TAKO_TIME_FACTOR=3 npm test` on a slow
 * or busy machine. Limits are there to end what hangs, never to prove speed.
 */
const FACTOR_MAX = 100;

export function timeFactor(environment: NodeJS.ProcessEnv = process.env): number {
  const text = environment['TAKO_TIME_FACTOR'];
  if (text === undefined || text === '') return 1;
  const factor = Number(text);
  if (!(factor > 0 && factor <= FACTOR_MAX)) {
    throw new Error(
      `Cannot use TAKO_TIME_FACTOR="${text}": expected a number above 0 and up to ${FACTOR_MAX}`,
    );
  }
  return factor;
}
