/**
 * The rules of the house as code: what the documents say of the source is true of the source, and
 * what no lint knows is checked here.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { loadConfig } from '../src/config/load.ts';
import { errorRow } from '../src/core/errors.ts';
import { parsePlan } from '../src/twin/plan.ts';
import { tempHome } from './support/home.ts';

const ROOT = path.join(import.meta.dirname, '..');
const LINES_MAX = 400;

function read(name: string): string {
  return readFileSync(path.join(ROOT, name), 'utf8');
}

/** Files below a folder of the repository, as paths from its root. */
function filesOf(folder: string): string[] {
  return (readdirSync(path.join(ROOT, folder), { recursive: true }) as string[])
    .map((name) => path.posix.join(folder, name.split(path.sep).join('/')))
    .filter((name) => name.endsWith('.ts'));
}

const SOURCES = filesOf('src').filter((name) => !name.endsWith('.test.ts'));
const BENCH = filesOf('bench').filter((name) => !name.includes('/node_modules/'));
const SIMULATOR = filesOf('sim').filter((name) => !name.endsWith('.test.ts'));
const ALL = [...filesOf('src'), ...filesOf('test'), ...filesOf('sim'), ...BENCH];

/** The rows of the table below a heading of a document: the cells of each. */
function tableBelow(document: string, heading: string): string[][] {
  const text = read(document);
  const from = text.indexOf(`\n${heading}\n`);
  assert(from >= 0, `${document} has no ${heading}`);
  const end = text.indexOf('\n## ', from + heading.length);
  const section = text.slice(from, end < 0 ? undefined : end);
  return section
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| ---'))
    .slice(1)
    .map((line) => line.slice(2, -2).split(' | '));
}

function codesIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
}

describe('every source file', () => {
  test(`has less than ${LINES_MAX} lines`, () => {
    for (const name of [...SOURCES, ...SIMULATOR, ...BENCH]) {
      const lines = read(name).split('\n').length - 1;
      assert(lines < LINES_MAX, `${name} has ${lines} lines`);
    }
  });

  test('begins by saying what it is', () => {
    for (const name of [...SOURCES, ...SIMULATOR, ...BENCH]) {
      assert.match(read(name), /^(#!.*\n)?\/\*\*/, name);
    }
  });

  test('has a name of small letters and hyphens', () => {
    for (const name of ALL) assert.match(path.basename(name), /^[a-z0-9-]+(\.[a-z]+)*\.ts$/, name);
  });

  test('exports by name', () => {
    for (const name of ALL) assert.doesNotMatch(read(name), /^export default|^export \*/m, name);
  });

  test('is finished', () => {
    const unfinished = new RegExp(['TO', 'DO|FIX', 'ME|X', 'XX\\b'].join(''));
    for (const name of ALL) assert.doesNotMatch(read(name), unfinished, name);
  });

  test('turns no check off', () => {
    const off = new RegExp(['@ts-', '(ignore|expect-error|nocheck)|biome-', 'ignore'].join(''));
    for (const name of ALL) assert.doesNotMatch(read(name), off, name);
  });
});

test('the environment of the process is looked at by the command line alone', () => {
  // Everything else gets what it needs as values; `config` is handed the variables.
  for (const name of SOURCES) {
    if (!name.startsWith('src/cli/')) assert.doesNotMatch(read(name), /process\.env/, name);
  }
  // And there only what is no setting: those are read in `config/environment.ts`, nowhere else.
  const named = new Set<string>();
  for (const name of SOURCES) {
    for (const [, variable = ''] of read(name).matchAll(/process\.env\['(\w+)'\]/g))
      named.add(variable);
  }
  const settings = tableBelow('docs/contract.md', '## Environment').flatMap(([cell = '']) =>
    codesIn(cell),
  );
  for (const setting of settings) assert(!named.has(setting), `${setting} is read past config`);
});

test('the variables of the contract are those that the configuration reads', () => {
  const text = SOURCES.filter((name) => name.startsWith('src/config/'))
    .map(read)
    .join('\n');
  const documented = tableBelow('docs/contract.md', '## Environment').flatMap(([cell = '']) =>
    codesIn(cell),
  );
  assert(documented.length > 10);
  for (const variable of documented) assert(text.includes(`'${variable}'`), variable);
  const prefixes = /'((?:MITM|ZAI|LANEKEEPER|FORCE|ENABLE|OFFLOAD)_[A-Z0-9_]+)'/g;
  for (const [, variable = ''] of text.matchAll(prefixes)) {
    assert(documented.includes(variable), `${variable} is not in the contract`);
  }
});

test('a credential is revealed by the lanes, and the proxy’s own token by what tells clients of it', () => {
  const revealing = SOURCES.filter((name) =>
    /\breveal\b/.test(read(name).replace(/^ *(\/\/|\*|\/\*).*$/gm, '')),
  );
  const elsewhere = revealing.filter((name) => !name.startsWith('src/lanes/'));
  assert.deepEqual(elsewhere.sort(), ['src/cli/environment.ts', 'src/core/secret.ts']);
});

test('DuckDB is loaded by the reports alone, and they by the commands that analyse, when they run', () => {
  const matching = (pattern: RegExp): string[] =>
    SOURCES.filter((name) => pattern.test(read(name)));
  assert.deepEqual(matching(/@duckdb\/node-api'/), ['src/reports/database.ts']);
  assert.match(read('src/reports/database.ts'), /await import\('@duckdb\/node-api'\)/);
  const users = matching(/'(?:\.\.?\/)+reports\//).filter(
    (name) => !name.startsWith('src/session/'),
  );
  const commands = users.map((name) => path.basename(name, '.ts'));
  assert.deepEqual(commands.sort(), ['cost', 'prune', 'report', 'summarize']);
  // A session is judged by reports, and that by commands alone.
  for (const name of matching(/'(?:\.\.?\/)+session\//)) {
    assert(
      /^src\/cli\/(?:commands|drill|session|verify)\//.test(name),
      `${name} imports a session`,
    );
  }
});

test('every bound of limits.ts is used, and says its unit', () => {
  const limits = read('src/core/limits.ts');
  const users = SOURCES.filter((name) => name !== 'src/core/limits.ts')
    .map(read)
    .join('\n');
  const names = [...limits.matchAll(/^export const (\w+)/gm)].map(([, name = '']) => name);
  assert(names.length > 50);
  for (const name of names) assert.match(users, new RegExp(`\\b${name}\\b`), `${name} is not used`);
  const units = /_(BYTES|MS|CHARS|MAX|STREAM|SESSION|ROWS|SOCKETS|FILES|REQUESTS)(_|$)/;
  for (const name of names) assert.match(name, units);
});

describe('docs/architecture.md', () => {
  const rows = tableBelow('docs/architecture.md', '## Rooms');
  const mayImport = new Map(rows.map(([room = '', , may = '']) => [codesIn(room)[0] ?? '', may]));
  const rooms = [...new Set(SOURCES.map((name) => name.split('/')[1] ?? ''))].filter(
    (name) => !name.endsWith('.ts'),
  );

  test('names every room, and no other', () => {
    const named = [...mayImport.keys()].filter((name) => name.endsWith('/'));
    assert.deepEqual(named.sort(), rooms.map((room) => `${room}/`).sort());
  });

  test('says truly what each room imports', () => {
    for (const name of SOURCES) {
      const room = name.split('/')[1] ?? '';
      const may = mayImport.get(`${room}/`);
      if (may === undefined || may === 'all') continue;
      const allowed = new Set([
        room,
        ...rooms.filter((other) => new RegExp(`\\b${other}\\b`).test(may)),
      ]);
      for (const [, target = ''] of read(name).matchAll(/(?:from|import\() ?'(\.[^']+)'/g)) {
        const resolved = path.posix.join(path.posix.dirname(name), target).split('/')[1] ?? '';
        assert(allowed.has(resolved), `${name} imports ${target}`);
      }
    }
  });

  test('gives a reason for each dependency, and names no other', () => {
    const manifest = JSON.parse(read('package.json')) as {
      dependencies: Record<string, string>;
      devDependencies: Record<string, string>;
    };
    const reasons = tableBelow('docs/architecture.md', '## Dependencies');
    const listed = reasons.flatMap(([cell = '']) => codesIn(cell));
    assert.deepEqual(listed.sort(), Object.keys(manifest.dependencies).sort());
    const text = read('docs/architecture.md');
    const section = text.slice(text.indexOf('Development only:'));
    const known = codesIn(section.slice(0, section.indexOf('\n\n')));
    for (const name of Object.keys(manifest.devDependencies)) {
      if (name.startsWith('@types/')) continue;
      assert(known.includes(name), `${name} is not explained`);
    }
  });
});

test('every dependency is pinned to one version', () => {
  const manifest = JSON.parse(read('package.json')) as Record<string, Record<string, string>>;
  for (const kind of ['dependencies', 'devDependencies']) {
    for (const [name, version] of Object.entries(manifest[kind] ?? {})) {
      assert.match(version, /^\d+\.\d+\.\d+(-[a-z]+\.\d+)?$/, name);
    }
  }
});

test('the errors of docs/contract.md and docs/ERROR-TAXONOMY.md are the errors of the program', () => {
  const documented = new Map<string, number>();
  for (const [statuses = '', codes = ''] of tableBelow(
    'docs/contract.md',
    '## Errors of our own',
  )) {
    // A row of several statuses parts their codes by dots, in the same order.
    const groups = statuses.includes(',') ? codes.split('·') : [codes];
    for (const [index, status] of statuses.split(',').entries()) {
      for (const code of codesIn(groups[index] ?? '')) documented.set(code, Number(status));
    }
  }
  const source = read('src/core/errors.ts');
  const table = source.slice(
    source.indexOf('const TABLE = {'),
    source.indexOf('} as const satisfies'),
  );
  const codes = [...table.matchAll(/^ {2}(\w+): \[/gm)].map(([, code = '']) => code);
  assert.deepEqual([...documented.keys()].sort(), codes.sort());
  for (const [code, status] of documented) {
    assert.equal(errorRow(code as Parameters<typeof errorRow>[0]).status, status, code);
  }
  const explained = tableBelow('docs/ERROR-TAXONOMY.md', '## Errors of our own').map(
    ([code = '', status = '']): [string, number] => [codesIn(code)[0] ?? '', Number(status)],
  );
  assert.deepEqual(explained.sort(), [...documented].sort());
});

test('every file of examples/ loads as it is', async (t) => {
  const home = await tempHome(t);
  const files = readdirSync(path.join(ROOT, 'examples'));
  assert(files.length > 0);
  for (const file of files) {
    if (file === 'faults.yaml') {
      assert((await parsePlan(read('examples/faults.yaml'))).rules.length > 0);
      continue;
    }
    const config = await loadConfig({
      cwd: home,
      env: { HOME: home, ZAI_API_KEY: 'fake-key-of-tests' },
      home,
      configFile: path.join(ROOT, 'examples', file),
    });
    assert.equal(config.file, path.join(ROOT, 'examples', file));
  }
});

test('what the documents point at is there', () => {
  for (const document of [
    'README.md',
    ...readdirSync(path.join(ROOT, 'docs')).map((name) => `docs/${name}`),
  ]) {
    if (!document.endsWith('.md')) continue;
    for (const [, target = ''] of read(document).matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)) {
      const file = path.join(ROOT, path.dirname(document), target);
      assert(existsSync(file), `${document} points at ${target}`);
    }
  }
});

const noCheckout = existsSync(path.join(ROOT, '.git')) ? false : 'not a checkout';
test('nothing in the repository names this machine or holds a key', { skip: noCheckout }, () => {
  const tracked = execFileSync('git', ['ls-files', '-z'], { cwd: ROOT, encoding: 'utf8' })
    .split('\0')
    .filter((name) => name !== '' && existsSync(path.join(ROOT, name)));
  for (const name of tracked) {
    const text = read(name);
    assert(!text.includes(`${ROOT}/`), `${name} names the folder of this checkout`);
    // Keys are some hundred characters long; those of tests are short, and say that they are fake.
    const key = /sk-ant-(?:api|oat)\d\d-[A-Za-z0-9_-]{60,}/.exec(text);
    assert.equal(key, null, `${name} holds what looks like a key`);
  }
});
