/**
 * `RUNDIR/programs/NAME.json`: what a later control needs to find a running program again. It is
 * lost at a reboot together with the program. Written before the program is launched, without
 * `main`, so that nothing ever runs that no record tells of.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoCode } from '../errno-code.ts';
import type { ProcessId } from './proc.ts';

export interface ProgramRecord {
  readonly format: 1;
  /** Value of the marker variable; unique for the launch. */
  readonly marker: string;
  /** Directory of its control group, if it has one. */
  readonly cgroup: string | undefined;
  readonly main: ProcessId | undefined;
  /** Size of its output file before the launch. */
  readonly outputFrom: number;
}

export function writeProgramRecord(path: string, record: ProgramRecord): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

export function removeProgramRecord(path: string): void {
  rmSync(path, { force: true });
}

/** `absent`, or `unreadable` for anything that is not a whole record. */
export function readProgramRecord(path: string): ProgramRecord | 'absent' | 'unreadable' {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return isRecord(value) ? value : 'unreadable';
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return 'absent';
    if (error instanceof SyntaxError) return 'unreadable';
    throw error;
  }
}

function isRecord(value: unknown): value is ProgramRecord {
  if (typeof value !== 'object' || value === null) return false;
  const field = (key: string): unknown => Reflect.get(value, key);
  const main = field('main');
  return (
    field('format') === 1 &&
    typeof field('marker') === 'string' &&
    ['string', 'undefined'].includes(typeof field('cgroup')) &&
    typeof field('outputFrom') === 'number' &&
    (main === undefined || isProcessId(main))
  );
}

function isProcessId(value: unknown): value is ProcessId {
  if (typeof value !== 'object' || value === null) return false;
  if (!('pid' in value) || !('startTime' in value)) return false;
  return Number.isSafeInteger(value.pid) && Number.isSafeInteger(value.startTime);
}
