/**
 * The configuration: any environment and any file are loaded or refused, never worse; a refusal names
 * the place and the mend, and tells no secret; what is loaded keeps the rules that the program is
 * built on.
 *
 * Input: lines `NAME=value` of the environment, a line `%%`, then the text of `lanekeeper.yaml`.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describeConfig } from '../../../src/config/describe.ts';
import { ConfigError, type ConfigProblem, loadConfig } from '../../../src/config/load.ts';
import type { Config } from '../../../src/config/types.ts';
import { scratch } from '../scratch.ts';
import { seedsOf, type Target } from '../target.ts';

/** Whatever holds one of these in a message or a description has told a secret. */
const KEY = 'sk-ant-CANARY-key-of-nobody-and-nothing-0001';
const TOKEN = 'CANARY-token-of-nobody-and-nothing-0002';
const FENCE = '\n%%\n';

export const configTarget: Target = {
  name: 'config',
  oracle: 'loaded by the rules, or a ConfigError that names place and mend; no secret is told',
  covers: [
    'src/config/load.ts',
    'src/config/file.ts',
    'src/config/issues.ts',
    'src/config/errors.ts',
    'src/config/environment.ts',
    'src/config/lanes.ts',
    'src/config/routes.ts',
    'src/config/suggest.ts',
    'src/config/upstream.ts',
    'src/config/describe.ts',
  ],
  seeds: seedsOf(
    '',
    'MITM_PORT=0\nFORCE_HAIKU_TO_ZAI=1\nZAI_MODEL=glm-4.6\nMITM_HTTP2=1\nZAI_HEADER_MODE=authorization',
    `MITM_FORCE_H1=1\nOFFLOAD_PAUSED=yes\nZAI_API_KEY=${KEY} x\nLANEKEEPER_TOKEN=`,
    `${FENCE}listen: { host: 127.0.0.1, port: 8082, token: { env: LANEKEEPER_TOKEN } }\nhttp2: follow\n` +
      'intercept: [api.anthropic.com]\ndefault: anthropic\ntimeouts: { connect_ms: 1000, idle_ms: 5 }\n',
    `${FENCE}lanes:\n  zai:\n    upstream: https://api.z.ai/api/anthropic\n    credentials: { env: ZAI_API_KEY, header: x-api-key }\n` +
      '    models: { "*haiku*": glm-4.5-air }\n    body: { user_id: drop, attribution: keep }\n    ca: root.pem\n' +
      '  other:\n    upstream: http://127.0.0.1:9/x\n    credentials: passthrough\n' +
      'routes:\n  - name: small\n    when: { model: "*haiku*", agent: subagent, path: /v1/* }\n    lane: zai\n',
    `${FENCE}lanes:\n  zai: { upstream: "https://u:${KEY}@z.ai", credentials: ${KEY} }\n`,
    `${FENCE}lanes: { __proto__: { upstream: x }, constructor: 1 }\nroutes: [*a, &a b]\ndefault: zai\n`,
    `${FENCE}listen: { host: 0.0.0.0 }\nlisten: 1\n`,
  ),
  dictionary: [
    ...[
      FENCE,
      KEY,
      TOKEN,
      '__proto__: ',
      'constructor: ',
      'toString',
      '<<: ',
      '*a',
      '&a ',
      '!!map ',
    ],
    ...[
      '!!binary ',
      `!${KEY} `,
      '? ',
      '- ',
      ': ',
      '|\n',
      '>\n',
      '# ',
      '---\n',
      '...\n',
      '%YAML 1.1\n',
    ],
    ...['{', '}', '[', ']', '"', "'", '~', 'null', 'true', '.inf', '0x1F', '1e9', '\t', '\ufeff'],
    ...['listen: ', 'host: ', 'port: ', 'token: ', 'env: ', 'http2: ', 'intercept: ', 'lanes: '],
    ...[
      'upstream: ',
      'credentials: ',
      'models: ',
      'ca: ',
      'body: ',
      'routes: ',
      'when: ',
      'default: ',
    ],
    ...[
      'timeouts: ',
      'passthrough',
      'ZAI_API_KEY',
      'LANEKEEPER_TOKEN',
      'zai',
      'anthropic',
      'https://',
    ],
    ...['MITM_PORT=', 'MITM_HTTP2=', 'MITM_FORCE_H1=1\n', 'FORCE_HAIKU_TO_ZAI=1\n', 'ZAI_MODEL='],
    ...['ZAI_API_KEY=\n', 'LANEKEEPER_TOKEN=\n', 'LANEKEEPER_HOME=', 'ZAI_HEADER_MODE=', 'name: '],
  ],
  bytesMax: 2048,
  async check(input) {
    const [variables = '', yaml = ''] = input.toString('utf8').split(FENCE, 2);
    const cwd = scratch();
    writeFileSync(path.join(cwd, 'lanekeeper.yaml'), yaml);
    const env: NodeJS.ProcessEnv = { ZAI_API_KEY: KEY, LANEKEEPER_TOKEN: TOKEN, HOME: cwd };
    for (const line of variables.split('\n')) {
      const at = line.indexOf('=');
      if (at > 0) env[line.slice(0, at)] = line.slice(at + 1);
    }
    let config: Config;
    try {
      config = await loadConfig({ cwd, env });
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      checkRefusal(error);
      return;
    } finally {
      assert.deepEqual(Object.keys(Object.prototype), [], 'every object has a new member');
    }
    checkConfig(config);
    // A key that was given as the name of a model is told as one.
    const told = JSON.stringify([describeConfig(config), config.notes, config]);
    assert(tellsSecret(input.toString()) || !tellsSecret(told), 'a configuration tells a secret');
  },
};

function checkRefusal({ message, problems }: ConfigError): void {
  assert(problems.length > 0, 'a refusal without a problem');
  assert(!tellsSecret(message), 'a refusal tells a secret');
  for (const problem of problems) checkProblem(problem, message);
}

function tellsSecret(text: string): boolean {
  return text.includes(KEY) || text.includes(TOKEN);
}

function checkProblem(problem: ConfigProblem, message: string): void {
  assert(
    (problem.file === null) !== (problem.variable === null),
    'a problem of nothing, or of two',
  );
  assert(problem.message !== '' && problem.mend !== '', 'a problem without its fault or its mend');
  assert(message.includes(problem.message), 'a fault that is not printed');
  assert(message.includes(problem.mend), 'a mend that is not printed');
  assert(problem.line === null || problem.line >= 1, 'a line that is none');
}

function checkConfig(config: Config): void {
  assert(
    Object.isFrozen(config) && Object.isFrozen(config.routes),
    'a configuration can be changed',
  );
  const main = config.lanes.get(config.defaultLane);
  assert.equal(main?.credentials.kind, 'passthrough', 'the default lane changes what it carries');
  for (const { lane } of config.routes) assert(config.lanes.has(lane), 'a route to no lane');
  for (const [name, { upstream, credentials }] of config.lanes) {
    assert.match(name, /^[a-z][a-z0-9-]{0,31}$/, 'a lane with an odd name');
    const isLocal = /^(?:127\.[0-9.]+|localhost|::1)$/.test(upstream.host);
    assert(upstream.scheme === 'https' || isLocal, 'an upstream without TLS that is not here');
    assert(upstream.port >= 1 && upstream.port <= 65_535, 'an upstream with no port');
    assert(
      name !== 'zai' || credentials.kind === 'key',
      'another provider gets what is not its own',
    );
  }
  const allowed = ['api.anthropic.com', main?.upstream.host];
  for (const host of config.intercept)
    assert(allowed.includes(host), 'a host of others is intercepted');
  const { host, port, token } = config.listen;
  const isHere = /^(?:127\.[0-9.]+|localhost|::1)$/.test(host);
  assert(isHere || token !== null, 'others may connect without a token');
  assert(port >= 0 && port <= 65_535, 'a port that is none');
}
