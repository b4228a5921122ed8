/**
 * Notices that the machine slept: CLOCK_MONOTONIC, by which leases are measured, stands still then,
 * and CLOCK_BOOTTIME goes on.
 */
import koffi from 'koffi';
import { must } from '../../base/assert.ts';

const CLOCK_MONOTONIC = 1;
const CLOCK_BOOTTIME = 7;
/** Well above the time between the two readings. */
const SLEEP_MS_MIN = 20;

const clockGetTime = koffi
  .load(null)
  .func('clock_gettime', 'int', ['int', 'void *']) as unknown as (
  clock: number,
  into: BigInt64Array,
) => number;

const time = new BigInt64Array(2);

/**
 * Milliseconds that the machine has slept since it was started. Reads first the clock that goes on:
 * a pause in between can only hide a sleep, not invent one.
 */
export function sleptMs(): number {
  const boot = read(CLOCK_BOOTTIME);
  return boot - read(CLOCK_MONOTONIC);
}

function read(clock: number): number {
  clockGetTime(clock, time);
  const [seconds, nanoseconds] = time;
  return Number(must(seconds, 'two words')) * 1000 + Number(must(nanoseconds, 'two words')) / 1e6;
}

export class SleepWatch {
  #offsetMs = sleptMs();

  /** As last looked at: what may be signed with it is void once a sleep is noticed. */
  get sleptMs(): number {
    return this.#offsetMs;
  }

  /** True once after each sleep. */
  slept(): boolean {
    const offsetMs = sleptMs();
    const grown = offsetMs - this.#offsetMs;
    // A pause between the two readings makes the offset look small: the largest is the best.
    if (grown > 0) this.#offsetMs = offsetMs;
    return grown > SLEEP_MS_MIN;
  }
}
