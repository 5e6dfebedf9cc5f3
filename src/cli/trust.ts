/** The file that a client names in `NODE_EXTRA_CA_CERTS`. */
import { join } from 'node:path';

import type { Config } from '../config/types.ts';
import { openAuthority } from '../pki/store.ts';
import { combineTrust } from '../pki/trust.ts';

/** Where the authority of a home lies. */
export function authorityDirectory(home: string): string {
  return join(home, 'ca');
}

/**
 * Makes sure that the authority exists, and combines its bundle with the user's own file.
 *
 * @param own the user's own `NODE_EXTRA_CA_CERTS`
 * @throws PkiError
 */
export async function trustFor(
  config: Config,
  own: string | undefined,
): Promise<{ readonly trust: string; readonly notes: readonly string[] }> {
  const directory = authorityDirectory(config.home);
  const authority = await openAuthority(directory, config.intercept);
  const trust = await combineTrust(directory, authority.bundlePath, own);
  return { trust, notes: authority.notes };
}
