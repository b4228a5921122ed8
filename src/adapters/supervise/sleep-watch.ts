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

export class SleepWatch {
  readonly #time = new BigInt64Array(2);
  #offsetMs = this.#offset();

  /** True once after each sleep. */
  slept(): boolean {
    const offsetMs = this.#offset();
    const grown = offsetMs - this.#offsetMs;
    // A pause between the two readings makes the offset look small: the largest is the best.
    if (grown > 0) this.#offsetMs = offsetMs;
    return grown > SLEEP_MS_MIN;
  }

  /** Reads the one that goes on first: a pause in between can only hide a sleep, not invent one. */
  #offset(): number {
    const boot = this.#read(CLOCK_BOOTTIME);
    return boot - this.#read(CLOCK_MONOTONIC);
  }

  #read(clock: number): number {
    clockGetTime(clock, this.#time);
    const [seconds, nanoseconds] = this.#time;
    return Number(must(seconds, 'two words')) * 1000 + Number(must(nanoseconds, 'two words')) / 1e6;
  }
}
