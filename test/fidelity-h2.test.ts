/**
 * The default lane between protocols: what an HTTP/2 client sends arrives with the same fields in the
 * same order and the same payload, by HTTP/2 and by HTTP/1.1, and the answer of either comes back whole.
 */
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { type TestContext, test } from 'node:test';
import type { UsageRecord } from '../src/ledger/record.ts';
import { bulkUpstream } from './support/bulk.ts';
import { anyAnswer, anyRequest, type GeneratedAnswer } from './support/http-arbitraries.ts';
import fc from './support/properties.ts';
import { type Line, leadLane, recordingUpstream } from './support/recording-upstream.ts';
import { type Rig, startRig } from './support/rig.ts';

const GENERATED = 100;
const EXCHANGE_MS_MAX = 5_000;
/** Of one hop, or decided by the protocol. */
const NOT_COMPARED = new Set([
  'host',
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'x-hop',
  'transfer-encoding',
  'content-length',
  'http2-settings',
]);
/** Other values node:http2 does not send as they are. */
const ASCII = /^[\t\x20-\x7e]*$/;
/** node:http2 takes fields as an object, whose integer names go first. */
const INTEGER = /^[0-9]+$/;

/** Has no content (RFC 9110 section 15.3.6), and node:http2 does not let it have any. */
const NO_CONTENT_ANYHOW = 205;

interface Sent {
  readonly method: string;
  readonly target: string;
  readonly fields: readonly Line[];
  readonly payload: Buffer;
  readonly declares: boolean;
}

const anySent: fc.Arbitrary<Sent> = fc
  .tuple(anyRequest, fc.boolean())
  .map(([{ method, target, fields, body }, declares]) => {
    const seen = new Set<string>();
    const kept: Line[] = [];
    for (const [name, value] of fields) {
      const lower = name.toLowerCase();
      const isSendable = !NOT_COMPARED.has(lower) && !INTEGER.test(lower) && ASCII.test(value);
      if (!isSendable || seen.has(lower)) continue;
      seen.add(lower);
      kept.push([lower, value]);
    }
    return { method, target, fields: kept, payload: body.payload, declares };
  });

interface Got {
  readonly status: number;
  readonly headers: http2.IncomingHttpHeaders;
  readonly body: Buffer;
}

function send(session: http2.ClientHttp2Session, sent: Sent): Promise<Got> {
  const { method, target, fields, payload, declares } = sent;
  const hasBody = payload.length > 0;
  const stream = session.request(
    {
      ':method': method,
      ':path': target,
      ...Object.fromEntries(fields),
      ...(declares && hasBody ? { 'content-length': String(payload.length) } : {}),
    },
    { endStream: !hasBody },
  );
  if (hasBody) stream.end(payload);
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let head: http2.IncomingHttpHeaders = {};
    stream.setTimeout(EXCHANGE_MS_MAX, () => reject(new Error('no answer in time')));
    stream.once('response', (headers) => {
      head = headers;
    });
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    stream.once('error', reject);
    stream.once('end', () => {
      resolve({ status: Number(head[':status']), headers: head, body: Buffer.concat(pieces) });
    });
  });
}

function assertAnswer(got: Got, answer: GeneratedAnswer): void {
  assert.equal(got.status, answer.status);
  assert(got.body.equals(answer.body.payload), 'the payload is the same');
  const expected = new Map<string, string[]>();
  for (const [name, value] of answer.fields) {
    const lower = name.toLowerCase();
    if (!NOT_COMPARED.has(lower)) expected.set(lower, [...(expected.get(lower) ?? []), value]);
  }
  for (const [name, values] of expected) {
    const value = got.headers[name];
    // Repeated ones are one list, whose empty elements say nothing (RFC 9110 section 5.6.1).
    if (name === 'set-cookie') assert.deepEqual(value, values);
    else assert.equal(value, values.filter((part) => part !== '').join(', '), name);
  }
}

function travelling(fields: readonly Line[]): Line[] {
  return fields.filter(([name]) => !name.startsWith(':') && !NOT_COMPARED.has(name.toLowerCase()));
}

async function openSession(t: TestContext, rig: Rig): Promise<http2.ClientHttp2Session> {
  const session = http2.connect(rig.proxy.url);
  session.on('error', () => {});
  t.after(() => session.destroy());
  await new Promise((resolve) => session.once('connect', resolve));
  return session;
}

function assertRecords(records: readonly UsageRecord[], count: number, h2: boolean): void {
  assert.equal(records.length, count);
  assert(records.every((record) => record.intact && record.h2 === h2));
}

test(`${GENERATED} generated exchanges of an HTTP/2 client pass to an HTTP/1.1 upstream and back`, async (t) => {
  const upstream = await recordingUpstream(t);
  const rig = await startRig(t, {
    config: (config) => leadLane({ ...config, routes: [] }, 'anthropic', upstream),
  });
  const session = await openSession(t, rig);
  let exchanges = 0;
  const scene = anySent.chain((sent) =>
    anyAnswer(sent.method)
      .filter(({ status }) => status <= 599 && status !== NO_CONTENT_ANYHOW)
      .map((answer) => ({ sent, answer })),
  );
  await fc.assert(
    fc.asyncProperty(scene, async ({ sent, answer }) => {
      exchanges += 1;
      upstream.requests.length = 0;
      const lines = answer.fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
      const head = `HTTP/1.1 ${answer.status} ${answer.reason}\r\n${lines}\r\n`;
      upstream.reply = () => ({
        pieces: [Buffer.from(head, 'latin1'), answer.body.wire],
        closes: answer.closes,
      });
      const got = await send(session, sent);
      const [there] = upstream.requests;
      assert(there);
      assert.equal(there.start, `${sent.method} ${sent.target} HTTP/1.1`);
      assert.deepEqual(travelling(there.fields), sent.fields);
      assert(there.payload.equals(sent.payload));
      assertAnswer(got, answer);
    }),
    { numRuns: GENERATED },
  );
  assertRecords(await rig.records(exchanges), exchanges, false);
});

test(`${GENERATED} generated requests of an HTTP/2 client pass to an HTTP/2 upstream`, async (t) => {
  let there: { raw: string[]; payload: Buffer } | null = null;
  const upstream = await bulkUpstream(t, (request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      there = { raw: request.rawHeaders, payload: Buffer.concat(pieces) };
      response.writeHead(418, { 'x-answer': 'a, b', 'set-cookie': ['a=1', 'b=2'] });
      response.end('short and stout');
    });
  });
  const rig = await startRig(t, {
    config: (config) => leadLane({ ...config, routes: [] }, 'anthropic', upstream),
  });
  const session = await openSession(t, rig);
  let exchanges = 0;
  await fc.assert(
    fc.asyncProperty(anySent, async (sent) => {
      exchanges += 1;
      const { status, headers, body } = await send(session, sent);
      assert(there);
      const lines = there.raw.flatMap((name, i): Line[] =>
        i % 2 === 0 ? [[name, there?.raw[i + 1] ?? '']] : [],
      );
      assert.deepEqual(
        lines.filter(([name]) => name === ':method' || name === ':path').toSorted(),
        [
          [':method', sent.method],
          [':path', sent.target],
        ],
      );
      assert.deepEqual(travelling(lines), sent.fields);
      assert(there.payload.equals(sent.payload));
      assert.deepEqual(
        [status, headers['x-answer'], headers['set-cookie'], body.toString()],
        [418, 'a, b', ['a=1', 'b=2'], sent.method === 'HEAD' ? '' : 'short and stout'],
      );
    }),
    { numRuns: GENERATED },
  );
  assertRecords(await rig.records(exchanges), exchanges, true);
});
