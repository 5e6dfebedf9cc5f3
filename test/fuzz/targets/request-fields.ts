/**
 * What a lane does with the fields of a request, on real lanes made from a configuration of three: a
 * passthrough lane leaves everything but what belongs to a connection, a keyed lane sends the
 * allow-list and its own credential, and no lane ever sends the secret of another. What leaves can be
 * written and read again, and is legal in HTTP/2 too.
 *
 * Input: `METHOD TARGET`, then field lines.
 */
import assert from 'node:assert/strict';
import type { LaneConfig } from '../../../src/config/types.ts';
import { encodeRequestHead } from '../../../src/core/http1/write.ts';
import { placesIn } from '../../../src/core/json/testing/places.ts';
import type { Field, Fields, RequestHead } from '../../../src/core/message.ts';
import { Secret } from '../../../src/core/secret.ts';
import { requestFromHttp2 } from '../../../src/edge/h2-head.ts';
import { createLanes } from '../../../src/lanes/create.ts';
import { h2RequestHeaders, h2Trailers } from '../../../src/lanes/h2-fields.ts';
import { IsolationError, type Lane, type LaneRequest } from '../../../src/lanes/lane.ts';
import { pieces, type Random, seedsOf, type Target } from '../target.ts';
import {
  connectionTokens,
  endToEndPlainly,
  FIELD_WORDS,
  HOP_BY_HOP,
  legalHttp2Fields,
  requestHeadOf,
  wireOf,
} from './heads.ts';

const KEY = 'canary-key-of-zai-0001';
const OTHER_KEY = 'canary-key-of-other-0002';
const TOKEN = 'canary-token-of-client-0003';
const BODY = Buffer.from(
  `{"model":"claude-haiku-5-5","messages":["a key: ${TOKEN.slice(0, 14)}"]}`,
);
const WAIT_MS = 1000;

function configOf(
  name: string,
  key: string | null,
  header: 'x-api-key' | 'authorization',
): LaneConfig {
  return {
    name,
    tag: name,
    upstream: { scheme: 'https', host: `${name}.test`, port: 443, basePath: '/base', ca: null },
    credentials:
      key === null ? { kind: 'passthrough' } : { kind: 'key', secret: Secret.of(key), header },
    models: [],
    body: { userId: 'keep', attribution: 'keep' },
  };
}

const CONFIGS = [
  configOf('anthropic', null, 'x-api-key'),
  configOf('zai', KEY, 'x-api-key'),
  configOf('other', OTHER_KEY, 'authorization'),
];
const LANES = createLanes(new Map(CONFIGS.map((config) => [config.name, config])), {
  http2: 'follow',
  timeouts: { connectMs: WAIT_MS, tlsMs: WAIT_MS, headMs: WAIT_MS, idleMs: WAIT_MS },
});

export const requestFieldsTarget: Target = {
  name: 'request-fields',
  oracle:
    'the rules of a lane written down once more; RFC 9113 section 8.2; what is written is read back',
  covers: [
    'src/lanes/prepare-passthrough.ts',
    'src/lanes/prepare-keyed.ts',
    'src/lanes/isolation.ts',
    'src/lanes/target.ts',
    'src/lanes/h2-fields.ts',
    'src/core/fields.ts',
    'src/edge/h2-head.ts',
  ],
  seeds: seedsOf(
    `POST /v1/messages?beta=true\nHost: api.anthropic.com\nAccept: application/json\nauthorization: Bearer ${TOKEN}\n` +
      'anthropic-beta: a\nanthropic-beta: b\nContent-Type: application/json\nConnection: keep-alive\nContent-Length: 5',
    'GET /\nhost: a.test\nConnection: x-a, Keep-Alive\nX-A: 1\nx-b: 2\nKeep-Alive: 5',
    'GET /chat\nHost: a.test\nConnection: Upgrade, x-a\nUpgrade: websocket\nx-a: 1\nx-b: 2',
    `POST http://a.test/x?y\nHost: a.test\nx-api-key: ${TOKEN}\nuser-agent: a ${TOKEN}\nTransfer-Encoding: chunked`,
    `POST /v1/messages\nHost: a.test\nCookie: a=1\nCookie: b=2\nExpect: 100-continue\nContent-Length: 2\nx: ${KEY}`,
    'OPTIONS *\nHost: a.test\nTE: trailers\nTrailer: x-sum\nConnection: TE, host',
  ),
  dictionary: [
    ...FIELD_WORDS,
    KEY,
    OTHER_KEY,
    TOKEN,
    'Bearer ',
    'x-api-key: ',
    'Accept: ',
    'POST ',
    '/',
  ],
  bytesMax: 1024,
  check(input, random) {
    const head = requestHeadOf(wireOf(input, '', ' HTTP/1.1'));
    if (head === null || head.method === 'CONNECT') return;
    const body = random.once(2) ? null : pieces(BODY, random, 40);
    const places = body === null ? null : placesIn(body);
    const model = 'claude-haiku-5-5';
    const request: LaneRequest = { head, clientProtocol: 'h1', body, model, places };
    checkPassthrough(request);
    checkKeyed(laneOf('zai'), KEY, OTHER_KEY, ['x-api-key', KEY], request);
    checkKeyed(laneOf('other'), OTHER_KEY, KEY, ['authorization', `Bearer ${OTHER_KEY}`], request);
    checkFromHttp2(head, random);
    checkTrailers(head.fields);
  },
};

function laneOf(name: string): Lane {
  const lane = LANES.get(name);
  assert(lane !== undefined);
  return lane;
}

/** What the lane prepares, or null where it refuses the request for its isolation. */
function prepared(lane: Lane, request: LaneRequest) {
  try {
    return lane.prepare(request);
  } catch (error) {
    if (!(error instanceof IsolationError)) throw error;
    // A client that makes its token the name of a field has told it: names are shown.
    const isName = request.head.fields.some(([name]) => name.includes(TOKEN));
    for (const secret of isName ? [KEY, OTHER_KEY] : [KEY, OTHER_KEY, TOKEN]) {
      assert(!error.message.includes(secret), 'a refusal that tells a secret');
    }
    return null;
  }
}

function holds(target: string, fields: Fields, text: string): boolean {
  return (
    target.includes(text) ||
    fields.some(([name, value]) => name.includes(text) || value.includes(text))
  );
}

function checkPassthrough(request: LaneRequest): void {
  const { head, body } = request;
  const expected = forwardedPlainly(head, body !== null);
  const target = targetPlainly(head);
  const leaks = holds(target, expected, KEY) || holds(target, expected, OTHER_KEY);
  const found = prepared(laneOf('anthropic'), request);
  assert.equal(found === null, leaks, 'refuses for a secret that is not there, or does not');
  if (found === null) return;
  assert.deepEqual(found.fields, expected, 'changes fields that are not of the connection');
  assert.equal(found.target, target, 'another target');
  assert.equal(found.method, head.method, 'another method');
  const read = requestHeadOf(encodeRequestHead(found.method, found.target, found.fields));
  assert.deepEqual(read?.fields, expected, 'what leaves is read otherwise');
  assert.deepEqual(read?.framing, head.framing, 'what leaves is framed otherwise');
  const sent = legalHttp2Fields(h2RequestHeaders(found));
  for (const [given, value] of expected) {
    const name = given.toLowerCase();
    if (/^(?:host|transfer-encoding|http2-settings)$/.test(name) || HOP_BY_HOP.has(name)) continue;
    assert(
      sent.some(([at, sends]) => at === name && sends === value),
      'a field lost towards HTTP/2',
    );
  }
}

function forwardedPlainly(head: RequestHead, held: boolean): Field[] {
  const stays = new Set<Field>(endToEndPlainly(head.fields));
  const fields: Field[] = [];
  const seen = new Set<string>();
  for (const field of head.fields) {
    const name = field[0].toLowerCase();
    const isFirst = !seen.has(name);
    seen.add(name);
    if (name === 'expect' && held) continue;
    if (name === 'host') {
      if (isFirst) fields.push([field[0], 'anthropic.test']);
    } else if (stays.has(field)) {
      fields.push(field);
    } else if (head.upgrade !== null) {
      fields.push(...upgrading(head, field, name, isFirst));
    }
  }
  return seen.has('host') ? fields : [['Host', 'anthropic.test'], ...fields];
}

/** What stays of the fields that ask for another protocol. */
function upgrading(head: RequestHead, field: Field, name: string, isFirst: boolean): Field[] {
  if (name === 'upgrade') return [field];
  if (name !== 'connection' || !isFirst) return [];
  const isPlain = connectionTokens(head.fields).every((token) => token === 'upgrade');
  return [isPlain ? field : [field[0], 'Upgrade']];
}

function targetPlainly({ method, target }: RequestHead): string {
  if (target === '*' || target.startsWith('/')) return target === '*' ? '*' : `/base${target}`;
  const [, rest = ''] = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*(.*)$/i.exec(target) ?? [];
  if (rest === '' && method === 'OPTIONS') return '*';
  return rest.startsWith('/') ? `/base${rest}` : `/base/${rest}`;
}

const ALLOWED = [
  'content-type',
  'accept',
  'accept-encoding',
  'anthropic-version',
  'anthropic-beta',
  'user-agent',
];

function checkKeyed(
  lane: Lane,
  own: string,
  foreign: string,
  credential: Field,
  given: LaneRequest,
): void {
  const { head } = given;
  if (head.fields.some(([name]) => name.toLowerCase() === 'content-encoding')) return;
  const body = [BODY.subarray(0, 60), BODY.subarray(60)];
  const request = { ...given, body, places: placesIn(body) };
  const fields: Field[] = [['host', `${lane.name}.test`]];
  for (const name of ALLOWED) {
    for (const [at, value] of head.fields)
      if (at.toLowerCase() === name) fields.push([name, value]);
  }
  fields.push(['content-length', String(BODY.length)]);
  const target = targetPlainly(head);
  const betrayed = clientCredentials(head.fields, own).some(
    (text) =>
      target.includes(text) ||
      fields.some(([, value]) => value.includes(text)) ||
      (text.length >= 16 && BODY.includes(text, 0, 'latin1')),
  );
  const found = prepared(lane, request);
  const leaks = betrayed || holds(target, fields, foreign);
  assert.equal(found === null, leaks, 'a keyed lane refuses for nothing, or does not');
  if (found === null) return;
  assert.deepEqual(found.fields, [...fields, credential], 'a keyed lane sends something else');
  const read = requestHeadOf(encodeRequestHead(found.method, found.target, found.fields));
  assert.deepEqual(read?.framing, { kind: 'length', length: BODY.length }, 'is framed otherwise');
  legalHttp2Fields(h2RequestHeaders(found));
}

/** Whole values and what stands behind a scheme, from 8 characters on; the lane's own key is none. */
function clientCredentials(fields: Fields, own: string): string[] {
  const found = fields.flatMap(([name, value]) => {
    const isOne = /^(?:authorization|x-api-key|cookie|proxy-authorization)$/i.test(name);
    const [, token] = /^[^ ]+ +(.+)$/.exec(value) ?? [];
    return isOne ? [value, ...(token === undefined ? [] : [token])] : [];
  });
  return found.filter((text) => text.length >= 8 && text !== own && !text.endsWith(` ${own}`));
}

/** The same request by HTTP/2: refused, or forwarded as HTTP/1.1 that can be written and read. */
function checkFromHttp2(head: RequestHead, random: Random): void {
  const raw = [':method', head.method, ':scheme', 'https', ':path', head.target];
  if (random.once(2)) raw.push(':authority', 'a.test');
  for (const [name, value] of head.fields) raw.push(name.toLowerCase(), value);
  const read = requestFromHttp2(raw, random.once(2));
  const isSpecific = head.fields.some(([given, value]) => {
    const name = given.toLowerCase();
    const specific = /^(?:connection|keep-alive|proxy-connection|transfer-encoding|upgrade)$/.test(
      name,
    );
    return specific || (name === 'te' && value !== 'trailers');
  });
  if ('malformed' in read) return;
  assert(!isSpecific, 'a field of one connection is taken from HTTP/2');
  assert.equal(read.fields[0]?.[0], 'host', 'the host leads');
  const names = read.fields.map(([name]) => name);
  assert.equal(names.filter((name) => name === 'host').length, 1, 'one host');
  assert(names.filter((name) => name === 'cookie').length < 2, 'crumbs are one field');
  const request: LaneRequest = {
    head: read,
    clientProtocol: 'h2',
    body: null,
    model: null,
    places: null,
  };
  const found = prepared(laneOf('anthropic'), request);
  if (found === null) return;
  const written = encodeRequestHead(found.method, found.target, found.fields);
  const again = requestHeadOf(written);
  assert(again !== null, 'what came by HTTP/2 leaves as no HTTP/1.1');
  const framing = read.framing.kind === 'stream' ? 'chunked' : read.framing.kind;
  assert.equal(again.framing.kind, framing, 'what came by HTTP/2 is framed otherwise');
}

/** Trailers towards HTTP/2: everything but framing and fields of the connection. */
function checkTrailers(fields: Fields): void {
  // A head's fields that may not be trailers: the codec refuses them there.
  if (fields.some(([name]) => name.toLowerCase() === 'te')) return;
  const sent = legalHttp2Fields(h2Trailers(fields));
  const expected = fields
    .map(([name, value]): Field => [name.toLowerCase(), value])
    .filter(
      ([name]) =>
        !/^(?:connection|keep-alive|proxy-connection|upgrade|http2-settings|content-length|transfer-encoding)$/.test(
          name,
        ),
    );
  const sorted = (list: Fields): string[] =>
    list.map(([name, value]) => `${name}: ${value}`).sort();
  assert.deepEqual(sorted(sent), sorted(expected), 'trailers lost or made up towards HTTP/2');
}
