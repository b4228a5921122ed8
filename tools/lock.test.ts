import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from './lib/paths.ts';
import { portableLock } from './lock.ts';

const LOCK = {
  name: 'tako',
  packages: {
    '': { engines: { node: '>=18' } },
    'node_modules/a': {
      version: '1.0.0',
      resolved: 'https://registry.example/a.tgz',
      integrity: 'sha512-x',
      engines: { node: '>=22' },
    },
  },
};

test('drops what depends on the machine and keeps what fixes the package', () => {
  expect(JSON.parse(portableLock(JSON.stringify(LOCK)))).toEqual({
    name: 'tako',
    packages: {
      '': { engines: { node: '>=18' } },
      'node_modules/a': { version: '1.0.0', integrity: 'sha512-x' },
    },
  });
});

test('the lock file of this checkout is portable; `npm run lock` makes it so', () => {
  const text = readFileSync(join(ROOT, 'package-lock.json'), 'utf8');
  expect(portableLock(text)).toBe(text);
});

test('every package of the lock file is fixed by a checksum', () => {
  const text = readFileSync(join(ROOT, 'package-lock.json'), 'utf8');
  const { packages } = JSON.parse(text) as { packages: Record<string, { integrity?: string }> };
  const loose = Object.entries(packages).filter(
    ([path, entry]) => path !== '' && entry.integrity === undefined,
  );
  expect(loose.map(([path]) => path)).toEqual([]);
});
