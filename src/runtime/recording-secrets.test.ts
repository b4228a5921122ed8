/** What is recorded names no password of a fence. */
import { expect, test } from 'vitest';
import type { Config } from '../protocol/config.ts';
import { withoutSecrets } from './recording.ts';

test('fences are recorded without how they are reached', () => {
  const fence = {
    ...{ node: 'n1', command: ['/etc/fence', 'hush'], options: { password: 'hush' } },
    ...{ optionsFile: '/etc/hush', timeoutMs: 30_000 },
  };
  const withoutWitness = { by: 'fence', delayMs: 5000, fences: [fence] };
  const config = { keyFile: '/etc/key', groups: [], withoutWitness } as unknown as Config;
  const recorded = withoutSecrets(config);
  expect(JSON.stringify(recorded)).not.toContain('hush');
  expect(recorded.withoutWitness).toMatchObject({ fences: [{ node: 'n1', timeoutMs: 30_000 }] });
});
