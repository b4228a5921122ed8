/** A program that the demo and the tests protect: how it is configured, and what its users see. */
import type { Lab } from '../hosts/lab.ts';
import type { LedgerAudit, LedgerReport, LedgerStats } from '../programs/ledger/wire.ts';

/** Looks at the service through its virtual IP, from the client host. */
export interface AppClient {
  /** A moment old at most; undefined before the first answer. */
  readonly stats: LedgerStats | undefined;
  mark(): Promise<void>;
  report(): Promise<LedgerReport>;
  audit(): Promise<LedgerAudit>;
  stop(): void;
}

export interface App {
  /** Of the group, and of the folder below `/srv`. */
  readonly name: string;
  /** What a record is called on the screen. */
  readonly records: string;
  readonly port: number;
  /** Longest time that its own start may take, on top of Tako's. */
  readonly startMs: number;
  /** The YAML of its `process` resource, indented below `service:`. */
  service(lab: Lab): readonly string[];
  /** Lays out what must be there before Tako starts for the first time. */
  prepare(lab: Lab): Promise<void>;
  /** Ends with SIGKILL the program that Tako runs on that host. */
  killProgram(lab: Lab, node: string): Promise<void>;
  /**
   * What the other copy lacks of that which is on the owner's now; undefined when it lacks nothing.
   * Programs that rewrite what they have written can't be looked at while they run.
   */
  lacking?(lab: Lab, owner: string, other: string): Promise<string | undefined>;
  /** `answerMs`: how long the client waits for an answer before it asks again. */
  connect(lab: Lab, address: string, answerMs?: number): AppClient;
}
