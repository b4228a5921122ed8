/** Where things are in the checkout. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** A file inside of an installed package, such as its command. */
export function inPackage(path: string): string {
  return join(ROOT, 'node_modules', path);
}
