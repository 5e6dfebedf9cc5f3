/**
 * The control socket: HTTP over a Unix socket that only its owner can open. It carries the calls of
 * `Control` and knows nothing of what they do.
 *
 * node:http is used here because these are our own few messages; no proxied byte passes this way.
 */
import { once } from 'node:events';
import { chmodSync, linkSync, renameSync, unlinkSync } from 'node:fs';
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

import {
  CONTROL_BODY_BYTES_MAX,
  CONTROL_CLOSE_MS_MAX,
  CONTROL_CONNECTIONS_MAX,
  CONTROL_MS_MAX,
} from '../core/limits.ts';
import { prepareSocketDirectory, socketPath } from './socket-path.ts';
import { type Control, ControlError, type ServedStatus } from './types.ts';

/** Not imported as a module: that would bring all of fetch along, 40 ms at each start (measured). */
const http = process.getBuiltinModule('node:http');

/** A control socket that is being served. */
export interface ControlServer {
  readonly path: string;
  /**
   * Stops listening, gives the leases back, lets the answers under way reach their askers (within
   * `CONTROL_CLOSE_MS_MAX`), drops every connection and removes the socket.
   */
  close(): Promise<void>;
}

/** What the handlers work on. */
interface Served {
  readonly control: Control;
  /** Answers that end only with their holders. */
  readonly leases: Set<ServerResponse>;
  /** Answers under way, leases among them. */
  readonly answers: Set<ServerResponse>;
}

type Handler = (served: Served, body: unknown, response: ServerResponse) => Promise<void> | void;

/** Refusals of the socket itself; one of the proxy is a conflict with its state (409). */
const STATUS_BY_CODE: ReadonlyMap<string, number> = new Map([
  ['unknown_command', 404],
  ['bad_body', 400],
]);

const ROUTES: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ['GET /status', (served, _body, response) => sendStatus(served, response)],
  ['GET /metrics', sendMetrics],
  ['GET /lease', holdLeaseOpen],
  ['POST /pause', change((control) => control.pause())],
  ['POST /resume', change((control) => control.resume())],
  ['POST /force', change((control, body) => control.force(readOn(body)))],
  ['POST /tee', change((control, body) => control.tee(readOn(body)))],
  ['POST /reload', reload],
  ['POST /restart', restart],
  ['POST /drain', change((control) => control.drain())],
]);

/**
 * Serves the control socket of a home.
 *
 * @throws ControlError `already_running` where a live process serves it; `unsafe_directory`
 */
export async function serveControl(home: string, control: Control): Promise<ControlServer> {
  const path = socketPath(home);
  prepareSocketDirectory(path);
  const served: Served = { control, leases: new Set(), answers: new Set() };
  const server = http.createServer(listener(served));
  server.maxConnections = CONTROL_CONNECTIONS_MAX;
  server.requestTimeout = CONTROL_MS_MAX;
  if (!(await listen(server, path))) {
    await removeStaleSocket(path, home);
    if (!(await listen(server, path))) throw alreadyRunning(home);
  }
  chmodSync(path, 0o600);
  return { path, close: () => closeServer(server, served) };
}

function listener(served: Served): RequestListener {
  return (request, response) => {
    request.on('error', () => response.destroy());
    response.on('error', () => response.destroy());
    served.answers.add(response);
    response.on('close', () => served.answers.delete(response));
    answer(served, request, response).catch((error: unknown) => sendError(response, error));
  };
}

async function answer(
  served: Served,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const key = `${request.method ?? ''} ${request.url ?? ''}`;
  const handler = ROUTES.get(key);
  if (handler === undefined) {
    request.resume();
    throw new ControlError('unknown_command', `the control socket does not know ${key}`);
  }
  await handler(served, await readBody(request), response);
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > CONTROL_BODY_BYTES_MAX)
      throw new ControlError('bad_body', 'the body is too large');
    parts.push(part);
  }
  if (length === 0) return null;
  try {
    return JSON.parse(Buffer.concat(parts).toString('utf8'));
  } catch {
    throw new ControlError('bad_body', 'the body is not JSON');
  }
}

function readOn(body: unknown): boolean {
  if (typeof body === 'object' && body !== null && 'on' in body && typeof body.on === 'boolean') {
    return body.on;
  }
  throw new ControlError('bad_body', 'the body must be {"on":true} or {"on":false}');
}

/** A command that changes something and answers with the status that follows. */
function change(apply: (control: Control, body: unknown) => Promise<void> | void): Handler {
  return async (served, body, response) => {
    await apply(served.control, body);
    await sendStatus(served, response);
  };
}

async function reload(served: Served, _body: unknown, response: ServerResponse): Promise<void> {
  sendJson(response, 200, await served.control.reload());
}

async function restart(served: Served, _body: unknown, response: ServerResponse): Promise<void> {
  sendJson(response, 200, await served.control.restart());
}

async function sendMetrics(
  served: Served,
  _body: unknown,
  response: ServerResponse,
): Promise<void> {
  const text = await served.control.metrics();
  response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
  response.end(text);
}

/** The lease lasts as long as the answer: a holder that dies gives it back, whatever killed it. */
function holdLeaseOpen(served: Served, _body: unknown, response: ServerResponse): void {
  if (response.destroyed) return;
  const giveBack = served.control.lease();
  served.leases.add(response);
  response.on('close', () => {
    served.leases.delete(response);
    giveBack();
  });
  response.writeHead(200, { 'content-type': 'text/plain' });
  response.write('leased\n');
}

async function sendStatus(served: Served, response: ServerResponse): Promise<void> {
  const status: ServedStatus = { ...(await served.control.status()), leases: served.leases.size };
  sendJson(response, 200, status);
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(value)}\n`);
}

function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const known = error instanceof ControlError;
  const code = known ? error.code : 'internal';
  // The text of an unforeseen error could hold anything; only its name is shown.
  const message = known
    ? error.message
    : `the proxy failed inside (${error instanceof Error ? error.name : 'unknown'}); its log says more`;
  sendJson(response, known ? (STATUS_BY_CODE.get(code) ?? 409) : 500, { error: { code, message } });
}

/** Resolves true once listening, false where the path is taken. */
function listen(server: Server, path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => {
      server.removeListener('listening', onListening);
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(Object.assign(error, { path }));
    };
    const onListening = () => {
      server.removeListener('error', onError);
      server.on('error', () => undefined);
      resolve(true);
    };
    server.once('error', onError);
    server.once('listening', onListening);
    server.listen(path);
  });
}

/**
 * Takes the socket of a dead process out of the way. Only one process can rename a given file, so
 * two that start at once after a crash do not remove each other's fresh socket: one that took a live
 * socket by mistake puts it back.
 *
 * @throws ControlError `already_running` where the socket is live
 */
async function removeStaleSocket(path: string, home: string): Promise<void> {
  if (await isLive(path)) throw alreadyRunning(home);
  const taken = `${path}.${process.pid}`;
  try {
    renameSync(path, taken);
  } catch {
    return;
  }
  const live = await isLive(taken);
  if (live) linkSync(taken, path);
  unlinkSync(taken);
  if (live) throw alreadyRunning(home);
}

/** True if a process accepts connections on this socket. */
function isLive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

function alreadyRunning(home: string): ControlError {
  return new ControlError(
    'already_running',
    `a proxy is already running for ${home}; stop it with lanekeeper drain, or choose another --home`,
  );
}

async function closeServer(server: Server, served: Served): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  for (const lease of served.leases) lease.destroy();
  // Who asked for the end of the proxy is told that it comes.
  const answered = [...served.answers].map((response) => once(response, 'close'));
  const late = new AbortController();
  await Promise.race([
    Promise.all(answered),
    wait(CONTROL_CLOSE_MS_MAX, null, { signal: late.signal }).catch(() => undefined),
  ]);
  late.abort();
  server.closeAllConnections();
  await closed;
}
