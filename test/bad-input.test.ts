/**
 * What people and programs get wrong: each mistake is refused with words that name the thing and the
 * mend, nothing that was there before is lost, and nothing of it reaches an upstream.
 */
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Secret } from '../src/core/secret.ts';
import type { UsageRecord } from '../src/ledger/record.ts';
import { runCommand } from './support/command.ts';
import { type Cleanup, tempHome } from './support/home.ts';
import { rawConnect } from './support/raw-client.ts';
import { connectTo, exchangeOnce, readAll, type Seen } from './support/raw-exchange.ts';
import { type Rig, startRig } from './support/rig.ts';

/** A command line that can not work. */
interface Mistake {
  readonly name: string;
  /** Written to `lanekeeper.yaml`. */
  readonly file?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Does what a file can not say. */
  readonly prepare?: (home: string) => Promise<void> | void;
  readonly code: number;
  /** The thing, and the mend. */
  readonly says: readonly RegExp[];
}

const leafKey = (home: string): string => path.join(home, 'ca', 'leaf-key.pem');
const leafCert = (home: string): string => path.join(home, 'ca', 'leaf-cert.pem');

async function withAuthority(home: string): Promise<void> {
  assert.equal((await runCommand(['ca', 'path'], { home })).code, 0);
}

const MISTAKES: readonly Mistake[] = [
  {
    name: 'a route to zai without its key',
    file: 'default: anthropic\nroutes:\n  - { name: haiku, when: { model: "*haiku*" }, lane: zai }\n',
    code: 78,
    says: [
      /lanekeeper\.yaml:3 routes\[0\]\.lane: .*ZAI_API_KEY is not set/,
      /mend: set ZAI_API_KEY/,
    ],
  },
  {
    name: 'forcing without the key',
    env: { FORCE_HAIKU_TO_ZAI: '1' },
    code: 78,
    says: [/FORCE_HAIKU_TO_ZAI: .*ZAI_API_KEY is not set/, /mend: set ZAI_API_KEY, or FORCE/],
  },
  {
    name: 'a configuration that can not be read',
    prepare: (home) => mkdirSync(path.join(home, 'lanekeeper.yaml')),
    code: 78,
    says: [/lanekeeper\.yaml: can not be read \(EISDIR\)/, /mend: .*--config/],
  },
  {
    name: 'a configuration that is not there',
    args: ['--config', 'other.yaml'],
    code: 78,
    says: [/--config: .*other\.yaml does not exist/, /mend: name a file that exists/],
  },
  {
    name: 'an unknown key in it',
    file: 'http2: follow\n\nintercepts: [api.anthropic.com]\n',
    code: 78,
    says: [/lanekeeper\.yaml:3 intercepts: unknown setting/, /mend: .*"?intercept\b/],
  },
  {
    name: 'what is not YAML',
    file: 'http2: [follow\n',
    code: 78,
    says: [/lanekeeper\.yaml:\d+: is not valid YAML/, /mend: correct the file/],
  },
  {
    name: 'a host that can not be intercepted',
    file: 'intercept:\n  - api.anthropic.com\n  - api.example.com\n',
    code: 78,
    says: [/lanekeeper\.yaml:3 intercept\[1\]: unknown host/, /mend: name api\.anthropic\.com/],
  },
  {
    name: 'a port that is none',
    env: { MITM_PORT: 'eighty' },
    code: 78,
    says: [/MITM_PORT listen\.port: must be a port, and is "eighty"/, /mend: set a number/],
  },
  {
    name: 'a switch that is neither 0 nor 1',
    env: { MITM_ENABLE_BACKOFF: 'yes' },
    code: 78,
    says: [/MITM_ENABLE_BACKOFF: must be 1 or 0, and is "yes"/, /mend: set 1 or 0/],
  },
  {
    name: 'an address beyond loopback without a token',
    args: ['--host', '0.0.0.0'],
    code: 78,
    says: [/--host.*: is not a loopback address/, /mend: set LANEKEEPER_TOKEN .*127\.0\.0\.1/],
  },
  {
    name: 'an address that is none of this machine',
    args: ['--host', '192.0.2.1'],
    env: { LANEKEEPER_TOKEN: 'fake-token-of-tests-0123456789' },
    code: 1,
    says: [/192\.0\.2\.1 is no address of this machine/, /--host/],
  },
  {
    name: 'a private key that others may read',
    prepare: async (home) => {
      await withAuthority(home);
      chmodSync(leafKey(home), 0o644);
    },
    code: 1,
    says: [/leaf-key\.pem/, /chmod 600|ca rotate|ca remove/],
  },
  {
    name: 'a damaged private key',
    prepare: async (home) => {
      await withAuthority(home);
      writeFileSync(leafKey(home), 'not a key\n');
    },
    code: 1,
    says: [/leaf-key\.pem/, /ca rotate|ca remove|remove/],
  },
  {
    name: 'a damaged certificate',
    prepare: async (home) => {
      await withAuthority(home);
      writeFileSync(leafCert(home), readFileSync(leafCert(home), 'utf8').slice(0, 200));
    },
    code: 1,
    says: [/leaf-cert\.pem/, /ca rotate|ca remove|remove/],
  },
  {
    name: 'a key that could not travel',
    env: { ZAI_API_KEY: 'two words' },
    code: 78,
    says: [/ZAI_API_KEY: holds a space/, /mend: set it to the key alone/],
  },
];

/** Every file below a folder, with its mode and content. */
function contentOf(folder: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const name of readdirSync(folder, { recursive: true }) as string[]) {
    const file = path.join(folder, name);
    const { mode } = statSync(file);
    const text = statSync(file).isFile() ? readFileSync(file, 'utf8') : '';
    found.set(name, `${mode.toString(8)} ${text}`);
  }
  return found;
}

describe('a proxy that can not start as it is told', () => {
  for (const mistake of MISTAKES) {
    test(`says so: ${mistake.name}`, async (t) => {
      const home = await tempHome(t);
      if (mistake.file !== undefined)
        writeFileSync(path.join(home, 'lanekeeper.yaml'), mistake.file);
      await mistake.prepare?.(home);
      mkdirSync(path.join(home, 'logs'));
      writeFileSync(path.join(home, 'logs', 'usage.jsonl'), '{"rid":"kept"}\n', { mode: 0o600 });
      const before = contentOf(home);
      const { code, stdout, stderr } = await runCommand(
        ['start', ...(mistake.args ?? ['--port', '0'])],
        { home, env: { MITM_PORT: '0', ...mistake.env } },
      );
      assert.equal(code, mistake.code, stderr);
      assert.equal(stdout, '');
      for (const said of mistake.says) assert.match(stderr, said);
      assert.doesNotMatch(stderr, /\n\s+at /, 'no stack');
      const now = contentOf(home);
      for (const [name, content] of before) assert.equal(now.get(name), content, name);
      assert.equal(existsSync(path.join(home, 'run', 'control.sock')), false);
    });
  }
});

/** A request that is refused before it is anybody's exchange. */
interface Refusal {
  readonly name: string;
  readonly request: string;
  readonly status: number;
  readonly code: string;
  readonly says: RegExp;
}

const REFUSALS: readonly Refusal[] = [
  {
    name: 'CONNECT without a port',
    request: 'CONNECT api.anthropic.com HTTP/1.1\r\nHost: api.anthropic.com\r\n\r\n',
    status: 400,
    code: 'bad_authority',
    says: /host:port, with the port/,
  },
  {
    name: 'two Host lines',
    request: 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: example.com\r\n\r\n',
    status: 400,
    code: 'bad_host',
    says: /exactly one valid Host/,
  },
  {
    name: 'no Host line',
    request: 'GET / HTTP/1.1\r\nAccept: */*\r\n\r\n',
    status: 400,
    code: 'bad_host',
    says: /exactly one valid Host/,
  },
  {
    name: 'the Origin of a web page',
    request:
      'POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://evil.example\r\nContent-Length: 2\r\n\r\n{}',
    status: 403,
    code: 'foreign_origin',
    says: /web pages/,
  },
  {
    name: 'a page that hides its Origin',
    request: 'GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nSec-Fetch-Site: cross-site\r\n\r\n',
    status: 403,
    code: 'foreign_origin',
    says: /web pages/,
  },
  {
    name: 'a name that was bound anew to loopback',
    request: 'GET /v1/models HTTP/1.1\r\nHost: evil.example\r\n\r\n',
    status: 403,
    code: 'foreign_host',
    says: /http:\/\/127\.0\.0\.1:PORT/,
  },
  {
    name: 'an intercepted host without TLS',
    request: 'GET http://api.anthropic.com/v1/models HTTP/1.1\r\nHost: api.anthropic.com\r\n\r\n',
    status: 403,
    code: 'plain_intercepted',
    says: /https only/,
  },
  {
    name: 'a line that is no request',
    request: 'HELO there\r\n\r\n',
    status: 400,
    code: 'bad_request',
    says: /not valid HTTP/,
  },
  {
    name: 'two lengths',
    request:
      'POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    status: 400,
    code: 'bad_request',
    says: /not valid HTTP/,
  },
  {
    name: 'another transfer coding',
    request:
      'POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
    status: 501,
    code: 'not_implemented',
    says: /chunked/,
  },
  {
    name: 'another version',
    request: 'GET / HTTP/3.0\r\nHost: 127.0.0.1\r\n\r\n',
    status: 505,
    code: 'version_unsupported',
    says: /version/,
  },
  {
    name: 'a head without end',
    request: `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ${'x'.repeat(70_000)}\r\n\r\n`,
    status: 431,
    code: 'head_too_large',
    says: /64 KiB/,
  },
];

/** A body that is routed nowhere for sure. */
const UNROUTED: readonly {
  readonly name: string;
  readonly body: string;
  readonly status: number;
}[] = [
  { name: 'is not JSON', body: 'model=claude-haiku-5-5', status: 400 },
  { name: 'breaks off', body: '{"model":"claude-haiku-5-5","messages":[', status: 400 },
  { name: 'has no model', body: '{"max_tokens":9,"messages":[]}', status: 400 },
  { name: 'has a model that is no text', body: '{"model":["claude-haiku-5-5"]}', status: 400 },
  { name: 'is a list', body: '[{"model":"claude-haiku-5-5"}]', status: 400 },
  { name: 'is empty', body: '', status: 400 },
];

describe('requests that are wrong', () => {
  let rig: Rig;
  const cleanups: (() => Promise<void> | void)[] = [];
  before(async () => {
    const context: Cleanup = { after: (run) => void cleanups.unshift(run) };
    rig = await startRig(context, { env: { FORCE_HAIKU_TO_ZAI: '1' } });
  });
  after(async () => {
    for (const run of cleanups) await run();
  });

  async function send(request: string, to: Rig = rig): Promise<Seen> {
    const connection = await rawConnect({ to: { host: '127.0.0.1', port: to.proxy.port } });
    // A refusal may come while the request is still being written.
    await connection.send(request).catch(() => {});
    const all = await connection.reader.rest();
    const seen = readAll(all, await connection.reader.ending, 'GET');
    connection.destroy();
    return seen;
  }

  function assertRefused(
    seen: Seen,
    { status, code, says }: Omit<Refusal, 'name' | 'request'>,
  ): void {
    assert.deepEqual([seen.status, seen.fields.get('x-lanekeeper-error')], [status, code]);
    assert.equal(seen.whole, true);
    const answer = JSON.parse(seen.body.toString()) as { type: string; error: { message: string } };
    assert.equal(answer.type, 'error');
    assert.match(answer.error.message, /^Lanekeeper: /);
    assert.match(answer.error.message, says);
  }

  for (const refusal of REFUSALS) {
    test(`${refusal.name}: ${refusal.code}, and nobody else hears of it`, async () => {
      const { total } = rig.proxy.control.status().exchanges;
      const heard = rig.twin.anthropic.requests().length + rig.twin.zai.requests().length;
      assertRefused(await send(refusal.request), refusal);
      assert.equal(rig.proxy.control.status().exchanges.total, total, 'no exchange');
      assert.equal(rig.twin.anthropic.requests().length + rig.twin.zai.requests().length, heard);
    });
  }

  for (const { name, body, status } of UNROUTED) {
    for (const shape of ['connect', 'gateway', 'h2'] as const) {
      test(`a body that ${name} takes the default lane as it is (${shape})`, async () => {
        const before = rig.proxy.control.status().exchanges.total;
        rig.twin.anthropic.clear();
        const zai = rig.twin.zai.requests().length;
        const seen = await exchangeOnce(rig.proxy, rig.ca, shape, {
          fields: { 'x-api-key': 'sk-ant-api03-fake-bad-body', 'content-type': 'application/json' },
          body: Buffer.from(body),
        });
        assert.equal(seen.status, status);
        assert.equal(seen.fields.get('x-lanekeeper-error'), undefined, 'the upstream’s own words');
        assert.match(seen.body.toString(), /invalid_request_error/);
        const record = (await rig.records(before + 1)).at(-1);
        const { lane, decision, model, attempts, intact, err_type } = record as UsageRecord;
        assert.deepEqual(
          [lane, decision, model, attempts, intact, err_type],
          ['anthropic', 'default', null, 1, true, '4xx'],
        );
        const [there] = rig.twin.anthropic.requests();
        assert.equal(there?.body.toString(), body, 'byte for byte');
        assert.equal(rig.twin.zai.requests().length, zai);
      });
    }
  }

  test('after all of that the proxy serves as before', async () => {
    for (const shape of ['connect', 'gateway', 'h2'] as const) {
      const seen = await exchangeOnce(rig.proxy, rig.ca, shape, {
        method: 'GET',
        path: '/api/hello',
      });
      assert.equal(seen.status, 200);
    }
    assert.deepEqual(rig.warnings, []);
  });

  test('a Host that is not the tunnel’s is misdirected', async () => {
    const connection = await connectTo(rig.proxy, rig.ca, 'connect');
    await connection.send('GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n');
    const answer = await connection.readAnswer();
    assert.equal(answer.status, 421);
    connection.destroy();
  });

  test('with a token nobody passes without it, and with it everybody does', async (t) => {
    const token = 'fake-token-of-tests-0123456789';
    const guarded = await startRig(t, {
      config: (config) => ({ ...config, listen: { ...config.listen, token: Secret.of(token) } }),
    });
    const host = 'Host: 127.0.0.1\r\nConnection: close\r\n';
    const asked = { status: 407, code: 'proxy_auth_required', says: /lanekeeper env/ };
    for (const request of [
      `GET /api/hello HTTP/1.1\r\n${host}\r\n`,
      'CONNECT api.anthropic.com:443 HTTP/1.1\r\nHost: api.anthropic.com:443\r\n\r\n',
      'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n',
      `GET /api/hello HTTP/1.1\r\n${host}X-Lanekeeper-Token: another\r\n\r\n`,
    ]) {
      const seen = await send(request, guarded);
      assertRefused(seen, asked);
      assert.match(seen.fields.get('proxy-authenticate') ?? '', /^Basic /);
    }
    const seen = await send(
      `GET /api/hello HTTP/1.1\r\n${host}X-Lanekeeper-Token: ${token}\r\n\r\n`,
      guarded,
    );
    assert.equal(seen.status, 200);
    const [request] = guarded.twin.anthropic.requests();
    assert(!JSON.stringify(request?.rawHeaders).includes(token), 'the token goes no further');
    const connection = await rawConnect({
      to: { host: '127.0.0.1', port: guarded.proxy.port },
      connect: {
        target: 'api.anthropic.com:443',
        fields: [`Proxy-Authorization: Basic ${Buffer.from(`x:${token}`).toString('base64')}`],
      },
      tls: { ca: guarded.ca, servername: 'api.anthropic.com' },
    });
    assert.equal(connection.connectAnswer?.status, 200);
    connection.destroy();
  });
});
