/**
 * The JSON Schema of the configuration file, for editors that complete and check while one types
 * (`docs/reference/tako.schema.json`, written by `tools/generate-schema.ts`).
 */
import { z } from 'zod';
import { configSchema } from './config-schema.ts';

export function configJsonSchema(): Readonly<Record<string, unknown>> {
  const schema = z.toJSONSchema(configSchema, { io: 'input', target: 'draft-2020-12' });
  return { title: 'Tako cluster', ...schema };
}
