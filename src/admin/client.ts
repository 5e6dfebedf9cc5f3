/**
 * The other end of the control socket: what the command line says to a running proxy.
 */
import type { ClientRequest, IncomingMessage } from 'node:http';
import { connect } from 'node:net';

import { CONTROL_ANSWER_BYTES_MAX, CONTROL_MS_MAX } from '../core/limits.ts';
import { checkSocketDirectory, socketPath } from './socket-path.ts';
import { ControlError, type ServedStatus } from './types.ts';

/** Not imported as a module, for the reason given in `server.ts`. */
const http = process.getBuiltinModule('node:http');

/** Codes with which the system says that nobody listens on a Unix socket. */
const NOBODY: ReadonlySet<string> = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTSOCK', 'ENOTDIR']);

/**
 * Sends one command to the proxy of a home.
 *
 * @returns the parsed JSON of the answer, or its text where it is none (`/metrics`)
 * @throws ControlError `not_running`, `timeout`, `bad_answer`, or the code that the proxy refused with
 */
export async function callControl(
  home: string,
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
): Promise<unknown> {
  const text = body === undefined ? '' : JSON.stringify(body);
  const { request, response } = await open(home, method, path, text);
  try {
    const answer = await readAll(response);
    const parsed = isJson(response) ? parse(answer) : answer;
    if (response.statusCode !== 200) throw refusal(parsed);
    return parsed;
  } finally {
    request.destroy();
  }
}

/** The status of the proxy of a home. Errors as `callControl`. */
export async function readStatus(home: string): Promise<ServedStatus> {
  // Our own program on the other side, over a socket that only our user can serve.
  return (await callControl(home, 'GET', '/status')) as ServedStatus;
}

/** True if a process serves the control socket of this home. Never throws. */
export function isRunning(home: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath(home));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

/**
 * Takes a lease on the proxy of a home: a leased proxy stays while one is held.
 *
 * @returns the function that gives it back; the end of this process gives it back too
 * @throws ControlError as `callControl`
 */
export async function holdLease(home: string): Promise<() => void> {
  const { request, response } = await open(home, 'GET', '/lease', '');
  if (response.statusCode !== 200) {
    const answer = await readAll(response);
    request.destroy();
    throw refusal(isJson(response) ? parse(answer) : answer);
  }
  // A proxy that goes away first ends the lease too; that is no error of the holder.
  response.on('error', () => undefined);
  response.resume();
  return () => {
    request.destroy();
  };
}

function open(
  home: string,
  method: string,
  path: string,
  body: string,
): Promise<{ request: ClientRequest; response: IncomingMessage }> {
  const socket = socketPath(home);
  checkSocketDirectory(socket);
  return new Promise((resolve, reject) => {
    const headers = body === '' ? {} : { 'content-type': 'application/json' };
    const request = http.request({ socketPath: socket, method, path, headers, agent: false });
    const timer = setTimeout(() => {
      request.destroy(new ControlError('timeout', `the proxy of ${home} did not answer in time`));
    }, CONTROL_MS_MAX);
    request.on('error', (error) => {
      clearTimeout(timer);
      reject(explain(home, error));
    });
    request.once('response', (response) => {
      clearTimeout(timer);
      resolve({ request, response });
    });
    request.end(body);
  });
}

function explain(home: string, error: NodeJS.ErrnoException): Error {
  if (error instanceof ControlError) return error;
  if (error.code !== undefined && NOBODY.has(error.code)) {
    return new ControlError(
      'not_running',
      `no proxy is running for ${home}; start one with lanekeeper start`,
    );
  }
  return new ControlError(
    'unreachable',
    `the control socket of ${home} can not be used (${error.code ?? error.name})`,
  );
}

async function readAll(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let length = 0;
  try {
    for await (const part of response as AsyncIterable<Buffer>) {
      length += part.length;
      if (length > CONTROL_ANSWER_BYTES_MAX) break;
      parts.push(part);
    }
  } catch {
    throw new ControlError('bad_answer', 'the proxy went away in the middle of its answer');
  }
  return Buffer.concat(parts).toString('utf8');
}

function isJson(response: IncomingMessage): boolean {
  return response.headers['content-type']?.startsWith('application/json') === true;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ControlError('bad_answer', 'the answer of the control socket is no JSON');
  }
}

function refusal(answer: unknown): ControlError {
  if (typeof answer === 'object' && answer !== null && 'error' in answer) {
    const { error } = answer;
    if (typeof error === 'object' && error !== null && 'code' in error && 'message' in error) {
      return new ControlError(String(error.code), String(error.message));
    }
  }
  return new ControlError('bad_answer', 'the control socket refused without a reason');
}
