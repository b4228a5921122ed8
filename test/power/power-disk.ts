/**
 * A directory on a disk whose power can be lost: an ext4 file system on a loop device on the image that
 * `lossy-disk.ts` serves. Whatever happens to the test run, a small shell takes it all away.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { must } from '../../src/base/assert.ts';

const PROGRAM = fileURLToPath(new URL('lossy-disk.ts', import.meta.url));
const DISK_BYTES = 192 * 1024 * 1024;
const COMMAND_MS = 20_000;
const GUARD = `cat >/dev/null
umount -l "$0/store" 2>/dev/null
for loop in $(losetup -a | grep -F "($0/image/disk)" | cut -d: -f1); do losetup -d "$loop"; done
umount -f "$0/image" 2>/dev/null; umount -l "$0/image" 2>/dev/null
rm -rf "$0"`;

export class PowerDisk {
  /** What is on the disk. */
  readonly path: string;
  readonly #base: string;
  readonly #backing: string;
  readonly #guard: ChildProcess;
  #server: ChildProcess | undefined;
  #loop: string | undefined;
  #made = false;

  /** Everything of it goes into `base`, which is made. */
  constructor(base: string) {
    this.#base = base;
    this.path = join(base, 'store');
    this.#backing = join(base, 'backing');
    for (const directory of [this.path, join(base, 'image')]) {
      mkdirSync(directory, { recursive: true });
    }
    writeFileSync(this.#backing, '');
    truncateSync(this.#backing, DISK_BYTES);
    this.#guard = spawn('sh', ['-c', GUARD, base], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
  }

  /** Power is there: what had been synced is found. */
  async start(): Promise<void> {
    const image = join(this.#base, 'image');
    rmSync(this.#lose, { force: true });
    const server = spawn(process.execPath, [PROGRAM, image, this.#backing, String(DISK_BYTES)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#server = server;
    const lines = createInterface({ input: must(server.stdout, 'stdout is a pipe') });
    await new Promise<void>((resolve, reject) => {
      lines.once('line', () => resolve());
      server.once('exit', (code) => reject(new Error(`the lossy disk ended with ${code}`)));
    });
    // Not from here: what asks the image waits for its server, which is another process.
    this.#loop = run('losetup', ['-f', '--show', join(image, 'disk')]).trim();
    if (!this.#made) run('mkfs.ext4', ['-q', '-E', 'lazy_itable_init=0', this.#loop]);
    this.#made = true;
    run('mount', ['-o', 'noatime', this.#loop, this.path]);
  }

  /** At this moment. Who uses it gets errors until it is started again. */
  async losePower(seed: number): Promise<void> {
    const server = must(this.#server, 'the disk has power');
    const gone = new Promise((resolve) => server.once('exit', resolve));
    writeFileSync(this.#lose, String(seed));
    await gone;
    this.#server = undefined;
  }

  /** After its power was lost, and nobody has anything of it open any more. */
  takeAway(): void {
    run('umount', [this.path]);
    run('losetup', ['-d', must(this.#loop, 'it was started')]);
    run('umount', [join(this.#base, 'image')]);
    this.#loop = undefined;
  }

  /** Everything of it is gone when this resolves. */
  async remove(): Promise<void> {
    this.#server?.kill('SIGKILL');
    const gone = new Promise((resolve) => this.#guard.once('exit', resolve));
    this.#guard.stdin?.end();
    await gone;
  }

  get #lose(): string {
    return `${this.#backing}.lose`;
  }
}

function run(program: string, words: readonly string[]): string {
  return execFileSync(program, words, {
    encoding: 'utf8',
    timeout: COMMAND_MS,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
