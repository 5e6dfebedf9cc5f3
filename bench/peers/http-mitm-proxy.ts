/**
 * The whole job on http-mitm-proxy. It makes its upstream request right after `onRequest`, so the body is read
 * there and handed on as a stream of its own.
 */
import { readFileSync } from 'node:fs';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import https from 'node:https';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { settings } from '../floors/settings.ts';
import { usageIn, usageNotes } from '../floors/usage.ts';

/** What is used of the package. */
interface Package {
  readonly Proxy: new () => Proxy;
}
interface Proxy {
  onError(hear: (context: unknown, error: Error) => void): void;
  onRequest(hear: (context: Context, next: () => void) => void): void;
  listen(options: object): void;
}
interface Context {
  clientToProxyRequest: Readable | IncomingMessage;
  readonly proxyToServerRequestOptions: {
    host: string;
    port: number;
    path: string;
    agent: unknown;
    readonly headers: OutgoingHttpHeaders;
  };
  onResponseData(
    hear: (context: Context, data: Buffer, next: (error: null, data: Buffer) => void) => void,
  ): void;
  onResponseEnd(hear: (context: Context, next: () => void) => void): void;
}

const { port, upstreamPort, host, caFile, secondKey, usageFile, folder } = settings();
const note = usageNotes(usageFile);
const peers = join(process.env['BENCH_PEERS'] ?? '.', 'package.json');
const { Proxy: ProxyClass } = createRequire(peers)('http-mitm-proxy') as Package;
const agent = new https.Agent({ keepAlive: true, ca: readFileSync(caFile), servername: host });

function forward(context: Context, headers: IncomingMessage['headers'], body: Buffer): void {
  const { model } = JSON.parse(body.toString()) as { model: string };
  const options = context.proxyToServerRequestOptions;
  Object.assign(options, { host: '127.0.0.1', port: upstreamPort, agent });
  if (model.includes('haiku')) {
    options.path = `/api/anthropic${options.path}`;
    options.headers['host'] = 'api.z.ai';
    delete options.headers['authorization'];
    options.headers['x-api-key'] = secondKey;
  }
  context.clientToProxyRequest = Object.assign(Readable.from([body]), { headers });
  const kept: Buffer[] = [];
  context.onResponseData((_context, data, next) => {
    if (data.includes('"usage"')) kept.push(data);
    next(null, data);
  });
  context.onResponseEnd((_context, next) => {
    note(model, usageIn(Buffer.concat(kept).toString()));
    next();
  });
}

const proxy = new ProxyClass();
proxy.onError(() => undefined);
proxy.onRequest((context, next) => {
  const request = context.clientToProxyRequest as IncomingMessage;
  const parts: Buffer[] = [];
  request.on('data', (data: Buffer) => parts.push(data));
  request.on('end', () => {
    forward(context, request.headers, Buffer.concat(parts));
    next();
  });
  // It comes paused.
  request.resume();
});
proxy.listen({ host: '127.0.0.1', port, sslCaDir: join(folder, 'ca'), keepAlive: true });
