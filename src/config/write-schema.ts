/** Writes `lanekeeper.schema.json` from the schema: `node src/config/write-schema.ts`. */
import { writeFileSync } from 'node:fs';
import { schemaText } from './schema.ts';

writeFileSync(new URL('../../lanekeeper.schema.json', import.meta.url), schemaText());
