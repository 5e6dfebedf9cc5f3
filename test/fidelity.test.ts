/**
 * The default lane changes nothing (contract, rules of a lane, 1): generated requests through CONNECT
 * and by gateway against an upstream that records bytes, and generated answers back. Only what ends
 * at a proxy by RFC 9110 section 7.6.1 differs, and the value of Host.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import {
  anyAnswer,
  anyRequest,
  type GeneratedAnswer,
  type GeneratedRequest,
} from './support/http-arbitraries.ts';
import fc from './support/properties.ts';
import { type RawAnswer, type RawConnection, rawConnect } from './support/raw-client.ts';
import {
  type Line,
  leadLane,
  parseHead,
  type RecordedRequest,
  type RecordingUpstream,
  recordingUpstream,
  valuesOf,
} from './support/recording-upstream.ts';
import { type Rig, startRig } from './support/rig.ts';

const GENERATED = 200;
const EXCHANGE_MS_MAX = 5_000;
const HOST = 'api.anthropic.com';
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'upgrade']);

type Mode = 'connect' | 'gateway';

interface Bench {
  readonly rig: Rig;
  readonly upstream: RecordingUpstream;
  /** What a client of that mode names as Host. */
  readonly host: string;
  /** A connection that takes a request now. */
  connection(): Promise<RawConnection>;
}

async function bench(t: TestContext, mode: Mode): Promise<Bench> {
  const upstream = await recordingUpstream(t);
  // Without routes everything takes the default lane, whatever model and agent are generated.
  const rig = await startRig(t, {
    config: (config) => leadLane({ ...config, routes: [] }, 'anthropic', upstream),
  });
  const to = { host: '127.0.0.1', port: rig.proxy.port };
  const options = {
    to,
    connect: { target: `${HOST}:443` },
    tls: { ca: rig.ca, servername: HOST },
  };
  let open: RawConnection | null = null;
  t.after(() => open?.destroy());
  return {
    rig,
    upstream,
    host: mode === 'connect' ? HOST : `127.0.0.1:${rig.proxy.port}`,
    async connection() {
      if (open === null || open.socket.destroyed || open.socket.readableEnded) {
        open?.destroy();
        open = await rawConnect(mode === 'connect' ? options : { to });
      }
      return open;
    },
  };
}

/** The lines that travel: without those for one hop and those that `Connection` names. */
function endToEnd(fields: readonly Line[]): Line[] {
  const named = valuesOf(fields, 'connection')
    .flatMap((value) => value.split(','))
    .map((name) => name.trim().toLowerCase());
  return fields.filter(([name]) => {
    const lower = name.toLowerCase();
    return !HOP_BY_HOP.has(lower) && !named.includes(lower);
  });
}

function withHost({ fields, host }: GeneratedRequest, value: string): Line[] {
  return [...fields.slice(0, host.at), [host.name, value], ...fields.slice(host.at)];
}

function requestBytes(request: GeneratedRequest, host: string): Buffer {
  const { method, target, separator, body } = request;
  const lines = withHost(request, host).map(([name, value]) => `${name}${separator}${value}\r\n`);
  const head = `${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), body.wire]);
}

function answerPieces(answer: GeneratedAnswer): Buffer[] {
  const lines = answer.fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const head = `HTTP/1.1 ${answer.status} ${answer.reason}\r\n${lines}\r\n`;
  const all = Buffer.concat([Buffer.from(head, 'latin1'), answer.body.wire]);
  const pieces: Buffer[] = [];
  let from = 0;
  for (const cut of answer.cuts) {
    pieces.push(all.subarray(from, from + cut));
    from += cut;
  }
  pieces.push(all.subarray(from));
  return pieces.filter((piece) => piece.length > 0);
}

function assertRequest(
  got: RecordedRequest | undefined,
  sent: GeneratedRequest,
  authority: string,
): void {
  assert(got, 'the request reached the upstream');
  assert.equal(got.start, `${sent.method} ${sent.target} HTTP/1.1`);
  assert.deepEqual(got.fields, endToEnd(withHost(sent, authority)));
  assert(got.payload.equals(sent.body.payload), 'the payload is the same');
  // What is held to be routed is framed anew; everything else keeps the client's own framing.
  const held =
    sent.method === 'POST' && /^\/v1\/messages(?:\/count_tokens)?(?:\?|$)/.test(sent.target);
  if (!held) assert(got.wire.equals(sent.body.wire), 'the framing is the same');
}

function assertAnswer(got: RawAnswer, sent: GeneratedAnswer): void {
  const head = parseHead(got.head);
  assert.equal(head.start, `HTTP/1.1 ${sent.status} ${sent.reason}`);
  assert.deepEqual(endToEnd(head.fields), endToEnd(sent.fields));
  assert(got.wire.equals(sent.body.wire), 'the body is the same, framing included');
}

for (const mode of ['connect', 'gateway'] as const) {
  test(`${mode}: ${GENERATED} generated exchanges pass unchanged both ways`, async (t) => {
    const { rig, upstream, host, connection } = await bench(t, mode);
    const authority = `127.0.0.1:${upstream.port}`;
    let exchanges = 0;
    const scene = anyRequest.chain((request) =>
      anyAnswer(request.method).map((answer) => ({ request, answer })),
    );
    await fc.assert(
      fc.asyncProperty(scene, fc.nat(400), async ({ request, answer }, cut) => {
        exchanges += 1;
        upstream.requests.length = 0;
        upstream.reply = () => ({ pieces: answerPieces(answer), closes: answer.closes });
        const client = await connection();
        // A generated case that hangs is a failure of its own, and no later case may meet its rest.
        const timer = setTimeout(() => client.destroy(), EXCHANGE_MS_MAX);
        const bytes = requestBytes(request, host);
        await client.send(bytes.subarray(0, cut));
        await turn();
        await client.send(bytes.subarray(cut));
        const got = await client.readAnswer(request.method).finally(() => clearTimeout(timer));
        assertRequest(upstream.requests[0], request, authority);
        assert.equal(upstream.requests.length, 1);
        assertAnswer(got, answer);
        if (answer.body.framing === 'close') await client.reader.ending;
        assert.equal(client.reader.waiting.length, 0, 'nothing follows the answer');
      }),
      { numRuns: GENERATED },
    );
    const records = await rig.records(exchanges);
    assert.equal(records.length, exchanges);
    assert(records.every((record) => record.intact && record.lane === 'anthropic'));
    assert.deepEqual(rig.warnings, []);
  });
}
