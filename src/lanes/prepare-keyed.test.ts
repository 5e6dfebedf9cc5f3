import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '../../test/support/properties.ts';
import type { LaneConfig } from '../config/types.ts';
import type { Field } from '../core/message.ts';
import { Secret } from '../core/secret.ts';
import { IsolationError, UneditableError } from './lane.ts';
import { prepareKeyed } from './prepare-keyed.ts';
import { requestOf, upstreamAt } from './scripted-upstream.ts';

const KEY = 'canary-zai-key-0001';
const CLIENT_TOKEN = 'canary-client-token-0001';

const CONFIG: LaneConfig = {
  name: 'zai',
  tag: 'zai',
  upstream: upstreamAt(443, { scheme: 'https', host: 'api.z.test', basePath: '/api/anthropic' }),
  credentials: { kind: 'key', secret: Secret.of(KEY), header: 'x-api-key' },
  models: [
    ['*haiku*', 'glm-4.5-air'],
    ['*', 'glm-other'],
  ],
  body: { userId: 'drop', attribution: 'drop' },
};

const BODY =
  '{"model":"claude-haiku-5-5","system":[{"type":"text","text":"x-anthropic-billing-header: v=1"},' +
  '{"type":"text","text":"be brief"}],"metadata":{"user_id":"u-1"},"max_tokens":5}';

function keyed(
  more: {
    config?: Partial<LaneConfig>;
    fields?: readonly Field[];
    body?: readonly Buffer[] | null;
    model?: string | null;
    target?: string;
    mode?: 'x-api-key' | 'authorization';
  } = {},
) {
  const request = requestOf({
    method: 'POST',
    target: more.target ?? '/v1/messages?beta=true',
    fields: [['Host', 'api.anthropic.com'], ...(more.fields ?? [])],
    body: more.body === undefined ? [Buffer.from(BODY)] : more.body,
    model: more.model === undefined ? 'claude-haiku-5-5' : more.model,
    framing: { kind: 'length', length: BODY.length },
  });
  return prepareKeyed(
    {
      config: { ...CONFIG, ...more.config },
      authority: 'api.z.test',
      protocol: 'h1',
      secret: Secret.of(KEY),
    },
    request,
    more.mode ?? 'x-api-key',
  );
}

const CLIENT_FIELDS: readonly Field[] = [
  ['Accept', 'application/json'],
  ['Content-Type', 'application/json'],
  ['User-Agent', 'claude-cli/2.1.330'],
  ['X-Claude-Code-Session-Id', 'session-1'],
  ['anthropic-beta', 'a'],
  ['anthropic-beta', 'b'],
  ['anthropic-version', '2023-06-01'],
  ['x-api-key', CLIENT_TOKEN],
  ['Authorization', `Bearer ${CLIENT_TOKEN}`],
  ['Cookie', 'session=canary-cookie-1'],
  ['Accept-Encoding', 'gzip'],
  ['Content-Length', String(BODY.length)],
];

test('exactly the allowed fields leave, then the lane’s own credential', () => {
  const prepared = keyed({ fields: CLIENT_FIELDS });
  const length = Buffer.concat([...(prepared.body ?? [])]).length;
  const common = [
    ['host', 'api.z.test'],
    ['content-type', 'application/json'],
    ['accept', 'application/json'],
    ['accept-encoding', 'gzip'],
    ['anthropic-version', '2023-06-01'],
    ['anthropic-beta', 'a'],
    ['anthropic-beta', 'b'],
    ['user-agent', 'claude-cli/2.1.330'],
    ['content-length', String(length)],
  ];
  assert.deepEqual(prepared.fields, [...common, ['x-api-key', KEY]]);
  assert.deepEqual(keyed({ fields: CLIENT_FIELDS, mode: 'authorization' }).fields, [
    ...common,
    ['authorization', `Bearer ${KEY}`],
  ]);
  assert.equal(prepared.target, '/api/anthropic/v1/messages?beta=true');
  assert.equal(prepared.headerMode, 'x-api-key');
  assert.ok(!prepared.identity.includes(KEY));
});

test('whatever fields a client sends, no other name leaves', () => {
  const allowed = new Set([
    'host',
    'content-type',
    'content-length',
    'accept',
    'accept-encoding',
    'anthropic-version',
    'anthropic-beta',
    'user-agent',
    'x-api-key',
  ]);
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(
          fc.oneof(fc.stringMatching(/^[A-Za-z-]{1,20}$/), fc.constantFrom('Accept', 'Cookie')),
          fc.string({ maxLength: 7 }),
        ),
      ),
      (fields) => keyed({ fields }).fields.every(([name]) => allowed.has(name)),
    ),
  );
});

test('the body differs only where the configuration says so, and its length is recomputed', () => {
  const prepared = keyed();
  const text = Buffer.concat([...(prepared.body ?? [])]).toString();
  assert.equal(
    text,
    '{"model":"glm-4.5-air","system":[{"type":"text","text":"be brief"}],"metadata":{},"max_tokens":5}',
  );
  assert.deepEqual(prepared.framing, { kind: 'length', length: text.length });
  assert.equal(prepared.modelSent, 'glm-4.5-air');

  const kept = keyed({
    config: { models: [], body: { userId: 'keep', attribution: 'keep' } },
    body: [Buffer.from(BODY.slice(0, 40)), Buffer.from(BODY.slice(40))],
  });
  assert.equal(Buffer.concat([...(kept.body ?? [])]).toString(), BODY);
  assert.equal(kept.modelSent, 'claude-haiku-5-5');
});

test('the first matching model rule decides', () => {
  assert.equal(keyed({ model: 'claude-sonnet-5' }).modelSent, 'glm-other');
});

test('a body that is not held, encoded or not sound is not sent', () => {
  for (const more of [
    { body: null },
    { body: [Buffer.from('{"model":')] },
    { fields: [['Content-Encoding', 'gzip']] as Field[] },
  ]) {
    assert.throws(() => keyed(more), UneditableError);
  }
});

test('a credential of the client in an allowed field, the target or the body is refused', () => {
  const auth: Field = ['Authorization', `Bearer ${CLIENT_TOKEN}`];
  const inBody = Buffer.from(BODY.replace('be brief', `key: ${CLIENT_TOKEN}`));
  const at = inBody.indexOf(CLIENT_TOKEN) + 5;
  for (const [more, part] of [
    [{ fields: [auth, ['User-Agent', `x ${CLIENT_TOKEN}`]] as Field[] }, 'head'],
    [{ fields: [auth], target: `/v1/messages?k=${CLIENT_TOKEN}` }, 'head'],
    [{ fields: [auth], body: [inBody] }, 'body'],
    [
      {
        fields: [auth],
        body: [inBody.subarray(0, at), inBody.subarray(at)],
        config: { models: [], body: { userId: 'keep', attribution: 'keep' } as const },
      },
      'body',
    ],
  ] as const) {
    assert.throws(
      () => keyed(more),
      (error) => {
        assert.ok(error instanceof IsolationError);
        assert.equal(error.part, part);
        assert.equal(error.lane, 'zai');
        assert.ok(!error.message.includes(CLIENT_TOKEN));
        return true;
      },
    );
  }
});

test('a client that uses the lane’s own key, or a short one, is not refused', () => {
  assert.doesNotThrow(() => keyed({ fields: [['Authorization', `Bearer ${KEY}`]] }));
  assert.doesNotThrow(() => keyed({ fields: [['x-api-key', 'json']] }));
});
