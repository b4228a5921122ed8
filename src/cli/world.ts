/** What the commands need of the world. The real one is in `real-world.ts`. */
import type { CancelSignal } from '../base/cancel-signal.ts';
import type { Answer, Health } from '../client/report-client.ts';
import type { ApiClient } from '../ports/api-client.ts';
import type { RecordingText } from '../ports/recording.ts';
import type { Config } from '../protocol/config.ts';
import type { ConfigReport } from '../protocol/config-problem.ts';
import type { FromWitness, ToWitness } from '../protocol/witness.ts';

export interface LaunchRequest {
  readonly configFile: string;
  readonly node: string | undefined;
  readonly runDir: string;
  readonly stateDir: string;
}

export interface WitnessRequest {
  readonly clustersDir: string;
  readonly runDir: string;
  readonly stateDir: string;
}

export interface CliWorld {
  out(text: string): void;
  err(text: string): void;
  /** Standard output is a terminal that shows colours. */
  readonly colours: boolean;
  /** Standard output is a terminal. */
  readonly terminal: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Aborted by Ctrl-C, for commands that go on until then. */
  readonly interrupted: CancelSignal;
  pause(ms: number): Promise<void>;
  /** What a person answers; undefined where there is nobody to ask. */
  ask(question: string): Promise<string | undefined>;
  /** The word of a program on its own health. Rejects with a TakoError when Tako is not there. */
  reportHealth(socketPath: string, health: Health): Promise<Answer>;
  askAway(socketPath: string, reason: string): Promise<Answer>;
  client(socketPath: string): Promise<ApiClient>;
  /** A file that somebody saved, of up to 256 MiB. */
  readText(file: string): Promise<string>;
  /** What the control of this machine has recorded of its decisions, the newest first. */
  recordings(stateDir: string): Promise<readonly RecordingText[]>;
  recordingFile(file: string): Promise<RecordingText>;
  saveRecording(recording: RecordingText, file: string): Promise<void>;
  checkConfigFile(file: string): Promise<ConfigReport>;
  /** A configuration as Tako keeps it in its state directory. */
  keptConfig(file: string): Promise<Config>;
  createKey(file: string): Promise<void>;
  /** Runs Tako on this machine until it is stopped; its exit code. */
  launch(request: LaunchRequest): Promise<number>;
  /** Becomes the witness: does not come back. */
  becomeWitness(request: WitnessRequest): Promise<void>;
  /** Makes the directory of a cluster on its share; what was done. */
  prepareShare(configFile: string, how: { readonly replace: boolean }): Promise<string>;
  /** All lines of the answer of the witness on this machine. */
  askWitness(
    runDir: string,
    question: ToWitness,
    last: FromWitness['type'],
  ): Promise<readonly FromWitness[]>;
}
