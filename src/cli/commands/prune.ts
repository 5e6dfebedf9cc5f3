/** `prune`: removes all but the freshest snapshots of the metrics, and says which. */
import { join } from 'node:path';

import { pruneSnapshots } from '../../reports/snapshots.ts';
import { EXIT } from '../failure.ts';
import { print, printJson } from '../output.ts';
import { type CommonOptions, homeOf, type JsonOption } from '../settings.ts';

interface PruneOptions extends CommonOptions, JsonOption {
  readonly keep: number;
}

export async function prune(options: PruneOptions): Promise<number> {
  const results = join(homeOf(options), 'results');
  const { removed, kept } = await pruneSnapshots(results, options.keep);
  if (options.json === true) {
    printJson({ folder: results, removed, kept });
    return EXIT.done;
  }
  for (const name of removed) print(`removed ${join(results, name)}`);
  print(`${removed.length} removed, ${kept.length} kept in ${results}`);
  return EXIT.done;
}
