import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Secret } from '../core/secret.ts';
import { KEY, load, problemOf, problemsOf, workingDirectory } from './fixtures.test.ts';
import { loadConfig, type TwinUpstreams } from './load.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const ROUTE = 'routes: [{ name: r, when: { model: "*haiku*" }, lane: zai }]';

test('without a file and a key, everything stays on anthropic', async (t) => {
  const config = await load(t);
  assert.deepEqual([...config.lanes.keys()], ['anthropic']);
  assert.deepEqual(config.routes, []);
  assert.deepEqual([config.defaultLane, config.forceLane, config.file], ['anthropic', null, null]);
  assert.deepEqual(config.listen, { host: '127.0.0.1', port: 8082, token: null });
  assert.deepEqual(config.intercept, ['api.anthropic.com']);
  assert.match(config.notes.join(), /ZAI_API_KEY is not set/);
  const { upstream, credentials, models, tag } = config.lanes.get('anthropic') ?? assert.fail();
  const anthropic = { scheme: 'https', host: 'api.anthropic.com', port: 443, basePath: '' };
  assert.deepEqual(upstream, { ...anthropic, ca: null });
  assert.deepEqual([credentials, models, tag], [{ kind: 'passthrough' }, [], 'anth']);
});

test('with a key, Haiku requests of subagents go to zai', async (t) => {
  const config = await load(t, { env: { ZAI_API_KEY: KEY } });
  assert.deepEqual(config.routes, [
    { decision: 'subagent', when: { model: '*haiku*', agent: 'subagent' }, lane: 'zai' },
  ]);
  const zai = config.lanes.get('zai') ?? assert.fail();
  assert.deepEqual(zai.upstream, {
    scheme: 'https',
    host: 'api.z.ai',
    port: 443,
    basePath: '/api/anthropic',
    ca: null,
  });
  assert.deepEqual([zai.tag, zai.body], ['zai', { userId: 'drop', attribution: 'drop' }]);
  assert.deepEqual([config.forceLane, config.notes], ['zai', []]);
});

test('forcing without a key is refused and names the variable', async (t) => {
  const problem = await problemOf(t, { env: { FORCE_HAIKU_TO_ZAI: '1' } });
  assert.equal(problem.variable, 'FORCE_HAIKU_TO_ZAI');
  assert.match(`${problem.message} ${problem.mend}`, /ZAI_API_KEY/);
});

test('the example of the repository loads as it is', async (t) => {
  const configFile = join(root, 'examples', 'lanekeeper.yaml');
  const config = await load(t, { env: { ZAI_API_KEY: KEY }, configFile });
  const decisions = config.routes.map(({ decision }) => decision);
  assert.deepEqual(decisions, ['rule:haiku', 'rule:helpers']);
  assert.equal(config.file, configFile);
});

test('the file is the one named, else in the working directory, else in the home', async (t) => {
  const port = (number: number): string => `listen: { port: ${number} }`;
  const cwd = workingDirectory(t, {
    'other.yaml': port(1),
    'lanekeeper.yaml': port(2),
    'home/lanekeeper.yaml': port(3),
    'empty/keep': '',
  });
  const home = join(cwd, 'home');
  const portOf = async (options: object) =>
    (await loadConfig({ cwd, env: {}, home, ...options })).listen.port;
  assert.equal(await portOf({ configFile: 'other.yaml' }), 1);
  assert.equal(await portOf({}), 2);
  assert.equal(await portOf({ cwd: join(cwd, 'empty') }), 3);
  await assert.rejects(portOf({ configFile: 'missing.yaml' }), /--config: .*does not exist/);
});

test('the command line goes before the environment, and that before the file', async (t) => {
  const yaml = 'listen: { host: "::1", port: 1 }';
  const env = { MITM_PORT: '2' };
  const both = await load(t, { yaml, env, overrides: { host: 'localhost', port: 3 } });
  assert.deepEqual([both.listen.host, both.listen.port], ['localhost', 3]);
  const ofEnvironment = await load(t, { yaml, env });
  assert.deepEqual([ofEnvironment.listen.host, ofEnvironment.listen.port], ['::1', 2]);
  assert.equal((await load(t, { yaml })).listen.port, 1);
});

test('an address beyond loopback needs a token', async (t) => {
  for (const host of ['0.0.0.0', '::', '192.168.1.2']) {
    const ofFile = await problemOf(t, { yaml: `listen:\n  host: "${host}"` });
    assert.deepEqual([ofFile.path, ofFile.line], ['listen.host', 2]);
    const ofOption = await problemOf(t, { overrides: { host } });
    assert.equal(ofOption.variable, '--host');
    const config = await load(t, { overrides: { host }, env: { LANEKEEPER_TOKEN: KEY } });
    assert.ok(config.listen.token?.equals(KEY));
  }
  assert.match((await problemOf(t, { overrides: { host: 'example' } })).message, /neither an IP/);
});

test('the token of the file goes before LANEKEEPER_TOKEN, and must be set', async (t) => {
  const yaml = 'listen: { host: 0.0.0.0, token: { env: OWN } }';
  const env = { LANEKEEPER_TOKEN: 'another', OWN: KEY };
  assert.ok((await load(t, { yaml, env })).listen.token?.equals(KEY));
  const problem = await problemOf(t, { yaml, env: { LANEKEEPER_TOKEN: 'another' } });
  assert.deepEqual([problem.path, problem.message], ['listen.token.env', 'OWN is not set']);
  const weak = await load(t, { env: { LANEKEEPER_TOKEN: 'short' } });
  assert.match(weak.notes.join(), /shorter than 16/);
});

test('a lane of the file replaces the built-in one whole, the others stay', async (t) => {
  const yaml = `lanes:
  zai: { upstream: "http://127.0.0.1:9/p/", credentials: { env: OTHER_KEY }, body: { user_id: keep } }
  local: { upstream: "https://[::1]:8443", credentials: { env: LOCAL_KEY, header: authorization } }`;
  const config = await load(t, { yaml, env: { OTHER_KEY: KEY, LOCAL_KEY: KEY } });
  assert.deepEqual([...config.lanes.keys()], ['anthropic', 'zai', 'local']);
  const zai = config.lanes.get('zai') ?? assert.fail();
  const { scheme, host, port, basePath } = zai.upstream;
  assert.deepEqual([scheme, host, port, basePath], ['http', '127.0.0.1', 9, '/p']);
  assert.deepEqual(zai.body, { userId: 'keep', attribution: 'drop' });
  assert.deepEqual(zai.models, [['*haiku*', 'glm-4.5-air']]);
  const local = config.lanes.get('local') ?? assert.fail();
  assert.deepEqual([local.upstream.host, local.upstream.port], ['::1', 8443]);
  assert.deepEqual([local.tag, local.models], ['local', []]);
  assert.equal(config.routes[0]?.decision, 'subagent', 'a file without routes has the default one');
});

test('routes of the file are rules by name, and an empty list is no routes', async (t) => {
  const yaml = `routes:
  - { name: one_1, when: { model: "*haiku*", agent: main, path: /v1/messages }, lane: zai }
  - { name: rest, lane: anthropic }`;
  const { routes } = await load(t, { yaml, env: { ZAI_API_KEY: KEY } });
  const when = { model: '*haiku*', agent: 'main', path: '/v1/messages' };
  assert.deepEqual(routes, [
    { decision: 'rule:one_1', when, lane: 'zai' },
    { decision: 'rule:rest', when: {}, lane: 'anthropic' },
  ]);
  assert.deepEqual((await load(t, { yaml: 'routes: []', env: { ZAI_API_KEY: KEY } })).routes, []);
});

test('what is routed to a lane without its key is refused; an unused one is a note', async (t) => {
  const problem = await problemOf(t, { yaml: ROUTE });
  assert.deepEqual([problem.path, problem.line], ['routes[0].lane', 1]);
  assert.match(problem.message, /lane zai.*ZAI_API_KEY is not set/);
  const lane = 'lanes: { own: { upstream: "https://own.example", credentials: { env: OWN_KEY } } }';
  const asDefault = await problemOf(t, { yaml: `${lane}\ndefault: own` });
  assert.deepEqual([asDefault.path, asDefault.line], ['default', 2]);
  assert.match(asDefault.message, /OWN_KEY is not set/);
  const env = { OWN_KEY: KEY };
  const keyed = await problemOf(t, { yaml: `${lane}\ndefault: own`, env });
  assert.equal(keyed.path, 'default');
  assert.match(keyed.message, /keyed lane/);
  const unused = await load(t, { yaml: lane });
  assert.equal(unused.lanes.has('own'), false);
  assert.match(unused.notes.join('\n'), /OWN_KEY is not set, so there is no lane own/);
});

test('a passthrough lane to another host than Anthropic is said aloud; zai can not be one', async (t) => {
  const lane = (name: string): string =>
    `lanes: { ${name}: { upstream: "https://gate.example", credentials: passthrough } }`;
  const config = await load(t, { yaml: lane('anthropic') });
  assert.match(config.notes.join('\n'), /anthropic carries the credentials .* to gate\.example/);
  assert.equal((await problemOf(t, { yaml: lane('zai') })).path, 'lanes.zai.credentials');
});

test('with twins every upstream, trust root and key is theirs', async (t) => {
  const twin: TwinUpstreams = {
    anthropic: { host: '127.0.0.1', port: 1, ca: 'PEM A', basePath: '' },
    zai: { host: '127.0.0.1', port: 2, ca: 'PEM Z', basePath: '/api/anthropic' },
    zaiKey: 'twin-key-1',
  };
  const yaml = `lanes:
  own: { upstream: "https://own.example", credentials: { env: OWN_KEY } }
  gate: { upstream: "https://gate.example", credentials: passthrough }
default: gate
intercept: [gate.example]`;
  for (const setting of [{}, { yaml, env: { ZAI_API_KEY: KEY, OWN_KEY: KEY } }]) {
    const config = await load(t, { ...setting, twin });
    for (const { name, credentials, upstream } of config.lanes.values()) {
      const keyed = name === 'own' || name === 'zai';
      const expected = keyed ? twin.zai : twin.anthropic;
      assert.deepEqual(upstream, { scheme: 'https', ...expected });
      assert.equal(credentials.kind, keyed ? 'key' : 'passthrough');
      if (credentials.kind === 'key') assert.ok(credentials.secret.equals('twin-key-1'));
    }
    assert.equal(config.forceLane, 'zai');
    assert.equal(config.routes[0]?.lane, 'zai');
  }
  assert.equal((await load(t, { twin, env: { FORCE_HAIKU_TO_ZAI: '1' } })).forceHaiku, true);
});

test('trust roots are read relative to the file, and only certificates are kept', async (t) => {
  const certificate = readFileSync(join(root, 'src/config/corpus/root.pem'), 'utf8').trim();
  const key = '-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----';
  const yaml = (ca: string): string =>
    `lanes: { anthropic: { upstream: "https://api.anthropic.com", credentials: passthrough, ca: ${ca} } }`;
  const cwd = workingDirectory(t, {
    'conf/lanekeeper.yaml': yaml('./root.pem'),
    'conf/root.pem': `text\n${key}\n${certificate}\n${certificate}\n`,
  });
  const config = await loadConfig({ cwd, env: {}, configFile: 'conf/lanekeeper.yaml' });
  const { ca } = config.lanes.get('anthropic')?.upstream ?? assert.fail();
  assert.equal(ca, `${certificate}\n${certificate}\n`);

  const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  const files = { 'key.pem': key, 'broken.pem': broken };
  for (const [name, message] of [
    ['missing.pem', /ENOENT/],
    ['key.pem', /holds no certificate/],
    ['broken.pem', /certificate 1 .* damaged/],
    ['.', /EISDIR/],
  ] as const) {
    const problem = await problemOf(t, { files, yaml: yaml(name) });
    assert.equal(problem.path, 'lanes.anthropic.ca');
    assert.match(problem.message, message);
  }
});

test('timeouts are in milliseconds, with the program’s own as defaults', async (t) => {
  const { timeouts } = await load(t, { yaml: 'timeouts: { connect_ms: 5, idle_ms: 7 }' });
  assert.deepEqual([timeouts.connectMs, timeouts.idleMs, timeouts.tlsMs], [5, 7, 10_000]);
});

test('the configuration is frozen', async (t) => {
  const config = await load(t, { env: { ZAI_API_KEY: KEY } });
  const lane = config.lanes.get('zai') ?? assert.fail();
  for (const part of [config, config.listen, config.routes[0], lane, lane.models[0]]) {
    assert.ok(Object.isFrozen(part));
  }
});

test('no secret is in the configuration as text', async (t) => {
  const env = { ZAI_API_KEY: KEY, LANEKEEPER_TOKEN: `${KEY}-token` };
  const config = await load(t, { env });
  assert.ok(config.listen.token instanceof Secret);
  assert.doesNotMatch(JSON.stringify({ ...config, lanes: [...config.lanes] }), /CANARY/);
});

test('problems of the environment and of the file are reported together', async (t) => {
  const variables = { MITM_PORT: 'x' };
  const problems = await problemsOf(t, { env: variables, yaml: 'default: nowhere' });
  assert.deepEqual(
    problems.map(({ variable, path }) => variable ?? path),
    ['MITM_PORT', 'default'],
  );
  const unreadable = await problemsOf(t, { env: variables, yaml: 'a: b: c' });
  assert.equal(unreadable[0]?.variable, 'MITM_PORT');
});

test('without a file, neither yaml nor zod is loaded', (t) => {
  const cwd = workingDirectory(t);
  mkdirSync(join(cwd, 'home'));
  const program = `
    import { registerHooks } from 'node:module';
    const loaded = [];
    registerHooks({ load(url, context, next) { loaded.push(url); return next(url, context); } });
    const { loadConfig } = await import(${JSON.stringify(new URL('./load.ts', import.meta.url).href)});
    await loadConfig({ cwd: ${JSON.stringify(cwd)}, env: {}, home: 'home' });
    console.log(loaded.some((url) => /node_modules/.test(url)));
  `;
  writeFileSync(join(cwd, 'program.mjs'), program);
  const ran = spawnSync(process.execPath, [join(cwd, 'program.mjs')], { encoding: 'utf8' });
  assert.equal(ran.stdout.trim(), 'false', ran.stderr);
});

test('whatever is not loopback by its spelling is not taken for it', async (t) => {
  const addresses = [
    ...['0.0.0.0', '::', '::0', '0:0:0:0:0:0:0:0', '::ffff:0.0.0.0', '::ffff:127.0.0.1'],
    ...['0:0:0:0:0:0:0:1', '::ffff:192.0.2.1', '192.0.2.1', '10.0.0.1', '169.254.0.1', 'fe80::1'],
  ];
  for (const host of addresses) {
    const { message } = await problemOf(t, { overrides: { host } });
    assert.match(message, /is not a loopback address, so clients must present a token/, host);
  }
  // A name may lead anywhere, and to somewhere else tomorrow; other spellings of 127.0.0.1 are none.
  for (const host of [
    'machine',
    'localhost.',
    'localhost.example',
    '127.1',
    '0',
    '0x7f000001',
    '[::1]',
  ]) {
    const { message } = await problemOf(t, { overrides: { host } });
    assert.match(message, /is neither an IP address nor localhost/, host);
  }
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost']) {
    assert.equal((await load(t, { overrides: { host } })).listen.host, host);
  }
});
