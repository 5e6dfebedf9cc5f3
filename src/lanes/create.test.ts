import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LaneConfig } from '../config/types.ts';
import { Secret } from '../core/secret.ts';
import { createLanes } from './create.ts';
import { IsolationError, type Lane } from './lane.ts';
import { passthrough, requestOf, TIMEOUTS, upstreamAt } from './scripted-upstream.ts';

const ZAI_KEY = 'canary-zai-key-0002';
const OTHER_KEY = 'canary-other-key-0002';

function keyed(name: string, key: string): LaneConfig {
  return {
    ...passthrough(upstreamAt(443, { scheme: 'https', host: `${name}.test` }), name),
    credentials: { kind: 'key', secret: Secret.of(key), header: 'x-api-key' },
  };
}

function lanes(
  http2: 'follow' | 'always' | 'never' = 'follow',
  configs = [
    passthrough(upstreamAt(443, { scheme: 'https', host: 'api.anthropic.test' })),
    keyed('zai', ZAI_KEY),
    keyed('other', OTHER_KEY),
  ],
): (name: string) => Lane {
  const made = createLanes(new Map(configs.map((config) => [config.name, config])), {
    http2,
    timeouts: TIMEOUTS,
  });
  return (name) => {
    const lane = made.get(name);
    assert.ok(lane !== undefined);
    return lane;
  };
}

const message = (fields: readonly (readonly [string, string])[] = [], target = '/v1/messages') =>
  requestOf({
    method: 'POST',
    target,
    fields: [['Host', 'x'], ...fields],
    body: [Buffer.from('{"model":"m"}')],
    model: 'm',
    framing: { kind: 'length', length: 13 },
  });

test('a secret of another lane is refused wherever it stands in the head, and never shown', () => {
  const lane = lanes();
  for (const [name, request] of [
    ['anthropic', message([['x-api-key', ZAI_KEY]])],
    ['anthropic', message([['x-other', `a ${OTHER_KEY} b`]])],
    ['anthropic', message([[`x-${ZAI_KEY}`, '1']])],
    ['anthropic', message([], `/v1/messages?key=${ZAI_KEY}`)],
    ['zai', message([['user-agent', OTHER_KEY]])],
    ['other', message([['accept', ZAI_KEY]])],
  ] as const) {
    assert.throws(
      () => lane(name).prepare(request),
      (error) =>
        error instanceof IsolationError &&
        error.lane === name &&
        error.part === 'head' &&
        !error.message.includes('canary'),
    );
  }
});

test('a lane’s own secret is no foreign one, also where two lanes were given the same', () => {
  const same = lanes('follow', [keyed('zai', ZAI_KEY), keyed('other', ZAI_KEY)]);
  assert.deepEqual(same('zai').prepare(message()).fields.at(-1), ['x-api-key', ZAI_KEY]);
  assert.deepEqual(same('other').prepare(message()).fields.at(-1), ['x-api-key', ZAI_KEY]);
});

test('the protocol follows the client, or the configuration where it says', () => {
  const protocol = (http2: 'follow' | 'always' | 'never', clientProtocol: 'h1' | 'h2') =>
    lanes(http2)('anthropic').prepare(requestOf({ clientProtocol })).protocol;
  assert.equal(protocol('follow', 'h1'), 'h1');
  assert.equal(protocol('follow', 'h2'), 'h2');
  assert.equal(protocol('always', 'h1'), 'prefer-h2');
  assert.equal(protocol('never', 'h2'), 'h1');
});

test('a header mode is tried once or kept', () => {
  const lane = lanes()('zai');
  assert.equal(lane.prepare(message(), 'authorization').headerMode, 'authorization');
  assert.equal(lane.prepare(message()).headerMode, 'x-api-key');
  lane.keepHeaderMode('authorization');
  assert.equal(lane.headerMode, 'authorization');
  assert.deepEqual(lane.prepare(message()).fields.at(-1), ['authorization', `Bearer ${ZAI_KEY}`]);
  const anthropic = lanes()('anthropic');
  anthropic.keepHeaderMode('authorization');
  assert.equal(anthropic.headerMode, null);
});

test('Host has the port of the upstream only where it is not the scheme’s own', () => {
  const host = (port: number, at = 'api.test') =>
    lanes('follow', [passthrough(upstreamAt(port, { scheme: 'https', host: at }))])('anthropic')
      .prepare(requestOf())
      .fields.at(0)?.[1];
  assert.equal(host(443), 'api.test');
  assert.equal(host(8443), 'api.test:8443');
  assert.equal(host(443, '::1'), '[::1]');
  assert.equal(host(8443, '::1'), '[::1]:8443');
});

test('a request prepared for one lane can not be opened on another', () => {
  const lane = lanes();
  const prepared = lane('zai').prepare(message());
  assert.throws(() => lane('anthropic').open(prepared, {} as never), /another lane/);
});
