/** The release of this Tako: what its package says, two folders above, as sources and built alike. */
import { readFileSync } from 'node:fs';

export function readRelease(): string {
  const file = new URL('../../package.json', import.meta.url);
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string };
  return version;
}
