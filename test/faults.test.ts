/**
 * Everything that goes wrong at an upstream that was reached, and what becomes of it: what the client
 * sees, and the one record in the ledger. The upstream is scripted byte by byte behind real TLS;
 * clients come through CONNECT, to the gateway, and by HTTP/2.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import type net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import {
  type FaultUpstream,
  loopbackCertificate,
  startFaultUpstream,
} from './support/fault-upstream.ts';
import {
  assertOutcome,
  BEGUN,
  CHUNKED_HEAD,
  chunk,
  cut,
  type Fault,
  LAST_CHUNK,
  laneWith,
  messages,
  type Outcome,
  observe,
  passed,
  refused,
  SSE,
  WHOLE,
  withUpstream,
} from './support/faults.ts';
import type { Cleanup } from './support/home.ts';
import { exchangeOnce, type Shape } from './support/raw-exchange.ts';
import { type Rig, startRig } from './support/rig.ts';

const HTML = '<!doctype html><title>Captive portal</title>';
const ZIPPED = gzipSync(WHOLE);
const TORN_GZIP = ZIPPED.subarray(0, ZIPPED.length - 30);
const HTTP_GARBAGE = 'SSH-2.0-OpenSSH_9.9\r\n\r\n';

const FAULTS: readonly Fault[] = [
  {
    name: 'a reset before the head',
    act: (visit) => visit.reset(),
    outcome: refused('reset'),
  },
  {
    name: 'FIN before the head',
    act: (visit) => visit.end(),
    outcome: refused('closed'),
  },
  {
    name: 'FIN in the middle of the head',
    act: async (visit) => {
      await visit.send('HTTP/1.1 200 OK\r\nContent-Ty');
      visit.end();
    },
    outcome: refused('closed'),
  },
  {
    name: 'a reset in the middle of a stream',
    act: async (visit) => {
      await visit.send(Buffer.concat([Buffer.from(CHUNKED_HEAD), chunk(BEGUN)]));
      await begun.promise;
      visit.reset();
    },
    outcome: cut('reset', BEGUN),
  },
  {
    name: 'FIN between two chunks',
    act: async (visit) => {
      await visit.send(Buffer.concat([Buffer.from(CHUNKED_HEAD), chunk(BEGUN)]));
      visit.end();
    },
    outcome: cut('closed', BEGUN),
  },
  {
    name: 'FIN inside of a chunk',
    act: async (visit) => {
      const piece = chunk(BEGUN).subarray(0, -10);
      await visit.send(Buffer.concat([Buffer.from(CHUNKED_HEAD), piece]));
      visit.end();
    },
    outcome: cut('closed', BEGUN.slice(0, -8)),
  },
  {
    name: 'FIN after message_stop, short of the last chunk',
    act: async (visit) => {
      await visit.send(Buffer.concat([Buffer.from(CHUNKED_HEAD), chunk(WHOLE)]));
      visit.end();
    },
    outcome: cut('closed', WHOLE),
  },
  {
    name: 'FIN short of Content-Length',
    act: async (visit) => {
      const head = `HTTP/1.1 200 OK\r\n${SSE}Content-Length: ${WHOLE.length}\r\n\r\n`;
      await visit.send(head + BEGUN);
      visit.end();
    },
    outcome: cut('closed', BEGUN),
  },
  {
    name: 'a reset of an answer that only the close delimits',
    act: async (visit) => {
      await visit.send(`HTTP/1.1 200 OK\r\n${SSE}\r\n${BEGUN}`);
      await begun.promise;
      visit.reset();
    },
    // FIN would tell the client that it has all of it.
    ending: 'ECONNRESET',
    outcome: cut('reset', BEGUN),
  },
  {
    name: 'a proper end without message_stop',
    act: (visit) =>
      visit.send(Buffer.concat([Buffer.from(CHUNKED_HEAD), chunk(BEGUN), Buffer.from(LAST_CHUNK)])),
    outcome: passed(BEGUN, { sse: 'cut' }),
  },
  {
    name: 'an error event in the stream',
    act: async (visit) => {
      const error =
        'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n';
      await visit.send(
        Buffer.concat([Buffer.from(CHUNKED_HEAD), chunk(BEGUN + error), Buffer.from(LAST_CHUNK)]),
      );
    },
    outcome: {
      ...passed('', { sse: 'upstream_error', err_type: '5xx' }),
      body: `${BEGUN}event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n`,
    },
  },
  {
    name: 'bytes that are no HTTP',
    act: (visit) => visit.send(HTTP_GARBAGE),
    outcome: refused('protocol'),
  },
  {
    name: 'a head that says its length in two ways',
    act: (visit) =>
      visit.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello'),
    outcome: refused('protocol'),
  },
  {
    name: 'a head larger than is read',
    act: (visit) => visit.send(`HTTP/1.1 200 OK\r\nX-Long: ${'x'.repeat(70_000)}\r\n\r\n`),
    outcome: refused('protocol'),
  },
  {
    name: 'a broken chunk size in the middle of a stream',
    act: (visit) =>
      visit.send(
        Buffer.concat([Buffer.from(CHUNKED_HEAD), chunk(BEGUN), Buffer.from('zz\r\nmore\r\n')]),
      ),
    outcome: cut('protocol', BEGUN),
  },
  {
    name: 'a 101 that nobody asked for',
    act: (visit) =>
      visit.send('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'),
    outcome: refused('protocol'),
  },
  {
    name: 'a page of HTML with 200',
    act: (visit) =>
      visit.send(
        `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: ${HTML.length}\r\n\r\n${HTML}`,
      ),
    outcome: passed(HTML, { model_served: null, output_tokens: null }),
  },
  {
    name: 'an error page of a gateway',
    act: (visit) =>
      visit.send(
        `HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: ${HTML.length}\r\n\r\n${HTML}`,
      ),
    outcome: passed(HTML, { status: 502, err_type: '5xx' }),
  },
  {
    name: 'a gzip stream that ends too soon, within proper HTTP',
    act: (visit) =>
      visit.send(
        Buffer.concat([
          Buffer.from(CHUNKED_HEAD.replace(SSE, `${SSE}Content-Encoding: gzip\r\n`)),
          chunk(TORN_GZIP),
          Buffer.from(LAST_CHUNK),
        ]),
      ),
    outcome: passed(TORN_GZIP, { sse: 'cut' }),
  },
  {
    name: 'what claims to be gzip and is not',
    act: (visit) =>
      visit.send(
        Buffer.concat([
          Buffer.from(CHUNKED_HEAD.replace(SSE, `${SSE}Content-Encoding: gzip\r\n`)),
          chunk(WHOLE),
          Buffer.from(LAST_CHUNK),
        ]),
      ),
    // It can not be read, so it is judged by HTTP alone; the anomalies say that it was not read.
    outcome: passed(WHOLE, { sse: 'complete', output_tokens: null }),
  },
  {
    name: 'a safe request on a connection that is reset is tried once more',
    request: { method: 'GET', path: '/v1/models', fields: {} },
    act: (visit) => visit.reset(),
    outcome: refused('reset', { attempts: 2, retry: true }),
  },
];

/** Resolves once the client of the case has the begun stream. */
let begun = Promise.withResolvers<void>();

describe('faults of an upstream, as clients see them', () => {
  let upstream: FaultUpstream;
  let rig: Rig;
  const cleanups: (() => Promise<void> | void)[] = [];
  before(async () => {
    const context: Cleanup = { after: (run) => void cleanups.unshift(run) };
    upstream = await startFaultUpstream(context);
    rig = await startRig(context, { config: withUpstream(upstream) });
  });
  after(async () => {
    for (const run of cleanups) await run();
  });

  let cases = 0;
  for (const fault of FAULTS) {
    for (const shape of ['connect', 'gateway', 'h2'] as const satisfies readonly Shape[]) {
      test(`${fault.name} (${shape})`, async () => {
        cases += 1;
        const base = fault.request ?? messages('claude-sonnet-5-5', '');
        const request = {
          ...base,
          fields: { ...base.fields, 'x-api-key': `sk-ant-api03-fake-case-${cases}` },
        };
        upstream.script = async (visit) => {
          await visit.request();
          await fault.act(visit);
        };
        begun = Promise.withResolvers();
        const hear = (bytes: Buffer): void => {
          if (bytes.includes('half')) begun.resolve();
        };
        const result = await observe(rig, () =>
          exchangeOnce(rig.proxy, rig.ca, shape, request, hear),
        );
        assertOutcome(fault.outcome, result);
        if (shape === 'h2') {
          assert.equal(result.seen.ending, fault.outcome.whole ? 'end' : 'reset 2');
        } else {
          assert.equal(result.seen.ending, fault.ending ?? 'fin');
        }
      });
    }
  }
});

describe('silence of an upstream', () => {
  const TINY_MS = 150;
  const cases: readonly (Fault & { ending?: string })[] = [
    {
      name: 'no head in time',
      act: () => {},
      outcome: refused('head_timeout', { status: 504, err_type: 'timeout' }),
    },
    {
      name: 'a stream that stalls',
      act: (visit) => visit.send(Buffer.concat([Buffer.from(CHUNKED_HEAD), chunk(BEGUN)])),
      outcome: cut('idle_timeout', BEGUN, { sse: 'stalled', err_type: 'timeout' }),
    },
    {
      name: 'a body that stalls short of its length',
      act: (visit) =>
        visit.send(
          'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"a"',
        ),
      outcome: cut('idle_timeout', '{"a"', { sse: null, err_type: 'timeout' }),
    },
  ];
  for (const stall of cases) {
    test(stall.name, async (t) => {
      const upstream = await startFaultUpstream(t);
      const timeouts = { connectMs: 5_000, tlsMs: 5_000, headMs: TINY_MS, idleMs: TINY_MS };
      const rig = await startRig(t, { config: withUpstream(upstream, { timeouts }) });
      upstream.script = async (visit) => {
        await visit.request();
        await stall.act(visit);
      };
      for (const [index, shape] of (['connect', 'gateway', 'h2'] as const).entries()) {
        const request = messages('claude-sonnet-5-5', `sk-ant-api03-fake-stall-${index}`);
        const result = await observe(rig, () => exchangeOnce(rig.proxy, rig.ca, shape, request));
        assertOutcome(stall.outcome, result);
        await (await upstream.visit(index)).gone;
      }
    });
  }
});

describe('an upstream that speaks HTTP/2', () => {
  /** What one stream does, and what becomes of it for a client of each protocol. */
  const cases: readonly {
    readonly name: string;
    readonly act: (stream: http2.ServerHttp2Stream, tries: number) => void;
    readonly outcome: Outcome;
  }[] = [
    {
      name: 'a stream that is refused unprocessed is sent once more',
      act: (stream, tries) => {
        if (tries === 1) stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
        else answerWhole(stream);
      },
      outcome: {
        ...passed(WHOLE, { attempts: 2, retry: true, sse: 'complete', h2: true }),
        failure: 'not_processed',
      },
    },
    {
      name: 'a stream that is reset before its head is not sent again',
      act: (stream) => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR),
      outcome: refused('reset', { h2: true }),
    },
    {
      name: 'a stream that is reset in the middle',
      act: (stream) => {
        stream.respond({ ':status': 200, 'content-type': 'text/event-stream' });
        stream.write(BEGUN);
        begun.promise.then(() => stream.destroy(new Error('scripted')));
      },
      outcome: cut('reset', BEGUN, { h2: true }),
    },
    {
      name: 'a session that breaks in the middle of a stream',
      act: (stream) => {
        stream.respond({ ':status': 200, 'content-type': 'text/event-stream' });
        stream.write(BEGUN);
        begun.promise.then(() => stream.session?.destroy());
      },
      outcome: cut('closed', BEGUN, { h2: true }),
    },
  ];
  for (const fault of cases) {
    test(fault.name, async (t) => {
      const keys = await loopbackCertificate();
      const server = http2.createSecureServer({ cert: keys.certPem, key: keys.keyPem });
      const sessions = new Set<http2.ServerHttp2Session>();
      let tries = 0;
      server.on('session', (session) => {
        sessions.add(session);
        session.on('error', () => {});
      });
      server.on('stream', (stream) => {
        stream.on('error', () => {});
        stream.resume();
        stream.once('end', () => {
          tries += 1;
          fault.act(stream as http2.ServerHttp2Stream, tries);
        });
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      t.after(() => {
        for (const session of sessions) session.destroy();
        server.close();
      });
      const { port } = server.address() as net.AddressInfo;
      const rig = await startRig(t, {
        env: { MITM_HTTP2: '1' },
        config: (config) => ({
          ...config,
          lanes: new Map(config.lanes).set(
            'anthropic',
            laneWith(config, {
              scheme: 'https',
              host: '127.0.0.1',
              port,
              basePath: '',
              ca: keys.caCertPem,
            }),
          ),
        }),
      });
      for (const shape of ['connect', 'gateway', 'h2'] as const) {
        tries = 0;
        begun = Promise.withResolvers();
        const hear = (bytes: Buffer): void => {
          if (bytes.includes('half')) begun.resolve();
        };
        const request = messages('claude-sonnet-5-5', `sk-ant-api03-fake-h2-${shape}`);
        const result = await observe(rig, () =>
          exchangeOnce(rig.proxy, rig.ca, shape, request, hear),
        );
        assertOutcome(fault.outcome, result);
      }
    });
  }
});

function answerWhole(stream: http2.ServerHttp2Stream): void {
  stream.respond({ ':status': 200, 'content-type': 'text/event-stream' });
  stream.end(WHOLE);
}
