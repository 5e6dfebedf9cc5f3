/**
 * Where a dial ends: names are resolved once, judged by what they resolve to, and what was judged is
 * what is dialled. The resolver is scripted; nothing leaves loopback.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import tls from 'node:tls';
import { dial } from './dial.ts';
import { createLookups, type Lookups } from './lookups.ts';
import type { EdgeSettings } from './types.ts';

const LIMIT = { timeout: 10_000 };
const OWN_PORT = 8082;

const settings = (over: Partial<EdgeSettings> = {}): EdgeSettings => ({
  secureContext: tls.createSecureContext(),
  interceptHosts: new Set(),
  token: null,
  ownPort: OWN_PORT,
  ownHosts: [],
  tunnels: { private: 'allow', metadata: 'refuse' },
  ...over,
});

/** Answers with one list of addresses after another; the last one stays. */
function scripted(...lists: readonly (readonly string[])[]): { resolve: Lookups; asked: string[] } {
  const asked: string[] = [];
  const resolve = createLookups((name, _options, answer) => {
    const list = lists[Math.min(asked.length, lists.length - 1)] ?? [];
    asked.push(name);
    const addresses = list.map((address) => ({ address, family: net.isIP(address) }));
    setImmediate(() => answer(null, addresses));
  });
  return { resolve, asked };
}

interface Outcome {
  readonly code: string;
  readonly detail: string;
  /** Where the connection went, or null. */
  readonly peer: string | null;
}

function dialled(
  host: string,
  port: number,
  given: EdgeSettings,
  resolve?: Lookups,
): Promise<Outcome> {
  return new Promise((settle) => {
    dial(
      { host, port },
      given,
      {
        onConnect(socket) {
          const peer = socket.remoteAddress ?? '';
          socket.destroy();
          settle({ code: 'connected', detail: '', peer });
        },
        onFail: (code, detail) => settle({ code, detail, peer: null }),
      },
      resolve,
    );
  });
}

async function listener(t: TestContext): Promise<number> {
  const server = net.createServer((socket) => socket.on('error', () => undefined));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as net.AddressInfo).port;
}

test('a refused address is not dialled, and the setting is named', LIMIT, async () => {
  const { code, detail } = await dialled('169.254.169.254', 80, settings());
  assert.equal(code, 'blocked_by_policy');
  assert.match(detail, /tunnels\.metadata: allow/);
  assert.equal((await dialled('fd00:ec2::254', 80, settings())).code, 'blocked_by_policy');
  assert.equal((await dialled('metadata.google.internal', 80, settings())).code, code);
});

test('a name is judged by every address that it resolves to', LIMIT, async () => {
  for (const [addresses, code] of [
    [['169.254.169.254'], 'blocked_by_policy'],
    [['127.0.0.1', '169.254.169.254'], 'blocked_by_policy'],
    [['fe80::1%lo'], 'blocked_by_policy'],
    [['::ffff:169.254.169.254'], 'blocked_by_policy'],
  ] as const) {
    const { resolve, asked } = scripted(addresses);
    const outcome = await dialled('harmless.test', 80, settings(), resolve);
    assert.equal(outcome.code, code, addresses.join());
    assert.deepEqual(asked, ['harmless.test']);
  }
  const { resolve } = scripted(['::1', '127.0.0.1']);
  assert.equal((await dialled('mirror.test', OWN_PORT, settings(), resolve)).code, 'loop');
});

test('a name that changes its mind is dialled where it was judged', LIMIT, async (t) => {
  const port = await listener(t);
  const { resolve, asked } = scripted(['127.0.0.1'], ['169.254.169.254']);
  const outcome = await dialled('rebound.test', port, settings(), resolve);
  assert.deepEqual(outcome, { code: 'connected', detail: '', peer: '127.0.0.1' });
  assert.deepEqual(asked, ['rebound.test'], 'resolved once');
});

test('private destinations pass, unless the configuration refuses them', LIMIT, async (t) => {
  const port = await listener(t);
  const strict = settings({ tunnels: { private: 'refuse', metadata: 'refuse' } });
  assert.equal((await dialled('127.0.0.1', port, settings())).code, 'connected');
  for (const host of ['127.0.0.1', 'localhost', '0.0.0.0', '::ffff:127.0.0.1', '10.0.0.1']) {
    const { code, detail } = await dialled(host, port, strict);
    assert.equal(code, 'blocked_by_policy', host);
    assert.match(detail, /tunnels\.private/);
  }
  const { resolve } = scripted(['127.0.0.1']);
  assert.equal((await dialled('inner.test', port, strict, resolve)).code, 'blocked_by_policy');
});

test('the own listener is a loop under every spelling', LIMIT, async () => {
  for (const host of [
    'localhost',
    '127.0.0.1',
    '0.0.0.0',
    '::',
    '0:0:0:0:0:0:0:0',
    '::1',
    '::ffff:127.0.0.1',
    '::127.0.0.1',
  ]) {
    assert.equal((await dialled(host, OWN_PORT, settings())).code, 'loop', host);
  }
});

test('names that take long hold up other tunnels, and only so many threads', LIMIT, async (t) => {
  const port = await listener(t);
  const asked: string[] = [];
  const answers: (() => void)[] = [];
  const resolve = createLookups((name, _options, answer) => {
    asked.push(name);
    answers.push(() => answer(null, [{ address: '127.0.0.1', family: 4 }]));
  }, 2);
  const names = ['a.test', 'b.test', 'c.test', 'd.test'];
  const [a, b, c, d] = names.map((name) => {
    const outcome = Promise.withResolvers<string>();
    const cancel = dial(
      { host: name, port },
      settings(),
      {
        onConnect(socket) {
          socket.destroy();
          outcome.resolve('connected');
        },
        onFail: (code) => outcome.resolve(code),
      },
      resolve,
    );
    return { outcome: outcome.promise, cancel };
  });
  await new Promise((turn) => setImmediate(turn));
  assert.deepEqual(asked, ['a.test', 'b.test'], 'two at once');
  assert.equal((await dialled('127.0.0.1', port, settings(), resolve)).code, 'connected');
  // Nobody waits for c any more when its turn comes.
  c?.cancel();
  answers[0]?.();
  assert.equal(await a?.outcome, 'connected');
  assert.deepEqual(asked, ['a.test', 'b.test', 'd.test']);
  answers[2]?.();
  answers[1]?.();
  assert.equal(await b?.outcome, 'connected');
  assert.equal(await d?.outcome, 'connected');
});
