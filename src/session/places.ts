/**
 * The files that the program writes under a home. In a checkout the home holds much more, which is not
 * the program's.
 */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { contentOf, type Searched } from './secrets/search.ts';

/** Folders and files, from the home: all that any command writes. */
export const PLACES = [
  'VERSIONS.json',
  'ab',
  'bundle',
  'ca',
  'docs/P0-EXIT-CRITERIA.md',
  'docs/SESSION_HANDOFF.md',
  'logs',
  'results',
  'run',
] as const;

/** The one file whose purpose is to hold a key: that of the local certificate, 0600. */
const LEAF_KEY = /(?:^|\/)ca\/leaf-key\.pem$/;

/** All of them that are there, by name. Links are not followed, sockets are no files. */
export async function writtenFiles(home: string): Promise<Searched[]> {
  const names: string[] = [];
  for (const place of PLACES) names.push(...(await filesAt(home, place)));
  return names.sort().map((name) => ({
    name,
    open: () => contentOf(join(home, name)),
    allowed: LEAF_KEY.test(name) ? ['a private key'] : [],
  }));
}

async function filesAt(home: string, name: string): Promise<string[]> {
  const kind = await lstat(join(home, name)).catch(() => null);
  if (kind?.isFile()) return [name];
  if (!kind?.isDirectory()) return [];
  const found: string[] = [];
  for (const entry of await readdir(join(home, name))) {
    found.push(...(await filesAt(home, `${name}/${entry}`)));
  }
  return found;
}
