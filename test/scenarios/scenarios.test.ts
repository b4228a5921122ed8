/** Every `*.txt` beside this file is a story with its full outcome; `vitest -u` writes it anew. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runScenario } from './run-scenario.ts';

const folder = import.meta.dirname;
const files = readdirSync(folder).filter((name) => name.endsWith('.txt'));

describe('scenarios', () => {
  test.each(files)('%s', async (name) => {
    const path = join(folder, name);
    await expect(runScenario(readFileSync(path, 'utf8'))).toMatchFileSnapshot(path);
  });
});
