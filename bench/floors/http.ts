/**
 * The whole job on node:http and node:https, done well: the body is held and parsed, the request routed, the key
 * swapped, what was used noted. Done well means what plain code leaves out: no delay towards the upstream, head
 * and body in one write, one secure context for all connections, no connection-level field passed on, and
 * of a stream only the pieces kept that tell of usage.
 */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import tls from 'node:tls';
import { settings } from './settings.ts';
import { usageIn, usageNotes } from './usage.ts';

const { port, upstreamPort, host, caFile, certFile, keyFile, secondKey, usageFile } = settings();
const note = usageNotes(usageFile);
const served = tls.createSecureContext({
  cert: readFileSync(certFile),
  key: readFileSync(keyFile),
});
const agent = new https.Agent({
  keepAlive: true,
  maxFreeSockets: 1024,
  secureContext: tls.createSecureContext({ ca: readFileSync(caFile) }),
  servername: host,
});

function serve(request: http.IncomingMessage, response: http.ServerResponse): void {
  const parts: Buffer[] = [];
  request.on('data', (data: Buffer) => parts.push(data));
  request.on('end', () => forward(request, response, Buffer.concat(parts)));
}

function forward(request: http.IncomingMessage, response: http.ServerResponse, body: Buffer): void {
  const { model } = JSON.parse(body.toString()) as { model: string };
  const { connection: _, ...headers } = request.headers;
  let path = request.url ?? '/';
  headers.host = host;
  if (model.includes('haiku')) {
    path = `/api/anthropic${path}`;
    delete headers.authorization;
    headers['x-api-key'] = secondKey;
  }
  const outgoing = https.request(
    {
      host: '127.0.0.1',
      port: upstreamPort,
      agent,
      method: request.method ?? 'POST',
      path,
      headers,
    },
    (answer) => relay(answer, response, model),
  );
  outgoing.setNoDelay(true);
  outgoing.on('error', () => response.destroy());
  outgoing.end(body);
}

function relay(answer: http.IncomingMessage, response: http.ServerResponse, model: string): void {
  const { connection: _, 'keep-alive': __, ...headers } = answer.headers;
  const kept: Buffer[] = [];
  response.writeHead(answer.statusCode ?? 502, headers);
  answer.on('data', (data: Buffer) => {
    if (data.includes('"usage"')) kept.push(data);
    if (!response.write(data)) {
      answer.pause();
      response.once('drain', () => answer.resume());
    }
  });
  answer.on('end', () => {
    response.end();
    note(model, usageIn(Buffer.concat(kept).toString()));
  });
}

// Plain requests are gateway mode; those in a tunnel come by way of `connect`.
const server = http.createServer(serve);
server.on('connect', (_request, socket: Socket) => {
  socket.write('HTTP/1.1 200 OK\r\n\r\n');
  socket.setNoDelay(true);
  const client = new tls.TLSSocket(socket, { isServer: true, secureContext: served });
  client.on('error', () => socket.destroy());
  server.emit('connection', client);
});
server.listen(port, '127.0.0.1');
