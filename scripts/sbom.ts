/**
 * The software bill of materials: what an installation of the program consists of, as CycloneDX 1.6, out of
 * the lockfile alone. The same lockfile gives the same bytes: it has no time and no random number.
 *
 * `npm sbom --omit dev` is not used: it leaves out what a development dependency needs as well (zod), though
 * the program depends on it.
 *
 * node scripts/sbom.ts [FILE]
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { directDependencies, type LockedPackage, lockedPackages, ROOT } from './lockfile.ts';

type Json = { readonly [name: string]: unknown };

/** The document. */
export function billOfMaterials(): Json {
  const manifest = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
    description: string;
    license: string;
  };
  const packages = lockedPackages().filter(({ dev }) => !dev);
  const references = new Map(packages.map((one) => [one.place, referenceOf(one)]));
  const own = `pkg:npm/${manifest.name}@${manifest.version}`;
  const dependsOn = (places: readonly string[]): string[] =>
    places.flatMap((place) => references.get(place) ?? []).sort();
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      lifecycles: [{ phase: 'pre-build' }],
      component: {
        type: 'application',
        'bom-ref': own,
        name: manifest.name,
        version: manifest.version,
        description: manifest.description,
        licenses: licensesOf(manifest.license),
        purl: own,
      },
    },
    components: packages.map(componentOf),
    dependencies: [
      { ref: own, dependsOn: dependsOn(directDependencies()) },
      ...packages.map((one) => ({ ref: referenceOf(one), dependsOn: dependsOn(one.dependencies) })),
    ],
  };
}

function componentOf(one: LockedPackage): Json {
  const [group, name] = one.name.startsWith('@') ? one.name.split('/') : [undefined, one.name];
  return {
    type: 'library',
    'bom-ref': referenceOf(one),
    ...(group === undefined ? {} : { group }),
    name,
    version: one.version,
    scope: one.optional ? 'optional' : 'required',
    hashes: [{ alg: 'SHA-512', content: digestOf(one.integrity) }],
    licenses: licensesOf(one.license),
    purl: referenceOf(one),
  };
}

/** Package URL: the `@` of a scope is encoded (purl specification, type npm). */
function referenceOf({ name, version }: LockedPackage): string {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`;
}

/** One licence by its SPDX id, several as the expression that they are. */
function licensesOf(license: string): readonly Json[] {
  return / /.test(license) ? [{ expression: license }] : [{ license: { id: license } }];
}

function digestOf(integrity: string): string {
  return Buffer.from(integrity.replace(/^sha512-/, ''), 'base64').toString('hex');
}

if (import.meta.main) {
  const file = path.resolve(process.argv[2] ?? path.join(ROOT, 'sbom.json'));
  const bill = billOfMaterials();
  writeFileSync(file, `${JSON.stringify(bill, null, 2)}\n`);
  console.log(`${(bill['components'] as unknown[]).length} components: ${file}`);
}
