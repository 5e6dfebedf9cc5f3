/**
 * A reader that stops, while the upstream sends on: what the proxy takes from the upstream stays
 * bounded, its memory flat, and once the reader goes on everything comes, whole. The proxy is a process
 * of its own here, so that its memory is its own.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import http2 from 'node:http2';
import { type TestContext, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import { readStatus } from '../src/admin/client.ts';
import { type BulkUpstream, bulkClient, bulkUpstream, digestOf, WAYS } from './support/bulk.ts';
import { type ProxyProcess, startProxyProcess } from './support/proxy-process.ts';

const MEGABYTE = 1024 * 1024;
/** What an answer holds: far more than all buffers on its way. */
const ANSWER_BYTES = 32 * MEGABYTE;
/** Sockets of loopback grow to some megabytes on either hop, and a stream of HTTP/2 has one. */
const TAKEN_BYTES_MAX = 16 * MEGABYTE;
/** Without backpressure it would be all four answers. */
const GROWN_BYTES_MAX = 64 * MEGABYTE;
/** Nothing moved for this long: it stands still. */
const STILL_MS = 400;
const PROMPT = Buffer.from('{"model":"claude-sonnet-5-5","messages":[],"stream":true}');

interface Flood extends BulkUpstream {
  /** Bytes that the system has taken, by answer. */
  readonly taken: number[];
  /** Hex SHA-256 of a whole answer. */
  readonly sha256: string;
}

/** An upstream that sends an endless-looking stream as fast as it is taken. */
async function flood(t: TestContext, bytes: number): Promise<Flood> {
  const line = `event: ping\ndata: ${'x'.repeat(MEGABYTE / 16 - 21)}\n\n`;
  const piece = Buffer.from(line.padEnd(MEGABYTE / 16));
  const count = bytes / piece.length;
  const hash = createHash('sha256');
  for (let i = 0; i < count; i += 1) hash.update(piece);
  const taken: number[] = [];
  const upstream = await bulkUpstream(t, (request, response) => {
    request.resume();
    const index = taken.push(0) - 1;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    let sent = 0;
    const send = (): void => {
      while (sent < count) {
        sent += 1;
        const room = response.write(piece, () => {
          taken[index] = (taken[index] ?? 0) + piece.length;
        });
        if (!room) return;
      }
      response.end();
    };
    response.on('drain', send);
    send();
  });
  return { ...upstream, taken, sha256: hash.digest('hex') };
}

function startProxy(t: TestContext, { port, ca }: BulkUpstream, mode: string) {
  const origin = `https://127.0.0.1:${port}`;
  const twin = { anthropic: { origin, ca }, zai: { origin, basePath: '' } };
  return startProxyProcess(t, { twin, env: { MITM_HTTP2: mode } });
}

async function residentBytes({ home }: ProxyProcess): Promise<number> {
  return (await readStatus(home)).memory.rss_bytes;
}

/** Waits until the upstream could give nothing more for a while. */
async function standstill({ taken }: Flood): Promise<number> {
  const total = (): number => taken.reduce((sum, bytes) => sum + bytes, 0);
  for (;;) {
    const before = total();
    await wait(STILL_MS);
    if (before > 0 && total() === before) return before;
  }
}

for (const mode of ['0', '1']) {
  test(`stopped readers of every way stop their upstreams, and get all once they read (MITM_HTTP2=${mode})`, async (t) => {
    const upstream = await flood(t, ANSWER_BYTES);
    const proxy = await startProxy(t, upstream, mode);
    const door = { url: proxy.url, ca: await readFile(proxy.bundlePath, 'utf8') };
    const before = await residentBytes(proxy);
    const answers: Dispatcher.ResponseData[] = [];
    for (const way of WAYS) answers.push(await bulkClient(t, way, door).open(PROMPT));
    await standstill(upstream);
    const grown = (await residentBytes(proxy)) - before;
    for (const bytes of upstream.taken)
      assert(bytes < TAKEN_BYTES_MAX, `${bytes} bytes were taken`);
    assert(grown < GROWN_BYTES_MAX, `the proxy grew by ${grown} bytes`);
    for (const { body } of answers) {
      const got = await digestOf(body);
      assert.deepEqual(got, { bytes: ANSWER_BYTES, sha256: upstream.sha256 });
    }
    const records = await proxy.records(WAYS.length);
    assert(records.every(({ intact, bytes_down }) => intact && bytes_down === ANSWER_BYTES));
  });
}

test('99 stopped readers on one HTTP/2 session do not hold up the next stream of it', async (t) => {
  const upstream = await flood(t, MEGABYTE);
  const proxy = await startProxy(t, upstream, '0');
  const session = http2.connect(proxy.url);
  session.on('error', () => {});
  t.after(() => session.destroy());
  await new Promise((resolve) => session.once('connect', resolve));
  session.setLocalWindowSize(256 * MEGABYTE);
  const open = async (): Promise<http2.ClientHttp2Stream> => {
    const stream = session.request({ ':method': 'POST', ':path': '/v1/messages' });
    stream.on('error', () => {});
    stream.end(PROMPT);
    const status = await new Promise<unknown>((resolve) => {
      stream.once('response', (headers) => resolve(headers[':status']));
      stream.once('close', () => resolve(`closed by ${stream.rstCode}`));
    });
    assert.equal(status, 200);
    return stream;
  };
  const stopped = await Promise.all(Array.from({ length: 99 }, open));
  await standstill(upstream);
  const whole = { bytes: MEGABYTE, sha256: upstream.sha256 };
  assert.deepEqual(await digestOf(await open()), whole);
  for (const stream of stopped) assert.deepEqual(await digestOf(stream), whole);
  const records = await proxy.records(100);
  assert(records.every(({ intact }) => intact));
});
