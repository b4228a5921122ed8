/** Which programs the heart of a node keeps running, and in which order they end. */
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NodeSetup } from '../../protocol/config.ts';
import { type MirrorId, mirrorId } from '../../protocol/ids.ts';
import type { ChildSpec, Supervisor } from '../../adapters/supervise/supervisor.ts';

/** Control hands its groups over, or stops them, before it ends. */
const CONTROL_STOP_MS = 30_000;
const MIRROR_STOP_MS = 10_000;
/** Above ordinary programs: control and mirrors decide how long an outage lasts. */
const NICENESS = '-10';

export class Children {
  readonly #supervisor: Supervisor;
  readonly #mirrors: readonly ChildSpec[];
  readonly #control: ChildSpec;

  constructor(setup: NodeSetup, setupFile: string, supervisor: Supervisor) {
    this.#supervisor = supervisor;
    this.#control = {
      name: 'control',
      command: niced(program('control'), setupFile),
      stopMs: CONTROL_STOP_MS,
    };
    this.#mirrors = mirrorsOf(setup).map((id) => ({
      name: `mirror-${id}`,
      command: niced(program('mirror'), setupFile, id),
      stopMs: MIRROR_STOP_MS,
    }));
  }

  start(): void {
    for (const mirror of this.#mirrors) this.#supervisor.add(mirror);
    this.#supervisor.add(this.#control);
  }

  /** Control first, for it needs the mirrors to stop its groups. */
  async stop(): Promise<void> {
    await this.#supervisor.stop(this.#control.name);
    await Promise.all(this.#mirrors.map((mirror) => this.#supervisor.stop(mirror.name)));
  }
}

/** The mirrors of the groups that may run on this node. */
export function mirrorsOf(setup: NodeSetup): readonly MirrorId[] {
  return setup.config.groups
    .filter((group) => group.nodes.includes(setup.node))
    .flatMap((group) =>
      group.resources
        .filter((resource) => resource.agent === 'mirror')
        .map((resource) => mirrorId(group.id, resource.id)),
    );
}

/** `nice` goes on without the higher priority, with a warning, where that is not permitted. */
function niced(...args: readonly string[]): [string, ...string[]] {
  return ['nice', '-n', NICENESS, process.execPath, ...args];
}

/** A sibling of this program: `.ts` in development, `.js` in a release. */
function program(name: string): string {
  const own = fileURLToPath(import.meta.url);
  return fileURLToPath(new URL(`../${name}${extname(own)}`, import.meta.url));
}
