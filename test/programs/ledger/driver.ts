/**
 * Starts the ledger's client in a host and speaks with it: how a scenario, the demo's screen or a
 * benchmark learns what users of the service saw.
 */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { must } from '../../../src/base/assert.ts';
import type { Host } from '../../hosts/host.ts';
import type { LedgerAudit, LedgerCommand, LedgerLine, LedgerReport, LedgerStats } from './wire.ts';

const CLIENT = fileURLToPath(new URL('./client.ts', import.meta.url));
export const SERVER = fileURLToPath(new URL('./server.mjs', import.meta.url));
const ANSWER_TIMEOUT_MS = 60_000;

export class LedgerDriver {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (line: LedgerLine) => void>();
  #nextId = 1;
  #stats: LedgerStats | undefined;
  #said = '';

  constructor(options: {
    readonly host: Host;
    /** At most eight letters and digits, unique among the clients of a ledger. */
    readonly name: string;
    readonly address: string;
    readonly port: number;
    readonly everyMs?: number | undefined;
    /** `http`, the ledger's own server, unless told. */
    readonly kind?: 'http' | 'sql' | undefined;
    /** How long an answer is waited for before it asks again; only for `http`. */
    readonly answerMs?: number | undefined;
  }) {
    const { name, address, port, everyMs = 5, kind = 'http' } = options;
    const words = [name, address, port, everyMs, kind].map(String);
    if (options.answerMs !== undefined) words.push(String(options.answerMs));
    this.#child = options.host.spawn([process.execPath, CLIENT, ...words]);
    const lines = createInterface({ input: must(this.#child.stdout, 'spawned with pipes') });
    lines.on('line', (line) => this.#take(JSON.parse(line) as LedgerLine));
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#said = (this.#said + chunk.toString('utf8')).slice(-4000);
    });
    this.#child.stdin?.on('error', () => {
      // Its host lost power; whoever waits for an answer hears so by time-out.
    });
  }

  /** The latest figures, at most a quarter of a second old; undefined before the first. */
  get stats(): LedgerStats | undefined {
    return this.#stats;
  }

  /** Begins the window that `report` tells about. */
  async mark(): Promise<void> {
    await this.#ask('mark', 'marked');
  }

  report(): Promise<LedgerReport> {
    return this.#ask('report', 'report');
  }

  /**
   * Reads everything back, through `address` if given, and compares. Throws when the service does
   * not answer.
   */
  audit(address?: string): Promise<LedgerAudit> {
    return this.#ask('audit', 'audit', { address });
  }

  stop(): void {
    this.#child.stdin?.end();
  }

  async #ask<Type extends LedgerLine['type']>(
    question: LedgerCommand['type'],
    wanted: Type,
    more: Readonly<Record<string, unknown>> = {},
  ): Promise<Extract<LedgerLine, { type: Type }>> {
    const id = this.#nextId;
    this.#nextId += 1;
    const line = await new Promise<LedgerLine>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Error(`Cannot ${question} the ledger: its client is silent: ${this.#said}`));
      }, ANSWER_TIMEOUT_MS);
      this.#waiting.set(id, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      this.#child.stdin?.write(`${JSON.stringify({ id, type: question, ...more })}\n`);
    });
    if (line.type === 'failed') throw new Error(`Cannot ${question} the ledger: ${line.problem}`);
    if (line.type !== wanted) throw new Error(`Expected "${wanted}", the client says ${line.type}`);
    return line as Extract<LedgerLine, { type: Type }>;
  }

  #take(line: LedgerLine): void {
    if (line.type === 'stats') {
      this.#stats = line;
      return;
    }
    this.#waiting.get(line.id)?.(line);
    this.#waiting.delete(line.id);
  }
}
