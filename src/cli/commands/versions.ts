/** `versions`: what takes part, printed and written to `VERSIONS.json` under the home. */
import { EXIT } from '../failure.ts';
import { print, printable, printJson, table } from '../output.ts';
import { type CommonOptions, homeOf, type JsonOption } from '../settings.ts';
import { type Versions, writeVersions } from '../versions.ts';

export async function versions(options: CommonOptions & JsonOption): Promise<number> {
  const { found, path } = await writeVersions(homeOf(options));
  if (options.json === true) printJson(found);
  else print(`${table(rows(found))}\n\nwritten to ${path}`);
  return EXIT.done;
}

function rows(found: Versions): string[][] {
  return Object.entries(found).map(([name, value]) => [name, printable(String(value ?? 'none'))]);
}
