/**
 * Answers that HTTP/1.1 can say and HTTP/2 can not: the client of HTTP/2 gets what is left of them, or a
 * typed error, and the proxy lives. node:http2 throws at each of these.
 */
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { type TestContext, test } from 'node:test';
import {
  leadLane,
  type RecordingUpstream,
  recordingUpstream,
  replyOf,
} from '../../support/recording-upstream.ts';
import { type Rig, startRig } from '../../support/rig.ts';

const LIMIT = { timeout: 30_000 };
const BODY = 'Content-Length: 2\r\n\r\nok';

async function open(t: TestContext): Promise<{ rig: Rig; upstream: RecordingUpstream }> {
  const upstream = await recordingUpstream(t);
  const rig = await startRig(t, {
    config: (config) => leadLane({ ...config, routes: [] }, 'anthropic', upstream),
  });
  return { rig, upstream };
}

interface Answer {
  readonly headers: http2.IncomingHttpHeaders;
  readonly body: string;
  readonly interims: readonly unknown[];
  readonly code: number;
}

function ask(t: TestContext, rig: Rig): Promise<Answer> {
  const session = http2.connect(rig.proxy.url);
  session.on('error', () => {});
  t.after(() => session.destroy());
  const stream = session.request({ ':path': '/v1/models' });
  let headers: http2.IncomingHttpHeaders = {};
  let body = '';
  const interims: unknown[] = [];
  stream.on('headers', (interim) => interims.push(interim[':status']));
  stream.on('response', (given) => {
    headers = given;
  });
  stream.on('data', (piece: Buffer) => {
    body += piece.toString();
  });
  stream.on('error', () => {});
  return new Promise((resolve) => {
    stream.on('close', () => resolve({ headers, body, interims, code: stream.rstCode }));
  });
}

test('fields of HTTP/1.1 connections do not reach a client of HTTP/2', LIMIT, async (t) => {
  const { rig, upstream } = await open(t);
  for (const line of ['HTTP2-Settings: AAMAAABk', 'TE: gzip', 'Upgrade: h2c', 'Keep-Alive: x']) {
    upstream.reply = () =>
      replyOf(`HTTP/1.1 103 Early Hints\r\n${line}\r\n\r\nHTTP/1.1 200 OK\r\n${line}\r\n${BODY}`);
    const { headers, body, interims, code } = await ask(t, rig);
    assert.deepEqual([headers[':status'], body, interims, code], [200, 'ok', [103], 0], line);
    assert.equal(headers[line.slice(0, line.indexOf(':')).toLowerCase()], undefined);
  }
  const records = await rig.records(4);
  assert(records.every(({ intact }) => intact));
});

test('a status beyond 599, which node:http2 can not send, is a typed error', LIMIT, async (t) => {
  const { rig, upstream } = await open(t);
  for (const status of [600, 999]) {
    upstream.reply = () => replyOf(`HTTP/1.1 ${status} Odd\r\n${BODY}`);
    const { headers, code } = await ask(t, rig);
    assert.deepEqual(
      [headers[':status'], headers['x-lanekeeper-error'], code],
      [502, 'upstream_protocol', 0],
    );
  }
  const records = await rig.records(2);
  assert.deepEqual(
    records.map(({ status }) => status),
    [502, 502],
  );
});
