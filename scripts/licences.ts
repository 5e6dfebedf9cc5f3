/**
 * The licences of everything that is installed, for use and for work on the program alike: each must be on
 * the list, and be in the installed package what it is in the lockfile. Exits 1 and names what is not.
 *
 * node scripts/licences.ts
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { installedPlaces, type LockedPackage, lockedPackages, ROOT } from './lockfile.ts';

/** SPDX ids that ask for no more than to be named, or not even that. */
export const ALLOWED: ReadonlySet<string> = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'ISC',
  'MIT',
  'Python-2.0',
  'Unlicense',
]);

/** True for an SPDX expression that can be met by licences of the list alone. */
export function isAllowed(expression: string): boolean {
  const text = expression.trim().replace(/^\(([^()]*)\)$/, '$1');
  if (/\bAND\b/.test(text)) return text.split(/\bAND\b/).every(isAllowed);
  if (/\bOR\b/.test(text)) return text.split(/\bOR\b/).some(isAllowed);
  return ALLOWED.has(text);
}

/** What is wrong, each with the name of its package; empty where all is well. */
export function licenceProblems(
  packages: readonly LockedPackage[] = lockedPackages(),
  root: string = ROOT,
): string[] {
  return packages.flatMap((one) => {
    const name = `${one.place} ${one.version}`;
    const found = isAllowed(one.license) ? [] : [`${name}: licence ${one.license || 'not stated'}`];
    return [...found, ...installedProblems(one, name, root)];
  });
}

/** What lies in `node_modules` and is not in the lockfile. */
export function strangers(
  packages: readonly LockedPackage[] = lockedPackages(),
  root: string = ROOT,
): string[] {
  const known = new Set(packages.map(({ place }) => place));
  // The install script of `node` puts the runtime below it, past the lockfile (docs/security.md).
  return installedPlaces(root)
    .filter((place) => !known.has(place) && !place.startsWith('node_modules/node/node_modules/'))
    .map((place) => `${place}: is installed and not in the lockfile`);
}

function installedProblems(one: LockedPackage, name: string, root: string): string[] {
  const file = path.join(root, one.place, 'package.json');
  if (!existsSync(file)) return one.optional ? [] : [`${name}: is not installed`];
  const { version, license } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  const problems: string[] = [];
  if (version !== one.version) problems.push(`${name}: ${String(version)} is installed`);
  if (license !== one.license)
    problems.push(`${name}: the package says ${JSON.stringify(license)}`);
  return problems;
}

if (import.meta.main) {
  const packages = lockedPackages();
  const counts = new Map<string, number>();
  for (const { license } of packages) counts.set(license, (counts.get(license) ?? 0) + 1);
  for (const [license, count] of [...counts].sort()) console.log(`${count}\t${license}`);
  const problems = [...licenceProblems(packages), ...strangers(packages)];
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
