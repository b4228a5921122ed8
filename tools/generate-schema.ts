/** Writes the JSON Schema of the configuration for editors: `node tools/generate-schema.ts`. */
import { writeFileSync } from 'node:fs';
import { configJsonSchemaText } from '../src/protocol/config-json-schema.ts';

const target = new URL('../docs/reference/tako.schema.json', import.meta.url);
writeFileSync(target, configJsonSchemaText());
