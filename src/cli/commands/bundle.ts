/** `bundle`: the review archive of a home. */
import { BundleRefused, writeBundle } from '../../session/bundle.ts';
import { EXIT } from '../failure.ts';
import { print, printJson } from '../output.ts';
import { knownSecrets } from '../session/secrets.ts';
import { type CommonOptions, homeOf, type JsonOption } from '../settings.ts';

/** Exit code 1 where a secret stands in a file; then there is no archive. */
export async function bundle(options: CommonOptions & JsonOption): Promise<number> {
  try {
    const made = await writeBundle(homeOf(options), await knownSecrets(options), Date.now());
    if (options.json === true) printJson({ ok: true, ...made });
    else print(`${made.path}\n${made.files.length} files, ${made.bytes} bytes`);
    return EXIT.done;
  } catch (error) {
    if (options.json !== true || !(error instanceof BundleRefused)) throw error;
    printJson({ ok: false, findings: error.findings });
    return EXIT.failed;
  }
}
