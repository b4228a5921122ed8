/** A file that a newer release wrote: it is refused and left exactly as it is. */
import { TakoError } from '../base/tako-error.ts';

export function newerFormat(
  path: string,
  { found, known }: { readonly found: number; readonly known: number },
): TakoError {
  const text = `Cannot use "${path}": it has version ${found}, this release knows up to ${known}`;
  return new TakoError('version-unsupported', text, {
    next: 'Install the release of Tako that wrote it, or a newer one; the file was left as it is',
  });
}
