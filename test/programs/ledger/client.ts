/**
 * The ledger's client and auditor: posts numbered records without end, remembers what was
 * acknowledged and when, and at any time reads everything back and compares.
 *
 *     node client.ts NAME ADDRESS PORT [EVERY_MS [http|sql [ANSWER_MS]]]
 *
 * Steered by, and answering in, the lines of `wire.ts`. Ends when its standard input ends.
 */
import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import { SqlService } from '../postgresql/sql-service.ts';
import { HttpService } from './http-service.ts';
import type { Answer, Service } from './service.ts';
import type { LedgerClientOptions, LedgerCommand, LedgerLine, Outage } from './wire.ts';

/** Shorter silences are the way of a busy machine. */
const OUTAGE_MS = 100;
const OUTAGES_MAX = 10_000;
const VIOLATIONS_MAX = 20;
const STATS_EVERY_MS = 250;

class LedgerClient {
  readonly #options: LedgerClientOptions;
  readonly #service: Service;
  /** Differs per run, so that records of an earlier client of that name are no match. */
  readonly #salt = process.hrtime.bigint().toString(36);
  #next = 1;
  /** Raised when a server has forgotten records: the new ones must not look like the lost ones. */
  #generation = 0;
  /** For each generation: the number of its first record. */
  readonly #generationStarts: number[] = [1];
  #acknowledged = 0;
  #lost = 0;
  #violations: string[] = [];
  #lastAckAt: number | undefined;
  #instance: string | undefined;
  #opening: number | undefined;
  #outages: Outage[] = [];
  #mark = { at: 0, acknowledged: 0, longestMs: 0 };

  constructor(options: LedgerClientOptions, service: Service) {
    this.#options = options;
    this.#service = service;
    this.#mark.at = monotonicMs();
  }

  async postForEver(): Promise<never> {
    for (;;) {
      const startedAt = monotonicMs();
      const number = this.#next;
      const { name } = this.#options;
      const answer = await this.#service.post({ client: name, number, text: this.#textOf(number) });
      if (answer !== undefined) this.#take(answer, number);
      const restMs = this.#options.everyMs - (monotonicMs() - startedAt);
      await new Promise((resolve) => {
        setTimeout(resolve, Math.max(0, restMs));
      });
    }
  }

  #take({ status, body }: Answer, number: number): void {
    if (status === 200 && body['number'] === number) {
      this.#checkServer(body);
      this.#acknowledge();
      this.#next = number + 1;
      return;
    }
    const last = body['last'];
    if (status !== 409 || typeof last !== 'number') return;
    this.#checkServer(body);
    if (last >= number) {
      this.#violate(`record ${number} was refused: a server has ${last} of them`);
      this.#startGeneration(last + 1);
    } else if (last < number - 1) {
      this.#lost += number - 1 - last;
      this.#violate(`acknowledged records ${last + 1} to ${number - 1} are not there`);
      this.#startGeneration(last + 1);
    }
  }

  #startGeneration(next: number): void {
    this.#generation += 1;
    this.#generationStarts.push(next);
    this.#next = next;
  }

  #acknowledge(): void {
    const now = monotonicMs();
    this.#acknowledged += 1;
    const from = this.#lastAckAt;
    this.#lastAckAt = now;
    if (from === undefined) return;
    this.#mark.longestMs = Math.max(this.#mark.longestMs, now - Math.max(from, this.#mark.at));
  }

  /** Two servers at work show: the opening goes back, or one opening has two instances. */
  #checkServer(body: Readonly<Record<string, unknown>>): void {
    const instance = String(body['instance']);
    const opening = Number(body['opening']);
    const before = this.#instance;
    const now = monotonicMs();
    if (this.#lastAckAt !== undefined && before !== undefined) {
      const ms = now - this.#lastAckAt;
      if (ms >= OUTAGE_MS && this.#outages.length < OUTAGES_MAX) {
        this.#outages.push({ from: this.#lastAckAt, to: now, ms, instances: [before, instance] });
      }
    }
    if (this.#opening !== undefined && opening < this.#opening) {
      this.#violate(`server ${instance} of opening ${opening} answered after ${this.#opening}`);
      return;
    }
    if (opening === this.#opening && instance !== before) {
      this.#violate(`opening ${opening} has two servers, ${before} and ${instance}`);
    }
    this.#instance = instance;
    this.#opening = opening;
  }

  #violate(text: string): void {
    if (this.#violations.length < VIOLATIONS_MAX) this.#violations.push(text);
  }

  obey(command: LedgerCommand): void {
    if (command.type === 'mark') {
      this.#mark = { at: monotonicMs(), acknowledged: this.#acknowledged, longestMs: 0 };
      say({ type: 'marked', id: command.id });
    } else if (command.type === 'report') {
      this.#report(command.id);
    } else {
      this.#audit(command.id, command.address).catch((error: unknown) => {
        say({ type: 'failed', id: command.id, problem: String(error) });
      });
    }
  }

  sayStats(): void {
    say({ type: 'stats', ...this.#stats() });
  }

  #stats() {
    return {
      at: monotonicMs(),
      acknowledged: this.#acknowledged,
      lost: this.#lost,
      violations: this.#violations,
      lastAckAt: this.#lastAckAt,
      instance: this.#instance,
      opening: this.#opening,
      lastOutage: this.#outages.at(-1),
    };
  }

  #report(id: number): void {
    const now = monotonicMs();
    const { at, longestMs, acknowledged } = this.#mark;
    // The silence that lasts still counts as well.
    const openMs = now - Math.max(this.#lastAckAt ?? at, at);
    say({
      ...this.#stats(),
      type: 'report',
      id,
      acknowledgedSinceMark: this.#acknowledged - acknowledged,
      longestGapMs: Math.max(longestMs, openMs),
      outages: this.#outages.filter((outage) => outage.to > at),
    });
  }

  /** Reads all records back. Those acknowledged while it reads are not looked at. */
  async #audit(id: number, address = this.#options.address): Promise<void> {
    const upTo = this.#next - 1;
    const acknowledged = this.#acknowledged;
    const seen = new Uint8Array(upTo + 1);
    let [stored, altered, duplicates] = [0, 0, 0];
    await this.#service.readAll(address, this.#options.name, (number, text) => {
      if (number > upTo) return;
      stored += 1;
      if (seen[number] === 1) duplicates += 1;
      else if (text === this.#textOf(number)) seen[number] = 1;
      else altered += 1;
    });
    let missing = 0;
    for (let number = 1; number <= upTo; number += 1) if (seen[number] === 0) missing += 1;
    if (altered > 0) this.#violate(`${altered} records were altered`);
    const lost = this.#lost + missing;
    say({
      ...{ type: 'audit', id, acknowledged, stored, lost, duplicates },
      violations: this.#violations,
    });
  }

  #textOf(number: number): string {
    let generation = this.#generation;
    while (generation > 0 && number < (this.#generationStarts[generation] ?? 0)) generation -= 1;
    return createHash('md5')
      .update(`${this.#options.name} ${this.#salt} ${generation} ${number}`)
      .digest('hex');
  }
}

function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function say(line: LedgerLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const [name = '', address = '', port = '', every = '5', kind = 'http', answer] =
  process.argv.slice(2);
if (!/^\w{1,8}$/.test(name) || address === '' || !/^\d+$/.test(port)) {
  throw new Error('usage: node client.ts NAME ADDRESS PORT [EVERY_MS [http|sql [ANSWER_MS]]]');
}
const answerMs = answer === undefined ? undefined : Number(answer);
const target = { address, port: Number(port), answerMs };
const service = kind === 'sql' ? new SqlService(target) : new HttpService(target);
const client = new LedgerClient(
  { name, address, port: target.port, everyMs: Number(every) },
  service,
);
const input = createInterface({ input: process.stdin });
input.on('line', (line) => client.obey(JSON.parse(line) as LedgerCommand));
input.on('close', () => process.exit(0));
setInterval(() => client.sayStats(), STATS_EVERY_MS);
void client.postForEver();
