/**
 * Other releases of Tako, made of this one: a copy of its files in which only the ranges of protocol
 * versions are others. What a release of that range does not speak it does not say: the gates in the
 * code see to that, not the test. To upgrade, files are replaced in place, as a package manager does.
 */
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { must } from '../../src/base/assert.ts';

export interface ReleaseVersions {
  readonly cluster: readonly [oldest: number, newest: number];
  readonly local: readonly [oldest: number, newest: number];
}

/** As the first release spoke, and as a release speaks that has given up all that this one speaks. */
export const FIRST: ReleaseVersions = { cluster: [1, 1], local: [1, 1] };
export const FAR_FUTURE: ReleaseVersions = { cluster: [8, 9], local: [1, 2] };

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const VERSIONS = 'src/protocol/versions.ts';

/** Makes the release in `folder`; tells its `bin/tako`. */
export function makeRelease(folder: string, versions: ReleaseVersions): string {
  mkdirSync(folder, { recursive: true });
  for (const name of ['bin', 'src', 'package.json']) {
    cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, VERSIONS), withRanges(versions));
  return join(folder, 'bin', 'tako');
}

/** Replaces what differs by this release. Whatever runs goes on with what it has loaded. */
export function upgradeRelease(folder: string): void {
  writeFileSync(join(folder, VERSIONS), readFileSync(join(ROOT, VERSIONS)));
}

function withRanges({ cluster, local }: ReleaseVersions): string {
  let text = readFileSync(join(ROOT, VERSIONS), 'utf8');
  for (const [name, [oldest, newest]] of Object.entries({ CLUSTER: cluster, LOCAL: local })) {
    const found = new RegExp(`(${name}_PROTOCOL: VersionRange = )\\{[^}]*\\}`, 'u');
    const whole = must(found.exec(text), `${name}_PROTOCOL is where it was`);
    text = text.replace(whole[0], `${whole[1]}{ oldest: ${oldest}, newest: ${newest} }`);
  }
  return text;
}
