/**
 * The package that others install: built and packed from what git tracks, it holds the program and its
 * documents and nothing else, and runs with the dependencies of production alone.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { lockedPackages, ROOT } from '../scripts/lockfile.ts';
import { tempHome } from './support/home.ts';

const run = promisify(execFile);
const LIMIT = { timeout: 240_000 };
const BIN = path.join(ROOT, 'node_modules', '.bin');
/** npm and git of the machine, the compiler and the Node of the checkout. */
const PATH = `${BIN}:${process.env['PATH'] ?? ''}`;
const PLACES =
  /^package\/(?:LICENSE|README\.md|package\.json|lanekeeper\.schema\.json|bin\/(?:lanekeeper|entry\.mjs)|docs\/[\w-]+\.md|dist\/[\w./-]+\.(?:js|js\.map|d\.ts|sql|json|css))$/;
const NOT_FOR_OTHERS = /\.test\.|\/testing\/|\/scripted-|\/fixtures\.|(?:^|\/)\.|sbom|usage\.jsonl/;

/** The checkout as git has it, built; null where it is none. */
async function checkout(t: TestContext): Promise<string | null> {
  if (!existsSync(path.join(ROOT, '.git'))) return null;
  const folder = await tempHome(t);
  const listed = await run('git', ['ls-files', '-z'], { cwd: ROOT, maxBuffer: 2 ** 24 });
  const names = listed.stdout.split('\0').filter((name) => existsSync(path.join(ROOT, name)));
  for (const name of names) {
    if (name !== '') cpSync(path.join(ROOT, name), path.join(folder, name));
  }
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
  return folder;
}

test('the package holds the program and nothing else, and runs as it is', LIMIT, async (t) => {
  const folder = await checkout(t);
  if (folder === null) return t.skip('not a checkout');
  const env = { HOME: folder, PATH };
  const options = ['--json', '--offline', '--no-update-notifier', '--loglevel=error'];
  // It builds first: whoever packs can not forget to.
  const packed = await run('npm', ['pack', ...options], { cwd: folder, env, maxBuffer: 2 ** 24 });
  const [archive = ''] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  assert(archive !== '', packed.stderr);
  await run('tar', ['-xzf', archive], { cwd: folder });
  const names = readdirSync(path.join(folder, 'package'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)));
  assert(names.includes('package/dist/cli/main.js'));
  for (const name of names) {
    assert.match(name, PLACES);
    assert.doesNotMatch(name, NOT_FOR_OTHERS);
    const text: string = readFileSync(path.join(folder, name), 'utf8');
    for (const place of [ROOT, folder])
      assert(!text.includes(`${place}/`), `${name} names ${place}`);
  }

  const root = path.join(folder, 'installed', 'node_modules', 'lanekeeper');
  mkdirSync(path.dirname(root), { recursive: true });
  cpSync(path.join(folder, 'package'), root, { recursive: true });
  for (const { place, dev } of lockedPackages()) {
    const from = path.join(ROOT, place);
    // A package within another comes with it.
    if (dev || place.indexOf('node_modules/') !== place.lastIndexOf('node_modules/')) continue;
    if (!existsSync(from)) continue;
    const to = path.join(folder, 'installed', place);
    mkdirSync(path.dirname(to), { recursive: true });
    symlinkSync(from, to);
  }
  const home = path.join(folder, 'home');
  const lanekeeper = (...args: string[]) =>
    run(path.join(root, 'bin', 'lanekeeper'), args, {
      cwd: folder,
      env: { HOME: home, PATH: `${path.dirname(process.execPath)}:/usr/bin:/bin` },
    });
  assert.match((await lanekeeper('--version')).stdout, /^\d+\.\d+\.\d+$/m);
  const told = await lanekeeper('run', '--twin', '--', 'sh', '-c', 'echo "$HTTPS_PROXY"');
  assert.match(told.stdout, /^http:\/\/127\.0\.0\.1:\d+$/m);
  assert.match((await lanekeeper('env', '1')).stdout, /^export HTTPS_PROXY=/m);
  const summary = await lanekeeper('summarize');
  assert.match(summary.stdout, /METRICS\.json/);
});
