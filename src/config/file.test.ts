import { strict as assert } from 'node:assert';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from '../../test/support/properties.ts';
import { CONFIG_FILE_BYTES_MAX } from '../core/limits.ts';
import { KEY, load, problemOf, problemsOf, workingDirectory } from './fixtures.test.ts';
import { ConfigError, loadConfig } from './load.ts';
import { schemaText } from './schema.ts';
import { editDistance, nearest } from './suggest.ts';

/** A file with one mistake: its path, its line, and what the message and the mend say. */
const MISTAKES: readonly (readonly [yaml: string, path: string, line: number, says: RegExp])[] = [
  ['listn: {}', 'listn', 1, /did you mean "listen"/],
  ['\n# x\nlisten:\n  prot: 1', 'listen.prot', 4, /did you mean "port"/],
  ['listen: { port: 65536 }', 'listen.port', 1, /at most 65535, and is 65536/],
  ['listen: { port: "80" }', 'listen.port', 1, /a whole number/],
  ['listen: { port: 1.5 }', 'listen.port', 1, /a whole number, and is 1.5/],
  ['listen: 8082', 'listen', 1, /must be a map/],
  ['listen: { token: abc }', 'listen.token', 1, /must be a map/],
  ['listen: { token: { value: abc, env: A } }', 'listen.token.value', 1, /variable .* env/],
  ['http2: yes', 'http2', 1, /follow or always or never/],
  ['intercept: []', 'intercept', 1, /must not be empty/],
  ['intercept: api.anthropic.com', 'intercept', 1, /must be a list/],
  ['intercept: [API.anthropic.com]', 'intercept[0]', 1, /lower-case host name/],
  ['intercept: ["*.anthropic.com"]', 'intercept[0]', 1, /wildcard/],
  ['intercept: [127.0.0.1]', 'intercept[0]', 1, /address/],
  ['intercept: [api.anthropic.com.]', 'intercept[0]', 1, /final dot/],
  ['intercept:\n - api.anthropic.com\n - chatgpt.com', 'intercept[1]', 3, /unknown host/],
  ['intercept: [api.z.ai]', 'intercept[0]', 1, /unknown host/],
  ['lanes: { Zai: {} }', 'lanes.Zai', 1, /lower-case letter/],
  ['lanes: { a: { credentials: passthrough } }', 'lanes.a.upstream', 1, /is missing/],
  ['lanes: { a: { upstream: "https://a.example" } }', 'lanes.a.credentials', 1, /is missing/],
  ['routes: [{ name: A, lane: anthropic }]', 'routes[0].name', 1, /lower-case letters/],
  ['routes:\n - { name: a, lane: zia }', 'routes[0].lane', 2, /did you mean "zai"/],
  ['routes:\n - { name: a, lain: zai, lane: anthropic }', 'routes[0].lain', 2, /"lane"/],
  [
    'routes: [{ name: a, when: { agent: sub }, lane: anthropic }]',
    'routes[0].when.agent',
    1,
    /main or subagent/,
  ],
  ['default: nowhere', 'default', 1, /no lane "nowhere"/],
  ['timeouts: { idle_ms: 0 }', 'timeouts.idle_ms', 1, /at least 1/],
  ['timeouts: { idle: 5 }', 'timeouts.idle', 1, /did you mean "idle_ms"/],
  ['a: 1\nb:', 'b', 2, /known here: listen/],
];

test('each mistake is reported with its setting, its line and its mend', async (t) => {
  for (const [yaml, path, line, says] of MISTAKES) {
    const found = await problemsOf(t, { yaml });
    const problem = found.find((candidate) => candidate.path === path);
    assert.ok(problem !== undefined, `${yaml}: ${JSON.stringify(found)}`);
    assert.equal(problem.line, line, yaml);
    assert.match(`${problem.message}; ${problem.mend}`, says);
    assert.match(problem.file ?? '', /lanekeeper\.yaml$/);
    assert.equal(problem.variable, null);
  }
});

test('an upstream is a place and nothing else, and is never quoted', async (t) => {
  const refused: readonly (readonly [url: string, says: RegExp])[] = [
    ['api.CANARY.example', /not a URL/],
    ['ftp://CANARY.example', /https URL/],
    ['http://CANARY.example', /only a loopback address/],
    ['https://CANARY:pw@a.example', /user or a password/],
    ['https://a.example/?key=CANARY', /query or a fragment/],
    ['https://a.example/?', /query or a fragment/],
    ['https://a.example/#CANARY', /query or a fragment/],
    ['https://CANARY.example:0', /port 0/],
    ['https://', /not a URL/],
  ];
  for (const [url, says] of refused) {
    const yaml = `lanes:\n  a:\n    upstream: "${url}"\n    credentials: { env: A_KEY }`;
    const problem = await problemOf(t, { yaml, env: { A_KEY: KEY } });
    assert.deepEqual([problem.path, problem.line], ['lanes.a.upstream', 3]);
    assert.match(problem.message, says);
    assert.doesNotMatch(JSON.stringify(problem), /CANARY/i);
  }
});

test('the host of the default lane may be intercepted, another lane’s may not', async (t) => {
  const lane = `lanes: { gate: { upstream: "https://gate.example", credentials: passthrough } }
intercept: [api.anthropic.com, gate.example]`;
  const config = await load(t, { yaml: `${lane}\ndefault: gate` });
  assert.deepEqual(config.intercept, ['api.anthropic.com', 'gate.example']);
  assert.match((await problemOf(t, { yaml: lane })).message, /unknown host/);
});

test('a key in the file is refused and not shown, wherever it stands', async (t) => {
  const lane = (credentials: string): string =>
    `lanes: { a: { upstream: "https://a.example", credentials: ${credentials} } }`;
  for (const credentials of [
    `{ key: ${KEY} }`,
    `{ env: ${KEY} }`,
    `{ env: A_KEY, header: ${KEY} }`,
    KEY,
    `{ env: A_KEY, value: ${KEY} }`,
  ]) {
    const problems = await problemsOf(t, { yaml: lane(credentials) });
    assert.doesNotMatch(JSON.stringify(problems), /CANARY/);
  }
});

test('settings that a passthrough lane has no use for are refused', async (t) => {
  const yaml = `lanes:
  anthropic:
    upstream: https://api.anthropic.com
    credentials: passthrough
    models: { "*": x }
    body: { user_id: drop }`;
  const found = (await problemsOf(t, { yaml })).map(({ path, line }) => [path, line]);
  assert.deepEqual(found, [
    ['lanes.anthropic.models', 5],
    ['lanes.anthropic.body', 6],
  ]);
});

test('two routes of one name are refused', async (t) => {
  const yaml = 'routes:\n- { name: a, lane: anthropic }\n- { name: a, lane: anthropic }';
  const problem = await problemOf(t, { yaml });
  assert.deepEqual([problem.path, problem.line], ['routes[1].name', 3]);
});

test('what is not valid YAML is refused with its line', async (t) => {
  const broken: readonly (readonly [yaml: string, line: number, says: RegExp])[] = [
    ['http2: follow\nhttp2: never', 2, /stands twice/],
    ['lanes: {}\nroutes: [1,2', 2, /not valid YAML/],
    ['http2: follow\n\tlisten: {}', 2, /not valid YAML/],
    ['http2: follow\n---\nhttp2: never', 2, /not valid YAML/],
    ['http2: !custom x', 1, /not valid YAML/],
    ['routes:\n- { name: a, when: { model: *haiku* }, lane: zai }', 2, /quotes around a glob/],
    ['lanes: { zai: { models: { *haiku*: x } } }', 1, /quotes around a glob/],
    ['listen: &x { y: *x }', 1, /alias/],
    ['? { a: 1 }\n: 2', 1, /not valid YAML/],
  ];
  for (const [yaml, line, says] of broken) {
    const [problem] = await problemsOf(t, { yaml });
    assert.equal(problem?.line, line, yaml);
    assert.match(`${problem.message}; ${problem.mend}`, says);
  }
});

test('an empty file is a file without settings; one that is no map is refused', async (t) => {
  assert.equal((await load(t, { yaml: '# nothing yet\n' })).defaultLane, 'anthropic');
  assert.match((await problemOf(t, { yaml: '- 1' })).message, /must be a map/);
});

test('a file that can not be read, or is much too large, is refused', async (t) => {
  const cwd = workingDirectory(t, { 'large.yaml': '#'.repeat(CONFIG_FILE_BYTES_MAX + 1) });
  mkdirSync(join(cwd, 'lanekeeper.yaml'));
  await assert.rejects(loadConfig({ cwd, env: {} }), /can not be read \(EISDIR\)/);
  const large = loadConfig({ cwd, env: {}, configFile: 'large.yaml' });
  await assert.rejects(large, /is larger than/);
});

test('whatever stands in the file, it is loaded or refused as a configuration error', async (t) => {
  const cwd = workingDirectory(t);
  const names = ['listen', 'lanes', 'routes', 'default', 'intercept', 'timeouts', 'http2'];
  const value = fc.dictionary(
    fc.oneof(fc.constantFrom(...names), fc.string()),
    fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.dictionary(fc.string(), fc.jsonValue())),
  );
  await fc.assert(
    fc.asyncProperty(value, async (data) => {
      const file = join(workingDirectory(t, { 'c.yaml': JSON.stringify(data) }), 'c.yaml');
      try {
        await loadConfig({ cwd, env: {}, home: cwd, configFile: file });
      } catch (error) {
        assert.ok(error instanceof ConfigError, String(error));
      }
    }),
    { numRuns: 60 },
  );
});

test('the schema in the repository is the current one', () => {
  const committed = readFileSync(new URL('../../lanekeeper.schema.json', import.meta.url), 'utf8');
  assert.equal(committed, schemaText(), 'write it anew: node src/config/write-schema.ts');
});

test('the nearest name is found over a few edits, and only then', () => {
  assert.equal(nearest('upstraem', ['upstream', 'models']), 'upstream');
  assert.equal(nearest('HTTP2', ['http2']), 'http2');
  assert.equal(nearest('ca', ['no', 'xy']), null);
  assert.equal(nearest('something', ['upstream']), null);
  assert.deepEqual([editDistance('', 'abc'), editDistance('ab', 'ba')], [3, 1]);
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => {
      const distance = editDistance(a, b);
      assert.equal(distance, editDistance(b, a));
      assert.equal(distance === 0, a === b);
      assert.ok(distance <= Math.max(a.length, b.length));
    }),
  );
});
