/**
 * What an installation consists of: every package pinned with its digest, from no other place than the
 * registry, under a licence of the list, with no install script but the one that is explained.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { isAllowed, licenceProblems, strangers } from '../scripts/licences.ts';
import { type LockedPackage, lockEntries, lockedPackages, ROOT } from '../scripts/lockfile.ts';
import { billOfMaterials } from '../scripts/sbom.ts';
import { tempHome } from './support/home.ts';

const PACKAGES = lockedPackages();
const PRODUCTION = PACKAGES.filter(({ dev }) => !dev);

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly allowScripts: Readonly<Record<string, boolean>>;
  readonly scripts: Readonly<Record<string, string>>;
}

function read(name: string): string {
  return readFileSync(path.join(ROOT, name), 'utf8');
}

const manifest = JSON.parse(read('package.json')) as Manifest;

test('every package of the lockfile has one version and its digest, and comes from the registry', () => {
  assert(PACKAGES.length > 50);
  for (const { place, version, integrity } of PACKAGES) {
    assert.match(version, /^\d+\.\d+\.\d+(?:-[\w.]+)?$/, place);
    assert.match(integrity, /^sha512-[A-Za-z0-9+/]{86}==$/, place);
  }
  for (const [place, entry] of Object.entries(lockEntries())) {
    // An address would name a registry, or a place that is none: npm takes the one it is set up for.
    for (const name of ['resolved', 'link', 'inBundle', 'bundled']) assert(!(name in entry), place);
  }
  for (const text of [read('package.json'), read('package-lock.json')]) {
    assert.doesNotMatch(
      text,
      /"(?:git[+:]|github:|file:|link:|workspace:|npm:|https?:\/\/[^"]*\.tgz)/,
    );
    assert.doesNotMatch(text, /registry/);
  }
});

test('the manifest and the lockfile name the same direct dependencies, and no others override them', () => {
  const own = lockEntries()[''] as Partial<Manifest>;
  assert.deepEqual(own.dependencies, manifest.dependencies);
  assert.deepEqual(own.devDependencies, manifest.devDependencies);
  for (const [name, version] of Object.entries({
    ...manifest.dependencies,
    ...manifest.devDependencies,
  })) {
    const locked = PACKAGES.find(({ place }) => place === `node_modules/${name}`);
    assert.equal(locked?.version, version, name);
  }
  for (const name of ['overrides', 'resolutions', 'bundleDependencies', 'workspaces']) {
    assert(!(name in manifest), name);
  }
});

test('only the install script that docs/security.md explains is there', () => {
  const scripted = PACKAGES.filter(({ hasInstallScript }) => hasInstallScript);
  const names = scripted.map(({ name }) => name);
  const text = read('docs/security.md');
  const from = text.indexOf('### Install scripts');
  assert(from >= 0);
  const section = text.slice(from, text.indexOf('\n#', from + 1));
  const listed = [...section.matchAll(/^- `([^`]+)`/gm)].map(([, name = '']) => name);
  assert.deepEqual(names, listed);
  assert.deepEqual(Object.keys(manifest.allowScripts), listed);
  assert(
    scripted.every(({ dev }) => dev),
    'whoever installs the package runs none',
  );
  for (const name of ['preinstall', 'install', 'postinstall', 'prepare', 'preprepare']) {
    assert(!(name in manifest.scripts), `the package itself has ${name}`);
  }
});

test('every licence is on the list, in the lockfile and in what is installed', () => {
  assert.deepEqual(licenceProblems(), []);
});

test('a licence that is not on the list is found, and so is another version', async (t) => {
  const root = await tempHome(t);
  const folder = path.join(root, 'node_modules', '@a', 'b');
  mkdirSync(path.join(root, 'node_modules', 'strange'), { recursive: true });
  mkdirSync(folder, { recursive: true });
  const install = (facts: object): void => {
    writeFileSync(path.join(folder, 'package.json'), JSON.stringify(facts));
  };
  const locked: LockedPackage = {
    place: 'node_modules/@a/b',
    name: '@a/b',
    version: '1.0.0',
    integrity: '',
    license: 'MIT',
    dev: false,
    optional: false,
    hasInstallScript: false,
    dependencies: [],
  };
  install({ version: '1.0.0', license: 'MIT' });
  assert.deepEqual(licenceProblems([locked], root), []);
  assert.match(
    licenceProblems([{ ...locked, license: 'GPL-3.0-only' }], root)[0] ?? '',
    /GPL-3\.0/,
  );
  assert.match(licenceProblems([{ ...locked, license: '' }], root)[0] ?? '', /@a\/b 1.*not stated/);
  install({ version: '1.0.1', license: 'SSPL-1.0' });
  assert.match(licenceProblems([locked], root).join(), /1\.0\.1 is installed.*SSPL-1\.0/);
  const missing = { ...locked, place: 'node_modules/c' };
  assert.match(licenceProblems([missing], root).join(), /is not installed/);
  assert.deepEqual(licenceProblems([{ ...missing, optional: true }], root), []);
  assert.deepEqual(strangers([locked], root), [
    'node_modules/strange: is installed and not in the lockfile',
  ]);
  for (const [expression, allowed] of [
    ['MIT OR Apache-2.0', true],
    ['(MIT OR GPL-2.0-only)', true],
    ['MIT AND GPL-2.0-only', false],
    ['SEE LICENSE IN LICENSE', false],
    ['UNLICENSED', false],
    ['Apache-2.0 WITH LLVM-exception', false],
  ] as const) {
    assert.equal(isAllowed(expression), allowed, expression);
  }
});

test('the bill of materials is all that production needs, with digests, and always the same', () => {
  const bill = billOfMaterials() as {
    components: { 'bom-ref': string; hashes: { content: string }[]; licenses: object[] }[];
    dependencies: { ref: string; dependsOn: string[] }[];
  };
  assert.equal(JSON.stringify(billOfMaterials()), JSON.stringify(bill));
  assert.doesNotMatch(JSON.stringify(bill), /timestamp|serialNumber|registry/);
  const references = bill.components.map((component) => component['bom-ref']);
  assert.equal(new Set(references).size, references.length);
  assert.deepEqual(
    references.toSorted(),
    PRODUCTION.map(({ name, version }) => `pkg:npm/${name.replace('@', '%40')}@${version}`).sort(),
  );
  for (const { hashes, licenses } of bill.components) {
    assert.match(hashes[0]?.content ?? '', /^[0-9a-f]{128}$/);
    assert.equal(licenses.length, 1);
  }
  // Whatever is in it is reached from the program, and nothing that is reached is missing.
  const edges = new Map(bill.dependencies.map(({ ref, dependsOn }) => [ref, dependsOn]));
  const [root] = bill.dependencies;
  const reached = new Set<string>();
  const reach = (reference: string): void => {
    if (reached.has(reference)) return;
    reached.add(reference);
    for (const next of edges.get(reference) ?? assert.fail(`${reference} is missing`)) reach(next);
  };
  reach(root?.ref ?? '');
  assert.deepEqual([...reached].sort(), [...edges.keys()].sort());
  assert.equal(root?.dependsOn.length, Object.keys(manifest.dependencies).length);
});

test('docs/security.md counts the dependencies of production as they are', () => {
  const text = read('docs/security.md');
  const optional = PRODUCTION.filter((one) => one.optional).length;
  const direct = Object.keys(manifest.dependencies).length;
  const counts = `${direct} direct dependencies, ${PRODUCTION.length - optional} packages in all, and one of ${optional}`;
  assert(text.includes(counts), `it should say: ${counts}`);
});
