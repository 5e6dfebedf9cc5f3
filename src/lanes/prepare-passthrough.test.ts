import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Field } from '../core/message.ts';
import { type PassthroughRules, preparePassthrough } from './prepare-passthrough.ts';
import { requestOf } from './scripted-upstream.ts';

const RULES: PassthroughRules = {
  lane: 'anthropic',
  authority: 'api.anthropic.com',
  basePath: '',
  protocol: 'h1',
};

const prepare = (more: Parameters<typeof requestOf>[0], rules: Partial<PassthroughRules> = {}) =>
  preparePassthrough({ ...RULES, ...rules }, requestOf(more));

test('hop-by-hop fields go, everything else stays as it came, Host in its place', () => {
  const { fields } = prepare({
    fields: [
      ['Accept', '*/*'],
      ['Connection', 'keep-alive, X-Hop'],
      ['X-Hop', '1'],
      ['Proxy-Authorization', 'Basic canary'],
      ['X-Api-Key', 'canary-key'],
      ['HOST', 'localhost:8082'],
      ['x-twice', 'a'],
      ['X-Twice', ' b'],
      ['Accept-Encoding', 'gzip, br'],
      ['TE', 'trailers'],
    ],
  });
  assert.deepEqual(fields, [
    ['Accept', '*/*'],
    ['X-Api-Key', 'canary-key'],
    ['HOST', 'api.anthropic.com'],
    ['x-twice', 'a'],
    ['X-Twice', ' b'],
    ['Accept-Encoding', 'gzip, br'],
  ]);
});

test('a request without Host gets one', () => {
  assert.deepEqual(prepare({ fields: [['A', '1']] }).fields, [
    ['Host', 'api.anthropic.com'],
    ['A', '1'],
  ]);
});

test('the target keeps path and query behind the prefix of the upstream, whatever its form', () => {
  for (const [method, target, expected] of [
    ['GET', '/v1/models?beta=true&x=%2F', '/base/v1/models?beta=true&x=%2F'],
    ['GET', 'http://127.0.0.1:8082/v1/models?x', '/base/v1/models?x'],
    ['GET', 'http://127.0.0.1:8082', '/base/'],
    ['GET', 'http://127.0.0.1:8082?x=1', '/base/?x=1'],
    ['OPTIONS', 'http://127.0.0.1:8082', '*'],
    ['OPTIONS', '*', '*'],
    ['GET', '//x', '/base//x'],
  ] as const) {
    assert.equal(prepare({ method, target }, { basePath: '/base' }).target, expected);
  }
});

test('framing fields stay in their place, also around a held body', () => {
  const fields: Field[] = [
    ['Content-Length', '5'],
    ['Host', 'x'],
  ];
  const framing = { kind: 'length', length: 5 } as const;
  for (const body of [null, [Buffer.from('hello')]]) {
    const prepared = prepare({ method: 'POST', fields, framing, body });
    assert.deepEqual(prepared.fields[0], ['Content-Length', '5']);
    assert.deepEqual(prepared.framing, framing);
    assert.equal(prepared.body, body);
  }
});

test('a body of HTTP/2 without a length is framed for HTTP/1.1', () => {
  const request = {
    method: 'POST',
    fields: [['host', 'x']] as Field[],
    framing: { kind: 'stream' } as const,
    clientProtocol: 'h2' as const,
  };
  assert.deepEqual(prepare(request).fields.at(-1), ['transfer-encoding', 'chunked']);
  const held = prepare({ ...request, body: [Buffer.from('he'), Buffer.from('llo')] });
  assert.deepEqual(held.fields.at(-1), ['content-length', '5']);
  assert.deepEqual(held.framing, { kind: 'length', length: 5 });
});

test('cookie crumbs of HTTP/2 are joined, those of HTTP/1.1 are left', () => {
  const fields: Field[] = [
    ['host', 'x'],
    ['cookie', 'a=1'],
    ['accept', '*/*'],
    ['cookie', 'b=2'],
  ];
  assert.deepEqual(prepare({ fields, clientProtocol: 'h2' }).fields, [
    ['host', 'api.anthropic.com'],
    ['cookie', 'a=1; b=2'],
    ['accept', '*/*'],
  ]);
  assert.equal(prepare({ fields }).fields.length, 4);
});

test('an upgrade keeps its fields in their places and takes HTTP/1.1', () => {
  for (const [connection, expected] of [
    ['upgrade', 'upgrade'],
    ['keep-alive, Upgrade', 'Upgrade'],
  ] as const) {
    const prepared = prepare(
      {
        upgrade: 'websocket',
        fields: [
          ['Connection', connection],
          ['Host', 'x'],
          ['Keep-Alive', '5'],
          ['Upgrade', 'websocket'],
          ['Sec-WebSocket-Key', 'abc'],
        ],
      },
      { protocol: 'prefer-h2' },
    );
    assert.deepEqual(prepared.fields, [
      ['Connection', expected],
      ['Host', 'api.anthropic.com'],
      ['Upgrade', 'websocket'],
      ['Sec-WebSocket-Key', 'abc'],
    ]);
    assert.equal(prepared.protocol, 'h1');
  }
});

test('Expect travels with a body that streams, not with one that is held', () => {
  const request = {
    method: 'POST',
    fields: [
      ['Host', 'x'],
      ['Expect', '100-continue'],
      ['Content-Length', '2'],
    ] as Field[],
    framing: { kind: 'length', length: 2 } as const,
  };
  assert.ok(prepare(request).fields.some(([name]) => name === 'Expect'));
  const held = prepare({ ...request, body: [Buffer.from('ok')] });
  assert.ok(held.fields.every(([name]) => name !== 'Expect'));
});

test('the identity follows the credentials, shows none of them, and nothing else changes it', () => {
  const identity = (...fields: Field[]) => prepare({ fields: [['Host', 'x'], ...fields] }).identity;
  const key = identity(['x-api-key', 'canary-key-one']);
  assert.ok(!key.includes('canary'));
  assert.equal(key, identity(['accept', '*/*'], ['X-Api-Key', 'canary-key-one']));
  const all = [
    key,
    identity(),
    identity(['x-api-key', 'canary-key-two']),
    identity(['authorization', 'canary-key-one']),
    identity(['cookie', 'canary-key-one']),
    identity(['x-api-key', 'canary-key-one'], ['cookie', 'a']),
  ];
  assert.equal(new Set(all).size, all.length);
});
