/**
 * The witness's log: one JSON object per line in `RUNDIR/log/witness.log`, the same fields as those
 * of other daemons. A file on tmpfs, for nobody can make its writer wait; of bounded length, for a
 * cluster may fail again and again; and without a library, because memory is what a witness has
 * little of.
 */
import { mkdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../../ports/log.ts';
import { openLog, trimLog } from '../../adapters/supervise/child-log.ts';

/** So many lines between two looks at the length of the file. */
const LINES_PER_TRIM = 1000;

type Fields = Readonly<Record<string, unknown>>;

export class WitnessLog {
  readonly #path: string;
  readonly #fd: number;
  #lines = 0;

  constructor(runDir: string) {
    const directory = join(runDir, 'log');
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#path = join(directory, 'witness.log');
    trimLog(this.#path);
    this.#fd = openLog(this.#path);
  }

  /** A log whose lines carry these fields as well; `debug` is left out. */
  with(bindings: Fields): Log {
    const line = (level: string) => (message: string, fields?: Fields) =>
      this.#write({ level, ...bindings, ...fields, msg: message });
    return {
      debug: () => undefined,
      info: line('info'),
      warn: line('warn'),
      error: line('error'),
    };
  }

  #write({ level, ...rest }: Fields): void {
    const time = new Date().toISOString();
    const text = JSON.stringify(
      { level, time, name: 'witness', pid: process.pid, ...rest },
      (_key, value: unknown) => (value instanceof Error ? readable(value) : value),
    );
    try {
      writeSync(this.#fd, `${text}\n`);
      this.#lines += 1;
      if (this.#lines % LINES_PER_TRIM === 0) trimLog(this.#path);
    } catch {
      // The file system for run-time files is full: the witness must go on, log or no log.
    }
  }
}

/** JSON shows an Error as `{}`; people need its message. */
function readable(error: Error): unknown {
  return { type: error.name, message: error.message, stack: error.stack };
}
