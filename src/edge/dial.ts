/**
 * Opens a TCP connection for a tunnel or a forwarded request: happy eyeballs (RFC 8305) over all
 * addresses of the name, one bound on the whole, and never where `core/destination.ts` says no. Lanes
 * have their own transports; this is for hosts that are none of their business.
 */
import net, { type LookupFunction } from 'node:net';
import type { Authority } from '../core/authority.ts';
import { type DestinationRefusal, refusalOf, refusalOfAny } from '../core/destination.ts';
import type { ErrorCode } from '../core/errors.ts';
import { TCP_KEEPALIVE_MS, UPSTREAM_CONNECT_MS_MAX } from '../core/limits.ts';
import { type Lookups, lookups, type Resolve } from './lookups.ts';
import type { EdgeSettings } from './types.ts';

export interface DialEvents {
  /** The socket has an `error` listener, is paused and half-open. */
  onConnect(socket: net.Socket): void;
  /** @param detail an addition for people, or empty */
  onFail(code: ErrorCode, detail: string): void;
}

/**
 * Dials; exactly one event follows, never from within the call, none after the returned cancel.
 *
 * @param resolve asked once for a name, not at all for an address
 */
export function dial(
  target: Authority,
  settings: EdgeSettings,
  events: DialEvents,
  resolve: Lookups = lookups,
): () => void {
  const refused = refusalOf(target.host, target.port, settings);
  if (refused !== null) {
    const refusal = setImmediate(() => events.onFail(refused.code, refused.detail));
    return () => clearImmediate(refusal);
  }
  let isOver = false;
  const socket = net.connect({
    host: target.host,
    port: target.port,
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: TCP_KEEPALIVE_MS,
    autoSelectFamily: true,
    lookup: judgedLookup(target.port, settings, (hostname, options, answer) =>
      resolve(hostname, options, () => !isOver, answer),
    ),
  });
  const finish = (): void => {
    isOver = true;
    clearTimeout(timer);
  };
  const fail = (code: ErrorCode, detail = ''): void => {
    if (isOver) return;
    finish();
    socket.destroy();
    events.onFail(code, detail);
  };
  const timer = setTimeout(() => fail('upstream_connect_timeout'), UPSTREAM_CONNECT_MS_MAX);
  socket.on('error', (error: NodeJS.ErrnoException) => {
    if (error instanceof RefusedError) fail(error.refusal.code, error.refusal.detail);
    else fail(errorCodeOf(error));
  });
  socket.once('connect', () => {
    if (isOver) return;
    finish();
    socket.pause();
    events.onConnect(socket);
  });
  return () => {
    if (isOver) return;
    finish();
    socket.destroy();
  };
}

class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly refusal: DestinationRefusal;
  constructor(refusal: DestinationRefusal) {
    super('the name leads where it may not');
    this.refusal = refusal;
  }
}

/**
 * A name may lead to us, or where policy forbids, without looking like it. What is given back here is
 * what is dialled: nothing is resolved a second time.
 */
function judgedLookup(port: number, settings: EdgeSettings, resolve: Resolve): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) {
        callback(error, []);
        return;
      }
      const all = addresses.map(({ address }) => address);
      const refusal = refusalOfAny(all, port, settings);
      callback(refusal === null ? null : new RefusedError(refusal), addresses);
    });
  };
}

function errorCodeOf(error: NodeJS.ErrnoException): ErrorCode {
  switch (error.code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EAI_FAIL':
    case 'EAI_NODATA':
    case 'EAI_NONAME':
      return 'upstream_dns';
    case 'ECONNREFUSED':
      return 'upstream_refused';
    case 'ECONNRESET':
      return 'upstream_reset';
    case 'EMFILE':
    case 'ENFILE':
      return 'upstream_no_descriptor';
    case 'ETIMEDOUT':
      return 'upstream_connect_timeout';
    default:
      return 'upstream_unreachable';
  }
}
