/**
 * What `package-lock.json` says of every package that may be installed, and what lies in `node_modules`: for
 * the bill of materials, the licences and the test of the supply chain.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** The folder of the program. */
export const ROOT: string = path.join(import.meta.dirname, '..');

/** One package at one place. */
export interface LockedPackage {
  /** Where it is installed, from the root: `node_modules/zod`. */
  readonly place: string;
  readonly name: string;
  readonly version: string;
  /** `sha512-` and base64, as the lockfile has it. */
  readonly integrity: string;
  /** An SPDX expression, or empty. */
  readonly license: string;
  /** Needed for work on the program alone. */
  readonly dev: boolean;
  /** Installed only where the platform fits. */
  readonly optional: boolean;
  readonly hasInstallScript: boolean;
  /** The places of the packages that it depends on. */
  readonly dependencies: readonly string[];
}

/** A package as the lockfile writes it. */
interface Entry {
  readonly version?: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly hasInstallScript?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** The lockfile as it is written, by place; the program itself stands under the empty one. */
export function lockEntries(): Readonly<Record<string, Entry>> {
  const text = readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8');
  return (JSON.parse(text) as { packages: Record<string, Entry> }).packages;
}

/** Every package of the lockfile, by place. */
export function lockedPackages(): LockedPackage[] {
  const entries = lockEntries();
  return Object.entries(entries)
    .filter(([place]) => place !== '')
    .map(([place, entry]) => ({
      place,
      name: place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length),
      version: entry.version ?? '',
      integrity: entry.integrity ?? '',
      license: entry.license ?? '',
      dev: entry.dev === true,
      optional: entry.optional === true,
      hasInstallScript: entry.hasInstallScript === true,
      dependencies: dependenciesOf(place, entries),
    }))
    .sort((a, b) => (a.place < b.place ? -1 : 1));
}

/** The places of what the program itself depends on in production. */
export function directDependencies(): readonly string[] {
  return dependenciesOf('', lockEntries());
}

/** Packages that lie in `node_modules`, hidden ones aside, by place. */
export function installedPlaces(root: string = ROOT): string[] {
  const places: string[] = [];
  const walk = (folder: string): void => {
    if (!existsSync(path.join(root, folder))) return;
    for (const name of readdirSync(path.join(root, folder))) {
      if (name.startsWith('.')) continue;
      const place = `${folder}/${name}`;
      if (name.startsWith('@')) walk(place);
      else {
        places.push(place);
        walk(`${place}/node_modules`);
      }
    }
  };
  walk('node_modules');
  return places.sort();
}

/** As Node resolves them: in the package's own `node_modules`, else in those above. */
function dependenciesOf(place: string, entries: Readonly<Record<string, Entry>>): string[] {
  const { dependencies = {}, optionalDependencies = {} } = entries[place] ?? {};
  const names = Object.keys({ ...dependencies, ...optionalDependencies });
  return names.flatMap((name) => resolve(name, place, entries) ?? []).sort();
}

function resolve(
  name: string,
  from: string,
  entries: Readonly<Record<string, Entry>>,
): string | null {
  for (let above: string | null = from; above !== null; above = parentOf(above)) {
    const place = above === '' ? `node_modules/${name}` : `${above}/node_modules/${name}`;
    if (Object.hasOwn(entries, place)) return place;
  }
  return null;
}

/** The place that a place lies in; the program's own is empty, and lies in none. */
function parentOf(place: string): string | null {
  if (place === '') return null;
  const at = place.lastIndexOf('/node_modules/');
  return at < 0 ? '' : place.slice(0, at);
}
