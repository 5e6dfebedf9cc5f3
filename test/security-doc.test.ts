/** docs/security.md says how each promise is tested: every test that it names is there, and tests. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

const ROOT = path.join(import.meta.dirname, '..');
const TEXT = readFileSync(path.join(ROOT, 'docs', 'security.md'), 'utf8');
/** Who is protected against; each has its section. */
const ADVERSARIES = [
  'Other users of the machine',
  'A web page in the person',
  'A stranger',
  'An upstream',
  'An attacker on the network',
  'A thief of the disk',
  'The supply chain',
] as const;

function sectionOf(title: string): string {
  const from = TEXT.indexOf(`\n## ${title}`);
  assert(from >= 0, `there is no section ${title}`);
  const end = TEXT.indexOf('\n## ', from + 1);
  return TEXT.slice(from, end < 0 ? undefined : end);
}

test('every test that it names is there and holds a test', () => {
  const named = [...TEXT.matchAll(/(?:\]\(\.\.\/|`)((?:src|test)\/[\w./-]+\.test\.ts)/g)].map(
    ([, name = '']) => name,
  );
  assert(new Set(named).size > 20);
  for (const name of named) {
    const file = path.join(ROOT, name);
    assert(existsSync(file), `docs/security.md names ${name}`);
    assert.match(readFileSync(file, 'utf8'), /\btest\(/, name);
  }
  for (const [, shown = '', target = ''] of TEXT.matchAll(/\[([\w./-]+\.test\.ts)\]\(([^)]+)\)/g)) {
    assert.equal(target, `../${shown}`);
  }
});

test('for each adversary it says how that is tested, and for each but the last what is not protected', () => {
  for (const title of ADVERSARIES) {
    const section = sectionOf(title);
    assert.match(section, /\.test\.ts\)/, `${title} names no test`);
    if (title !== 'The supply chain') assert.match(section, /\*Not protected/, title);
  }
});
