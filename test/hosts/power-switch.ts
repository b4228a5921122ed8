/**
 * A switch for the power of the hosts of a lab, as a management controller is one: programs in the
 * hosts ask it by files in the lab's folder, and whoever runs the lab does what they ask for. The
 * program speaks as fence agents do: `action=` on standard input, the answer is its exit code.
 */
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from './lab.ts';

const POLL_MS = 20;
const EXIT = { done: 0, on: 0, off: 2, unknown: 1 } as const;

/** Arguments: the folder, the host. Waits for the answer however long it takes. */
const PROGRAM = `#!/bin/sh
action=$(sed -n 's/^action=//p')
name="$2.$(uname -n).$$.$(date +%s%N)"
echo "$action" > "$1/$name.new" && mv "$1/$name.new" "$1/$name.ask"
until [ -e "$1/$name.answer" ]; do sleep 0.05; done
code=$(cat "$1/$name.answer")
rm -f "$1/$name.answer"
exit "$code"
`;

export class PowerSwitch {
  readonly #lab: Lab;
  readonly #folder: string;
  readonly #timer: NodeJS.Timeout;
  /** What was asked for, in order: \`off n2\`. */
  readonly asked: string[] = [];
  /** It answers, and does nothing that it is asked for. */
  broken = false;
  #work: Promise<void> = Promise.resolve();

  constructor(lab: Lab) {
    this.#lab = lab;
    this.#folder = PowerSwitch.#folderOf(lab);
    mkdirSync(this.#folder, { recursive: true });
    writeFileSync(join(this.#folder, 'program'), PROGRAM, { mode: 0o755 });
    this.#timer = setInterval(() => this.#look(), POLL_MS);
  }

  /** The command that asks the switch of that lab about a host. */
  static command(lab: Lab, host: string): readonly string[] {
    const folder = PowerSwitch.#folderOf(lab);
    return [join(folder, 'program'), folder, host];
  }

  static #folderOf(lab: Lab): string {
    return join(lab.folder, 'power');
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#work;
  }

  #look(): void {
    const names = readdirSync(this.#folder).filter((name) => name.endsWith('.ask'));
    for (const name of names.sort()) {
      const path = join(this.#folder, name);
      const action = readFileSync(path, 'utf8').trim();
      rmSync(path);
      const host = name.slice(0, name.indexOf('.'));
      this.asked.push(`${action} ${host}`);
      this.#work = this.#work.then(() => this.#answer(name.slice(0, -'.ask'.length), action, host));
    }
  }

  async #answer(name: string, action: string, host: string): Promise<void> {
    const code = this.broken ? EXIT.unknown : await this.#carryOut(action, host);
    const path = join(this.#folder, `${name}.answer`);
    writeFileSync(`${path}.new`, `${code}\n`);
    renameSync(`${path}.new`, path);
  }

  async #carryOut(action: string, name: string): Promise<number> {
    const host = this.#lab.host(name);
    if (action === 'status') return host.powered ? EXIT.on : EXIT.off;
    if (action !== 'off') return EXIT.unknown;
    if (host.powered) await host.powerOff();
    return EXIT.done;
  }
}
