/** Writes the JSON Schema of the configuration for editors: `node tools/generate-schema.ts`. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { configJsonSchema } from '../src/protocol/config-json-schema.ts';

const target = fileURLToPath(new URL('../docs/reference/tako.schema.json', import.meta.url));
const style = await resolveConfig(target);
const text = JSON.stringify(configJsonSchema());
writeFileSync(target, await format(text, { ...style, parser: 'json' }));
