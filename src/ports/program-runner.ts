/**
 * Supervised programs. A program has a name that outlives this process: whoever asks for it by the
 * same name, in a later process too, finds what runs. It consists of its main process, which was
 * launched, and of everything that descends from it.
 */
import type { CancelSignal } from '../base/cancel-signal.ts';

export interface ProgramSpec {
  /** The program and its arguments; found through PATH unless it is a path. */
  readonly command: readonly string[];
  /** Whose rights it has: user, group and supplementary groups. Undefined: those of Tako. */
  readonly user: string | undefined;
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** What it reads on standard input; nothing unless given. */
  readonly input?: string | undefined;
}

export type ProgramState =
  /** Not launched, or stopped and known to have left nothing. */
  | { readonly type: 'absent' }
  | { readonly type: 'running'; readonly pid: number }
  /** The main process ended, `how` in words; `left` are the processes of it that still live. */
  | { readonly type: 'ended'; readonly how: string; readonly left: readonly number[] };

/** `silent`: neither accepted nor refused in time. */
export type PortAnswer = 'accepts' | 'refused' | 'silent';

export interface Program {
  state(): ProgramState;
  /**
   * Does ahead what takes time of a `launch` with this very specification that may follow soon.
   * Nothing of the program runs by it, and it is undone by itself. Unless `absent`: does nothing.
   */
  prepare(spec: ProgramSpec): void;
  /**
   * Starts the main process, in a session of its own, contained. Resolves as soon as it exists.
   * Only when `absent`, or `ended` with nothing left. Rejects with a TakoError.
   */
  launch(spec: ProgramSpec): Promise<void>;
  /** True once the main process executes the wanted program, no longer Tako's preparation. */
  executes(): boolean;
  /** Waits for the end of the main process; false when time was over or cancelled. */
  ended(withinMs: number, cancel: CancelSignal): Promise<boolean>;
  /** Waits until nothing is left of it; false when time was over or cancelled. */
  empty(withinMs: number, cancel: CancelSignal): Promise<boolean>;
  /** Sends a signal to the main process only; does nothing when it has ended. */
  signalMain(signal: string): void;
  /** Sends a signal to all that is there. */
  signalAll(signal: string): void;
  /** Kills all that is there; whether it died tells `empty`. */
  killAll(): void;
  /** What is left, each with its pid, name and kernel state, for a person. */
  describeLeft(): string;
  /** Stops all its processes where they are. Rejects with a TakoError where that is impossible. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** Nothing is left: give back what it took. It is `absent` afterwards. */
  forget(): void;
  /** The last lines that it wrote since its launch. */
  lastOutput(): string;
  /** The end of what it wrote since its launch, as it wrote it, at most so many bytes. */
  outputEnd(bytesMax: number): string;
  /** Called at the end of the main process, in whichever way it ended. */
  onEnd(listener: (how: string) => void): void;
}

export interface ProgramRunner {
  /** The same object for the same name. What an earlier process launched is adopted. */
  program(name: string): Program;
  /** Tries to connect to a port of this node, on any of its addresses. */
  probePort(port: number): Promise<PortAnswer>;
}
