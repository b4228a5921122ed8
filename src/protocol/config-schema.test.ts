import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { configJsonSchema } from './config-json-schema.ts';

const file = new URL('../../docs/reference/tako.schema.json', import.meta.url);

describe('the JSON Schema for editors', () => {
  test('is the one in the documentation', () => {
    const written = JSON.parse(readFileSync(file, 'utf8')) as unknown;
    const hint = 'out of date: run "node tools/generate-schema.ts"';
    expect(written, hint).toEqual(JSON.parse(JSON.stringify(configJsonSchema())));
  });

  test('describes every key', () => {
    const bare: string[] = [];
    const visit = (schema: unknown, path: string): void => {
      if (typeof schema !== 'object' || schema === null) return;
      for (const [key, value] of Object.entries(schema)) {
        if (key !== 'properties') {
          visit(value, path);
          continue;
        }
        for (const [name, property] of Object.entries(value as Record<string, object>)) {
          const place = `${path}.${name}`;
          if (name !== 'agent' && !('description' in property)) bare.push(place);
          visit(property, place);
        }
      }
    };
    visit(configJsonSchema(), '');
    expect(bare).toEqual([]);
  });

  test('every key is in the reference', () => {
    const reference = readFileSync(
      new URL('../../docs/reference/config.md', import.meta.url),
      'utf8',
    );
    const names = new Set<string>();
    JSON.stringify(configJsonSchema(), (key, value: unknown) => {
      if (key === 'properties') for (const name of Object.keys(value as object)) names.add(name);
      return value;
    });
    expect(names.size).toBeGreaterThan(25);
    for (const name of names) expect(reference).toContain(`\`${name}\``);
  });
});
