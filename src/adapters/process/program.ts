/**
 * A supervised program (see ports/program-runner.ts).
 *
 *     absent ──launch──► running ──main process ends──► ended ──forget (nothing left)──► absent
 *                           ▲
 *     record of an earlier process, main process alive
 *
 * Invariants: nothing runs that the record does not tell of (a prepared process runs nothing yet,
 * and ends with this one); a process gets a signal only if its start time is the recorded one;
 * `absent` only when the containment was seen empty.
 */
import type { ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { InvariantError, assert, must } from '../../base/assert.ts';
import type { CancelSignal } from '../../base/cancel-signal.ts';
import { TakoError, messageOf } from '../../base/tako-error.ts';
import type { Log } from '../../ports/log.ts';
import type { Program, ProgramSpec, ProgramState } from '../../ports/program-runner.ts';
import {
  findPopulatedGroup,
  hasCgroups,
  makeCgroup,
  tryRemoveGroup,
  uniqueSuffix,
} from './cgroup.ts';
import { type Containment, cgroupContainment, scanContainment } from './containment.ts';
import { executesProgram, giveWord, prepareProcess } from './launch.ts';
import { endOfOutput, lastLines, openOutput, outputSize, tryBoundOutput } from './output.ts';
import { signalNumber, signalProcess } from './pidfd.ts';
import { type ProcessId, findAlive, isAlive, readProcess } from './proc.ts';
import {
  type ProgramRecord,
  readProgramRecord,
  removeProgramRecord,
  writeProgramRecord,
} from './program-record.ts';
import { findUser } from './user.ts';
import { pollUntil } from './wait.ts';

/** How soon the death of a program that is not our child is noticed. */
const WATCH_MS = 25;
const OUTPUT_CHECK_MS = 200;
const EMPTY_POLL_MS = 2;
const FREEZE_MS_MAX = 2000;
const UNDO_MS_MAX = 1000;
/** A prepared process that nobody launches by then ends. */
const PREPARED_MS_MAX = 10_000;
const NEVER_CANCELLED: CancelSignal = new AbortController().signal;

export interface ProgramOptions {
  readonly name: string;
  /** Names the node among all nodes that may share this machine. */
  readonly node: string;
  readonly recordPath: string;
  readonly outputPath: string;
  /** Whether to try control groups at all. */
  readonly cgroups: boolean;
  readonly log: Log;
}

interface Running {
  readonly record: ProgramRecord;
  readonly containment: Containment;
  readonly main: ProcessId | undefined;
  /** Our child: its end comes as an event. Otherwise it is looked for. */
  readonly child: boolean;
  /** How the main process ended, once it has. */
  how: string | undefined;
}

/** A process that is to become the program. */
interface Prepared {
  readonly spec: ProgramSpec;
  readonly marker: string;
  readonly cgroup: string | undefined;
  readonly outputFrom: number;
  readonly child: ChildProcess;
}

export class SupervisedProgram implements Program {
  readonly #options: ProgramOptions;
  readonly #listeners: ((how: string) => void)[] = [];
  readonly #endWaiters = new Set<() => void>();
  #watchTimer: NodeJS.Timeout | undefined;
  #outputTimer: NodeJS.Timeout | undefined;
  #running: Running | undefined;
  #prepared: Promise<Prepared> | undefined;
  #preparedTimer: NodeJS.Timeout | undefined;

  /** Adopts what the record tells of, or, should it be lost, what else can be found. */
  constructor(options: ProgramOptions) {
    this.#options = options;
    const record = readProgramRecord(options.recordPath);
    if (record === 'absent' || record === 'unreadable') this.#adoptLost(record);
    else this.#adopt(record);
  }

  state(): ProgramState {
    const running = this.#running;
    if (running === undefined) return { type: 'absent' };
    this.#look();
    const { how, main } = running;
    if (how === undefined) return { type: 'running', pid: must(main, 'it runs').pid };
    return { type: 'ended', how, left: running.containment.members().map((info) => info.pid) };
  }

  prepare(spec: ProgramSpec): void {
    if (this.#running !== undefined || this.#prepared !== undefined) return;
    const prepared = this.#prepare(spec);
    this.#prepared = prepared;
    // What failed here is tried again by the launch, which says why it fails.
    prepared.catch(() => undefined);
    this.#preparedTimer = setTimeout(() => void this.#takePrepared(undefined), PREPARED_MS_MAX);
  }

  async launch(spec: ProgramSpec): Promise<void> {
    const { name, recordPath } = this.#options;
    assert(this.#running === undefined || this.#isEmpty(), 'launched only when nothing is left');
    this.forget();
    const prepared = (await this.#takePrepared(spec)) ?? (await this.#prepare(spec));
    const { marker, cgroup, outputFrom, child } = prepared;
    const record: ProgramRecord = { format: 1, marker, cgroup, main: undefined, outputFrom };
    const containment = this.#contain(record);
    this.#running = { record, containment, main: undefined, child: true, how: 'it never ran' };
    try {
      writeProgramRecord(recordPath, record);
      giveWord(child, spec.input);
      this.#take(record, child);
    } catch (cause) {
      await this.#undoLaunch();
      if (cause instanceof TakoError || cause instanceof InvariantError) throw cause;
      throw cannotLaunch(name, cause);
    }
  }

  async #prepare(spec: ProgramSpec): Promise<Prepared> {
    const { name, outputPath, log } = this.#options;
    const user = await findUser(spec.user);
    const unique = uniqueSuffix();
    const marker = `${markerPrefix(this.#options)}${unique}`;
    const group = `${cgroupPrefix(this.#options)}${unique}`;
    const cgroup = this.#options.cgroups ? makeCgroup(group, log) : undefined;
    if (cgroup === undefined) log.warn('no control group, /proc is searched instead', { name });
    let output: number | undefined;
    try {
      const outputFrom = outputSize(outputPath);
      mkdirSync(dirname(outputPath), { recursive: true, mode: 0o755 });
      output = openOutput(outputPath, user);
      const child = await prepareProcess({ spec, user, marker, cgroup, output });
      return { spec, marker, cgroup, outputFrom, child };
    } catch (cause) {
      if (cgroup !== undefined) tryRemoveGroup(cgroup, log);
      if (cause instanceof TakoError || cause instanceof InvariantError) throw cause;
      throw cannotLaunch(name, cause);
    } finally {
      if (output !== undefined) closeSync(output);
    }
  }

  /** What was prepared, if it is for this and still there; anything else ends. */
  async #takePrepared(spec: ProgramSpec | undefined): Promise<Prepared | undefined> {
    clearTimeout(this.#preparedTimer);
    const preparing = this.#prepared;
    this.#prepared = undefined;
    const prepared = await preparing?.catch(() => undefined);
    if (prepared === undefined) return undefined;
    const { child, cgroup } = prepared;
    // Its end as an event may still be to come.
    const info = child.pid === undefined ? undefined : readProcess(child.pid);
    const reaped = child.exitCode !== null || child.signalCode !== null;
    const alive = !reaped && info !== undefined && isAlive(info);
    if (alive && spec !== undefined && isDeepStrictEqual(spec, prepared.spec)) return prepared;
    const release = (): void => {
      if (cgroup !== undefined) tryRemoveGroup(cgroup, this.#options.log);
    };
    if (!alive) release();
    else child.once('exit', release);
    child.stdin?.end();
    return undefined;
  }

  executes(): boolean {
    const main = this.#running?.main;
    return main !== undefined && findAlive(main) !== undefined && executesProgram(main.pid);
  }

  ended(withinMs: number, cancel: CancelSignal): Promise<boolean> {
    this.#look();
    if (this.#running?.how !== undefined || this.#running === undefined) {
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.#endWaiters.delete(finish);
        cancel.removeEventListener('abort', finish);
        resolve(this.#running?.how !== undefined);
      };
      const timer = setTimeout(finish, cancel.aborted ? 0 : withinMs);
      this.#endWaiters.add(finish);
      cancel.addEventListener('abort', finish);
    });
  }

  empty(withinMs: number, cancel: CancelSignal): Promise<boolean> {
    return pollUntil(() => this.#isEmpty(), { everyMs: EMPTY_POLL_MS, withinMs, cancel });
  }

  signalMain(signal: string): void {
    signalNumber(signal);
    const main = this.#running?.main;
    if (main !== undefined) signalProcess(main, signal);
  }

  signalAll(signal: string): void {
    for (const info of this.#running?.containment.members() ?? []) signalProcess(info, signal);
  }

  killAll(): void {
    this.#running?.containment.killAll();
    // A main process that moved itself out of its group.
    this.signalMain('SIGKILL');
  }

  describeLeft(): string {
    const members = this.#running?.containment.members() ?? [];
    return members.map((info) => `${info.pid} (${info.name}, state ${info.state})`).join(', ');
  }

  freeze(): Promise<void> {
    return this.#setFrozen(true);
  }

  thaw(): Promise<void> {
    return this.#setFrozen(false);
  }

  forget(): void {
    const running = this.#running;
    if (running === undefined) return;
    assert(this.#isEmpty(), 'forgotten only when nothing is left');
    clearInterval(this.#watchTimer);
    clearInterval(this.#outputTimer);
    running.containment.release();
    removeProgramRecord(this.#options.recordPath);
    this.#running = undefined;
  }

  lastOutput(): string {
    return lastLines(this.#options.outputPath, this.#running?.record.outputFrom ?? 0);
  }

  outputEnd(bytesMax: number): string {
    const { outputPath } = this.#options;
    return endOfOutput(outputPath, this.#running?.record.outputFrom ?? 0, bytesMax);
  }

  onEnd(listener: (how: string) => void): void {
    this.#listeners.push(listener);
  }

  #take(record: ProgramRecord, child: ChildProcess): void {
    const pid = must(child.pid, 'the process exists');
    const main = must(
      readProcess(pid),
      'a child stays until it is reaped, which is in this thread',
    );
    const taken: ProgramRecord = { ...record, main: { pid, startTime: main.startTime } };
    const containment = this.#contain(taken);
    const running: Running = {
      record: taken,
      containment,
      main: taken.main,
      child: true,
      how: undefined,
    };
    this.#running = running;
    // Its end may have been noticed already, and its event is then still to come.
    child.once('exit', (code, signal) => this.#end(running, exitText(code, signal)));
    this.#watchOutput();
    writeProgramRecord(this.#options.recordPath, taken);
  }

  #adopt(record: ProgramRecord): void {
    const containment = this.#contain(record);
    const alive = record.main !== undefined && findAlive(record.main) !== undefined;
    const how = alive ? undefined : 'it ended while nobody watched it, how is not known';
    this.#running = { record, containment, main: record.main, child: false, how };
    this.#watchOutput();
    if (!alive) return;
    this.#options.log.info('running program adopted', { name: this.#options.name, ...record.main });
    this.#watchTimer = setInterval(() => this.#look(), WATCH_MS).unref();
  }

  /**
   * No usable record: usually nothing runs. If something does, nobody knows which process is the
   * main one, so all of it counts as remains.
   */
  #adoptLost(record: 'absent' | 'unreadable'): void {
    const { name, log, outputPath, cgroups } = this.#options;
    const cgroup = cgroups ? findPopulatedGroup(cgroupPrefix(this.#options), log) : undefined;
    // Not searched in /proc without need: that reads the memory of foreign processes, which waits
    // while one of them hangs in a page fault.
    if (record === 'absent' && cgroup === undefined && cgroups && hasCgroups()) return;
    const outputFrom = outputSize(outputPath);
    const marker = markerPrefix(this.#options);
    const found: ProgramRecord = { format: 1, marker, cgroup, main: undefined, outputFrom };
    const containment = this.#contain(found);
    if (record === 'absent' && containment.isEmpty()) return;
    const left = containment.members().map((info) => info.pid);
    log.warn('processes of a program without a usable record', { name, record, left });
    const how = 'its record is lost, how is not known';
    this.#running = { record: found, containment, main: undefined, child: false, how };
    this.#watchOutput();
  }

  #contain(record: ProgramRecord): Containment {
    if (record.cgroup !== undefined) return cgroupContainment(record.cgroup, this.#options.log);
    return scanContainment({ marker: record.marker, main: record.main });
  }

  #isEmpty(): boolean {
    const running = this.#running;
    if (running === undefined) return true;
    const mainGone = running.main === undefined || findAlive(running.main) === undefined;
    return mainGone && running.containment.isEmpty();
  }

  #watchOutput(): void {
    const { outputPath, log } = this.#options;
    const check = (): void => tryBoundOutput(outputPath, log);
    this.#outputTimer = setInterval(check, OUTPUT_CHECK_MS).unref();
  }

  /** For adopted programs; the end of a child comes as an event, with its exit code. */
  #look(): void {
    const running = this.#running;
    if (running?.main === undefined || running.how !== undefined || running.child) return;
    if (findAlive(running.main) !== undefined) return;
    this.#end(running, 'it ended, how is not known because an earlier control launched it');
  }

  #end(running: Running, how: string): void {
    if (running.how !== undefined) return;
    running.how = how;
    if (running !== this.#running) return;
    clearInterval(this.#watchTimer);
    for (const waiter of [...this.#endWaiters]) waiter();
    for (const listener of this.#listeners) listener(how);
  }

  /** A launch failed half-way. What cannot be undone stays as `ended` with something left. */
  async #undoLaunch(): Promise<void> {
    this.killAll();
    if (await this.empty(UNDO_MS_MAX, NEVER_CANCELLED)) this.forget();
  }

  async #setFrozen(frozen: boolean): Promise<void> {
    const { name } = this.#options;
    const what = frozen ? 'freeze' : 'thaw';
    const containment = this.#running?.containment;
    if (containment === undefined || !containment.setFrozen(frozen)) {
      throw new TakoError('agent-failed', `Cannot ${what} "${name}": it has no control group`);
    }
    const cancel = NEVER_CANCELLED;
    const done = (): boolean => containment.isFrozen() === frozen || containment.isEmpty();
    if (await pollUntil(done, { everyMs: EMPTY_POLL_MS, withinMs: FREEZE_MS_MAX, cancel })) return;
    throw new TakoError('timed-out', `Cannot ${what} "${name}": not all processes followed`);
  }
}

function cannotLaunch(name: string, cause: unknown): TakoError {
  return new TakoError('agent-failed', `Cannot launch "${name}": ${messageOf(cause)}`, { cause });
}

/** Beginning of the marker of every launch of the program. */
function markerPrefix({ node, name }: ProgramOptions): string {
  return `${node}:${name}:`;
}

/** Beginning of the name of every control group of the program. */
function cgroupPrefix({ node, name }: ProgramOptions): string {
  return `tako-${node}-${name}-`;
}

function exitText(code: number | null, signal: NodeJS.Signals | null): string {
  return signal === null ? `exit code ${code}` : `killed by ${signal}`;
}
