/**
 * How long a copy takes to become equal, when it is empty and when it comes back after a hundredth of the
 * files was changed, and what goes over the link for it; beside passes of rsync over the same files and
 * the same changes. Two mirror processes on one machine and one disk, so both read and write there.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '../../src/base/assert.ts';
import type { Epoch } from '../../src/protocol/ids.ts';
import { Rig, type RigNode } from '../../test/mirror/rig.ts';
import { TcpProxy } from '../../test/mirror/tcp-proxy.ts';
import { summarize } from '../failover/figures.ts';

const EPOCH = 1 as Epoch;
const BASE_PORT = 41_700;
const DIRECTORIES = 100;
const FILES = 10_000;
const FILE_BYTES = 200 * 1024;
const CHANGED = FILES / 100;
const RSYNC = '/usr/bin/rsync';

export interface ResyncFigures {
  readonly files: number;
  readonly fileBytes: number;
  readonly changed: number;
  /** Seconds. */
  readonly firstCopy: { readonly tako: number; readonly rsync: number | undefined };
  readonly returns: readonly {
    readonly tako: number;
    readonly rsync: number | undefined;
    /** Bytes over the link for each byte that was changed. */
    readonly sent: number;
  }[];
}

export async function measureResync(
  runs: number,
  tell: (line: string) => void,
): Promise<ResyncFigures> {
  const rig = new Rig({ nodes: 2, basePort: BASE_PORT, proxied: true });
  const port = BASE_PORT + 10;
  const proxy = new TcpProxy({ host: '127.0.2.2', port }, { host: '127.0.1.2', port });
  try {
    const rsync = existsSync(RSYNC) ? new Rsync(rig.base) : undefined;
    if (rsync === undefined) tell('rsync is left out. Next: apt-get install rsync');
    const pair = new Pair(rig.node(0), rig.node(1));
    tell(`making ${FILES} files of ${FILE_BYTES / 1024} KiB`);
    const files = Array.from({ length: FILES }, (_, at) => at);
    for (const path of [pair.path, ...(rsync?.paths ?? [])]) write(path, files);
    execFileSync('sync');
    const firstCopy = { tako: await pair.first(), rsync: rsync?.pass() };
    tell(`first copy: Tako ${seconds(firstCopy.tako)}, rsync ${seconds(firstCopy.rsync)}`);
    const returns: ResyncFigures['returns'][number][] = [];
    for (let run = 1; run <= runs; run += 1) {
      const some = files.slice(run * CHANGED, (run + 1) * CHANGED);
      await pair.leave();
      for (const path of [pair.path, ...(rsync?.paths ?? [])]) write(path, some);
      const before = proxy.bytes;
      const tako = await pair.comeBack();
      const sent = (proxy.bytes - before) / (CHANGED * FILE_BYTES);
      returns.push({ tako, rsync: rsync?.pass(), sent });
      const last = must(returns.at(-1), 'it was just added');
      tell(
        `${run}/${runs}  ${seconds(tako)}, ${sent.toFixed(2)} sent; rsync ${seconds(last.rsync)}`,
      );
    }
    execFileSync('diff', ['-r', pair.path, rig.node(1).path]);
    return { files: FILES, fileBytes: FILE_BYTES, changed: CHANGED, firstCopy, returns };
  } finally {
    proxy.close();
    await rig.close();
  }
}

/** A primary, and a copy that comes and goes. */
class Pair {
  readonly #primary: RigNode;
  readonly #copy: RigNode;

  constructor(primary: RigNode, copy: RigNode) {
    this.#primary = primary;
    this.#copy = copy;
  }

  get path(): string {
    return this.#primary.path;
  }

  async first(): Promise<number> {
    const primary = this.#primary;
    await Promise.all([primary.start(), this.#copy.start()]);
    primary.grantLease(EPOCH);
    await primary.ok({ type: 'serve', epoch: EPOCH, inSync: [primary.id] });
    return this.#follow();
  }

  /** Its process dies, as it would with its machine, once it has noted what it has. */
  async leave(): Promise<void> {
    const [primary, copy] = [this.#primary, this.#copy];
    const isNoted = (): boolean => copy.note().includes('"stored"');
    await copy.until(isNoted, 'what it has stored is noted');
    await copy.kill();
    await primary.until(() => primary.heard('peerSilent').length > 0, 'the copy is missed');
    await primary.ok({ type: 'expel', peer: copy.id });
  }

  async comeBack(): Promise<number> {
    await this.#copy.start();
    return this.#follow();
  }

  async #follow(): Promise<number> {
    const [primary, copy] = [this.#primary, this.#copy];
    primary.news.length = 0;
    const from = performance.now();
    await copy.ok({ type: 'follow', epoch: EPOCH, primary: primary.id });
    const isEqual = (): boolean => primary.heard('peerCaughtUp').length > 0;
    await primary.until(isEqual, 'the copy has caught up', 300_000);
    const took = (performance.now() - from) / 1000;
    await primary.ok({ type: 'admit', peer: copy.id });
    return took;
  }
}

/** The same files in a plain directory, and what rsync makes of them beside it. */
class Rsync {
  readonly #from: string;
  readonly #to: string;

  constructor(base: string) {
    this.#from = join(base, 'plain');
    this.#to = join(base, 'rsync');
  }

  get paths(): readonly string[] {
    return [this.#from];
  }

  /** Seconds until the other directory is equal and on stable storage. */
  pass(): number {
    const from = performance.now();
    execFileSync(RSYNC, ['-a', '--delete', `${this.#from}/`, `${this.#to}/`]);
    execFileSync('sync', ['--file-system', this.#to]);
    return (performance.now() - from) / 1000;
  }
}

function write(path: string, files: readonly number[]): void {
  for (const at of files) {
    const directory = join(path, String(at % DIRECTORIES));
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, String(at)), randomBytes(FILE_BYTES));
  }
}

export function resyncTable({ firstCopy, returns, ...sizes }: ResyncFigures): string {
  const all = (pick: (of: (typeof returns)[number]) => number | undefined): number | undefined =>
    summarize(returns.flatMap((each) => pick(each) ?? []))?.median;
  const sent = all((each) => each.sent)?.toFixed(2) ?? '-';
  const mib = (sizes.files * sizes.fileBytes) / 1024 / 1024;
  const rows = [
    `| first copy | ${seconds(firstCopy.tako)} | ${seconds(firstCopy.rsync)} |`,
    `| ${sizes.changed} files changed while it was away | ` +
      `${seconds(all(({ tako }) => tako))} | ${seconds(all(({ rsync }) => rsync))} |`,
    `| bytes sent for each changed one | ${sent} | |`,
  ];
  const head = `| ${sizes.files} files, ${mib.toFixed(0)} MiB | Tako | rsync |`;
  return [head, '|---|---|---|', ...rows].join('\n');
}

function seconds(value: number | undefined): string {
  return value === undefined ? '-' : `${value.toFixed(2)} s`;
}
