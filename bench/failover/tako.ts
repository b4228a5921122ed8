/** Tako at its default settings, with a mirrored directory and a ledger on it. */
import { Cluster } from '../../test/demo/cluster.ts';
import { ledgerApp } from '../../test/demo/ledger-app.ts';
import { answered } from './answered.ts';
import { ANSWER_MS, type Situation } from './figures.ts';

const EFFECT_MS = 30_000;

export class TakoBench {
  readonly #cluster: Cluster;

  private constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  static async start(): Promise<TakoBench> {
    return new TakoBench(await Cluster.start({ app: ledgerApp, answerMs: ANSWER_MS }));
  }

  /** Seconds that the client waited; throws when anything was lost. */
  async measure(situation: Situation): Promise<number> {
    try {
      return await this.#measure(situation);
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      throw new Error(`${what} (logs: ${this.#cluster.keepLogs()})`, { cause: error });
    }
  }

  async #measure(situation: Situation): Promise<number> {
    const cluster = this.#cluster;
    const { client, lab, app } = cluster;
    const owner = (await cluster.settled()).owner ?? '';
    const { name: other } = cluster.other(owner);
    const instance = client.stats?.instance;
    await client.mark();
    if (situation === 'program-kill') await app.killProgram(lab, owner);
    else if (situation === 'move') {
      const said = await cluster.tako(other, 'move', app.name, other);
      if (said.code !== 0) throw new Error(`Cannot move: ${said.stderr}`);
    } else {
      const carrier = situation === 'power-off' ? 'lost' : 'stays';
      await lab.host(owner).powerOff({ carrier });
    }
    await cluster.servedByOther(instance, EFFECT_MS);
    const { longestGapMs } = await client.report();
    if (!lab.host(owner).powered) await cluster.bringBack(owner);
    const audit = await client.audit();
    if (audit.lost > 0 || audit.violations.length > 0) {
      throw new Error(`Tako lost ${audit.lost} records: ${audit.violations.join('; ')}`);
    }
    return longestGapMs / 1000;
  }

  rest(): Promise<void> {
    return this.#cluster.lab.host('client').freeze();
  }

  async wake(): Promise<void> {
    this.#cluster.lab.host('client').thaw();
    await answered(this.#cluster.client);
  }

  destroy(): void {
    this.#cluster.destroy();
  }
}
