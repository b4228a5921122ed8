import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from './lib/paths.ts';
import { portableLock, systemOf } from './lock.ts';

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

test('gives an entry to native parts for other systems that the registry did not have', () => {
  const a = { version: '1.0.0', optionalDependencies: { '@a/b-linux-x64-musl': '1.0.0' } };
  const { packages } = JSON.parse(
    portableLock(JSON.stringify({ packages: { 'node_modules/a': a } })),
  ) as { packages: Record<string, unknown> };
  expect(packages['node_modules/@a/b-linux-x64-musl']).toEqual({
    version: '1.0.0',
    cpu: ['x64'],
    libc: ['musl'],
    os: ['linux'],
    optional: true,
  });
  expect(systemOf('@a/b-win32-ia32-msvc')).toEqual({ cpu: ['ia32'], os: ['win32'] });
  expect(systemOf('left-pad')).toBeUndefined();
});

test('the lock file of this checkout is portable; `npm run lock` makes it so', () => {
  const text = readFileSync(join(ROOT, 'package-lock.json'), 'utf8');
  expect(portableLock(text)).toBe(text);
});

test('every package of the lock file is fixed by a checksum', () => {
  const text = readFileSync(join(ROOT, 'package-lock.json'), 'utf8');
  const { packages } = JSON.parse(text) as { packages: Record<string, { integrity?: string }> };
  const here = [`linux-${process.arch}-gnu`, `linux-${process.arch}`];
  const loose = Object.entries(packages).filter(
    ([path, entry]) =>
      path !== '' &&
      entry.integrity === undefined &&
      (systemOf(path) === undefined || here.some((name) => path.endsWith(name))),
  );
  expect(loose.map(([path]) => path)).toEqual([]);
});
