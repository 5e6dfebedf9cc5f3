/**
 * Opens a TCP connection for a tunnel or a forwarded request: happy eyeballs (RFC 8305) over all
 * addresses of the name, one bound on the whole, and never back to our own listener (RFC 9110
 * section 7.6). Lanes have their own transports; this is for hosts that are none of their business.
 */
import { lookup as resolve } from 'node:dns';
import net, { type LookupFunction } from 'node:net';
import { type Authority, isLoopbackHost } from '../core/authority.ts';
import type { ErrorCode } from '../core/errors.ts';
import { TCP_KEEPALIVE_MS, UPSTREAM_CONNECT_MS_MAX } from '../core/limits.ts';
import type { EdgeSettings } from './types.ts';

export interface DialEvents {
  /** The socket has an `error` listener, is paused and half-open. */
  onConnect(socket: net.Socket): void;
  onFail(code: ErrorCode): void;
}

/** Dials; exactly one event follows, never from within the call, none after the returned cancel. */
export function dial(target: Authority, settings: EdgeSettings, events: DialEvents): () => void {
  if (target.port === settings.ownPort && isOwnName(target.host, settings)) {
    const refusal = setImmediate(() => events.onFail('loop'));
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
    lookup: lookupAvoiding(target.port, settings),
  });
  const finish = (): void => {
    isOver = true;
    clearTimeout(timer);
  };
  const fail = (code: ErrorCode): void => {
    if (isOver) return;
    finish();
    socket.destroy();
    events.onFail(code);
  };
  const timer = setTimeout(() => fail('upstream_connect_timeout'), UPSTREAM_CONNECT_MS_MAX);
  socket.on('error', (error: NodeJS.ErrnoException) => fail(errorCodeOf(error)));
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

class LoopError extends Error {
  readonly code = 'ELOOP_OWN';
}

/** A name may resolve to us without looking like it. */
function lookupAvoiding(port: number, settings: EdgeSettings): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) {
        callback(error, []);
        return;
      }
      const isLoop =
        port === settings.ownPort && addresses.some(({ address }) => isOwnName(address, settings));
      callback(isLoop ? new LoopError('the name resolves to this proxy') : null, addresses);
    });
  };
}

/** True for a host that leads to our listener, given our port. The unspecified address is loopback. */
function isOwnName(host: string, settings: EdgeSettings): boolean {
  if (host === '0.0.0.0' || host === '::') return true;
  return isLoopbackHost(host) || settings.ownHosts.includes(host);
}

function errorCodeOf(error: NodeJS.ErrnoException): ErrorCode {
  switch (error.code) {
    case 'ELOOP_OWN':
      return 'loop';
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
