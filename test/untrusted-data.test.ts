/**
 * Data is never more than data: no text of a file, a request or an answer becomes code or a path to load
 * from, none reaches what all objects share, and none can keep a pattern busy.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import path from 'node:path';
import { test } from 'node:test';
import { socketPath } from '../src/admin/socket-path.ts';
import { ConfigError, loadConfig } from '../src/config/load.ts';
import { matchesGlob } from '../src/core/route.ts';
import { redactText } from '../src/ledger/redact.ts';
import { pricesWith } from '../src/reports/price-table.ts';
import { createFinder } from '../src/session/secrets/finder.ts';
import { FaultPlanError, parsePlan } from '../src/twin/plan.ts';
import { runCommand } from './support/command.ts';
import { tempHome } from './support/home.ts';
import fc from './support/properties.ts';
import { startRig } from './support/rig.ts';

const ROOT = path.join(import.meta.dirname, '..');
const LIMIT = { timeout: 120_000 };

/** Sources of the program without their comments, by path. */
function sources(): Map<string, string> {
  const names = (readdirSync(path.join(ROOT, 'src'), { recursive: true }) as string[])
    .map((name) => path.posix.join('src', name.split(path.sep).join('/')))
    .filter((name) => name.endsWith('.ts') && !/\.test\.ts$|\/testing\//.test(name));
  return new Map(
    names.map((name) => {
      const text = readFileSync(path.join(ROOT, name), 'utf8');
      return [name, text.replace(/^ *(?:\/\/|\*|\/\*).*$/gm, '')];
    }),
  );
}

test('no text becomes code: nothing evaluates, and what is loaded is named in the source', () => {
  const all = sources();
  assert(all.size > 200);
  for (const [name, text] of all) {
    assert.doesNotMatch(
      text,
      /\beval\(|new Function\b|\bFunction\(|from 'node:vm'|require\(/,
      name,
    );
    assert.doesNotMatch(text, /\bset(?:Timeout|Interval|Immediate)\(\s*['"`]/, name);
    // Every import() has its module as a literal: no name of a file comes from outside.
    assert.doesNotMatch(text, /\bimport\((?!'[^']+'\))/, name);
    assert.doesNotMatch(text, /\bregister\(|process\.dlopen|process\.binding/, name);
    assert.doesNotMatch(text, /shell: true|\bexecSync\(|\bexec\(`|[^.\w]exec\(/, name);
  }
  const spawning = [...all].filter(([, text]) =>
    /^import (?!type)[^;]*'node:child_process'/m.test(text),
  );
  // The proxy's own parts start themselves; the command line starts what the person names.
  const places = spawning.map(([name]) => name.split('/').slice(0, 2).join('/'));
  assert.deepEqual([...new Set(places)].sort(), ['src/cli']);
});

/** What all objects share, as it is now. */
function shared(): string {
  const names = (value: object): string => Object.getOwnPropertyNames(value).sort().join();
  return [Object.prototype, Array.prototype, Function.prototype].map(names).join(' ');
}

/** A YAML or JSON document whose maps have names of what objects inherit. */
const INHERITED = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  '__defineGetter__',
] as const;
const documents = fc.letrec<{ value: unknown; map: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('auto', 'passthrough', 1, true, null, 'https://api.z.ai', 'anthropic'),
    tie('map'),
    fc.array(tie('value'), { maxLength: 2 }),
  ),
  map: fc
    .array(
      fc.tuple(
        fc.constantFrom(
          ...INHERITED,
          ...[
            'lanes',
            'listen',
            'routes',
            'when',
            'models',
            'zai',
            'upstream',
            'credentials',
            'env',
          ],
          ...['rules', 'match', 'fault', 'version', 'prices', 'name', 'lane', 'polluted'],
        ),
        tie('value'),
      ),
      { maxLength: 4 },
    )
    // As text, since an object of JavaScript can not be given such a name by assignment.
    .map((entries) => {
      const unique = new Map(entries);
      const parts = [...unique].map(([name, value]) => `${JSON.stringify(name)}:${textOf(value)}`);
      return { json: `{${parts.join(',')}}` };
    }),
}));

function textOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(textOf).join(',')}]`;
  if (typeof value === 'object' && value !== null && 'json' in value) return String(value.json);
  return JSON.stringify(value);
}

test('no name in a file reaches what all objects share', LIMIT, async (t) => {
  const home = await tempHome(t);
  const before = shared();
  const file = path.join(home, 'lanekeeper.yaml');
  const prices = path.join(home, 'prices.json');
  await fc.assert(
    fc.asyncProperty(documents.map, async (document) => {
      const text = textOf(document);
      writeFileSync(file, text);
      writeFileSync(prices, text);
      const options = { cwd: home, home, env: { HOME: home } };
      await loadConfig(options).catch((error: unknown) => {
        assert(error instanceof ConfigError, String(error));
      });
      await parsePlan(text).catch((error: unknown) => {
        assert(error instanceof FaultPlanError, String(error));
      });
      assert.throws(() => pricesWith(prices), { name: 'PriceTableError' });
      assert.equal(shared(), before);
      assert.equal(Reflect.get({}, 'polluted'), undefined);
    }),
    { numRuns: 150 },
  );
});

test('a name that objects inherit is refused or is a name like any other', async (t) => {
  const home = await tempHome(t);
  const load = (yaml: string) => {
    writeFileSync(path.join(home, 'lanekeeper.yaml'), yaml);
    return loadConfig({ cwd: home, home, env: { HOME: home, KEY: 'fake-key-0001' } });
  };
  const lane = '{ upstream: "https://api.z.ai", credentials: { env: KEY } }';
  for (const yaml of [
    `lanes: { __proto__: ${lane} }`,
    `lanes: { zai: { upstream: "https://api.z.ai", credentials: { env: KEY }, models: { __proto__: x } } }`,
    '__proto__: { listen: { port: 1 } }',
    'listen: { __proto__: { port: 1 } }',
    'routes: [{ name: a, lane: toString }]',
    'default: constructor',
  ]) {
    await assert.rejects(load(yaml), ConfigError, yaml);
  }
  const config = await load(`lanes: { constructor: ${lane} }`);
  assert.deepEqual([...config.lanes.keys()].sort(), ['anthropic', 'constructor']);
});

test(
  'a body at the control socket sets what its own names say, and nothing else',
  LIMIT,
  async (t) => {
    const rig = await startRig(t);
    const before = shared();
    const post = (body: string): Promise<number> =>
      new Promise((resolve, reject) => {
        const options = { socketPath: socketPath(rig.home), method: 'POST', path: '/force' };
        const asked = request(options, (response) => {
          response.resume().once('end', () => resolve(response.statusCode ?? 0));
        });
        asked.once('error', reject).end(body);
      });
    for (const body of [
      '{"__proto__":{"on":true}}',
      '{"constructor":{"prototype":{"on":true}}}',
      '[]',
      '"on"',
      '{"on":"true"}',
      'null',
    ]) {
      assert.equal(await post(body), 400, body);
    }
    assert.equal(shared(), before);
    assert.equal(rig.proxy.control.status().force, false);
    assert.equal(await post('{"on":true,"__proto__":{"on":false}}'), 200);
    assert.equal(rig.proxy.control.status().force, true);
  },
);

/**
 * Texts that keep a careless pattern busy: each piece repeated to a size at which work that grows faster
 * than the text does would take minutes, which the test's own limit ends.
 */
const PIECES = [
  ...['a', '0a', '.', '=', ' ', '\\', '"', '\\"', '*', '?', '/', '%41', '\\u0041', 'é', '\u2028'],
  ...[
    'sk-',
    'sk-ant-',
    'eyJ',
    'eyJa.',
    'a@',
    'a@b.',
    '://a',
    '://a:',
    '://a:b',
    '0123456789abcdef',
  ],
  ...[
    'Bearer ',
    'cookie: ',
    'api_key:',
    'authorization: Basic ',
    'password=',
    'gho_',
    'AKIA',
    'xox',
  ],
  ...['-----BEGIN ', '-----BEGIN A PRIVATE KEY-----', 'session_token\\\\"', 'x-api-key: "'],
];
const SIZE = 120_000;

test('no text keeps the redaction or the search for secrets busy', LIMIT, () => {
  const finder = createFinder([{ name: 'known', value: 'a'.repeat(40) }]);
  for (const piece of PIECES) {
    // What ends otherwise makes a pattern try again.
    const text = `${piece.repeat(Math.ceil(SIZE / piece.length))}!`;
    assert.equal(typeof redactText(text), 'string');
    assert(Array.isArray(finder.in(Buffer.from(text, 'utf8').toString('latin1'))));
  }
});

test('no glob and no name keep the routing busy, and both mean what they say', LIMIT, () => {
  // The longest of both that there can be: 256 characters of a glob, 1024 bytes of a model.
  const globs = [
    '*a'.repeat(127),
    '*a*b'.repeat(64),
    '*'.repeat(256),
    `${'*?'.repeat(127)}b`,
    '?'.repeat(256),
  ];
  for (const glob of globs) {
    for (const name of ['a'.repeat(1024), 'ab'.repeat(512), `${'a'.repeat(1023)}c`]) {
      assert.equal(typeof matchesGlob(glob, name), 'boolean');
    }
  }
  const short = fc.string({
    unit: fc.constantFrom('a', 'b', '*', '?', '.', '(', '[', '\\'),
    maxLength: 9,
  });
  fc.assert(
    fc.property(short, short, (glob, name) => {
      const pattern = glob
        .replace(/[.([\\]/g, '\\$&')
        .replaceAll('*', '.*')
        .replaceAll('?', '.');
      assert.equal(matchesGlob(glob, name), new RegExp(`^${pattern}$`, 'su').test(name));
    }),
  );
});

test('a name that a command is given leads to no file but of the home', LIMIT, async (t) => {
  const home = await tempHome(t);
  mkdirSync(path.join(home, 'logs'));
  writeFileSync(path.join(home, 'logs', 'usage.jsonl'), '');
  for (const session of ['../../etc/passwd', "' OR 1=1 --", '__proto__', '%00']) {
    const { code, stderr } = await runCommand(['summarize', '--session', session], { home });
    assert.equal(code, 0, stderr);
  }
  assert.deepEqual(readdirSync(home).sort(), ['logs', 'results']);
  for (const name of readdirSync(path.join(home, 'results'))) {
    assert.match(name, /^(?:SUMMARY\.md|METRICS[\w-]*\.json)$/);
  }
});
