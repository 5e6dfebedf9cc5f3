/**
 * Builds what others install: the program and the packages that it loads, in a few files. Node takes a third
 * of a millisecond for each module that it finds and links, at each start and in each process, and there are
 * hundreds (zod alone has ninety): 70 ms of CPU and 12 MB of each worker (docs/performance.md).
 *
 * The packages stay dependencies of ours, so that their licences come along, and whoever asks what the
 * program consists of is told.
 *
 * node scripts/build.ts [FOLDER]
 */
import { cpSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { rolldown } from 'rolldown';
import { ROOT } from './lockfile.ts';

/** What is started by name: by `bin/entry.mjs`, and as a process of its own by `doctor`. */
const ENTRIES = ['main', 'worker-main', 'worker-spawn', 'doctor/trust-probe'];
/** Read by the reports beside their own code. */
const ASSETS = ['sql', 'prices.json', 'html/style.css'];

/**
 * Builds into a folder, which is emptied first.
 *
 * @throws Error where a source can not be read, or names what is not there
 */
export async function build(folder: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  const out = path.join(folder, 'cli');
  const bundle = await rolldown({
    cwd: ROOT,
    input: ENTRIES.map((name) => path.join(ROOT, 'src', 'cli', `${name}.ts`)),
    platform: 'node',
    external: apart(),
    // What is built names no place of the machine, wherever the packages lie.
    resolve: { symlinks: false },
  });
  await bundle.write({ dir: out, entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' });
  await bundle.close();
  for (const asset of ASSETS) {
    const to = path.join(out, path.basename(asset));
    cpSync(path.join(ROOT, 'src', 'reports', asset), to, { recursive: true });
  }
}

/** DuckDB finds its native library from where it lies; clients that drills may use are there or not. */
function apart(): (id: string) => boolean {
  const { devDependencies } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
    devDependencies: Readonly<Record<string, string>>;
  };
  return (id) => {
    const [scope = '', name = ''] = id.split('/');
    const packageName = scope.startsWith('@') ? `${scope}/${name}` : scope;
    return scope === '@duckdb' || Object.hasOwn(devDependencies, packageName);
  };
}

if (import.meta.main) await build(path.resolve(process.argv[2] ?? path.join(ROOT, 'dist')));
