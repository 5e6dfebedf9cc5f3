/**
 * Errors of sockets and TLS as the stable codes of `UpstreamFailure`. A detail names codes and the
 * system's own words, bounded; nothing of a request is ever in it.
 */
import { FAILURE_DETAIL_CHARS_MAX } from '../core/limits.ts';
import type { UpstreamFailure } from '../core/ports.ts';

export type FailureCode = UpstreamFailure['code'];

/** A failure before any exchange had a connection. */
export interface DialFailure {
  readonly code: FailureCode;
  readonly phase: 'connect' | 'tls';
  readonly detail: string;
}

const BY_ERRNO: Readonly<Record<string, FailureCode>> = {
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
  EAI_FAIL: 'dns',
  EAI_NODATA: 'dns',
  EAI_NONAME: 'dns',
  ENODATA: 'dns',
  ECONNREFUSED: 'refused',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EHOSTDOWN: 'unreachable',
  ENETDOWN: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
  EMFILE: 'no_descriptor',
  ENFILE: 'no_descriptor',
  ENOBUFS: 'no_descriptor',
  ECONNRESET: 'reset',
  ECONNABORTED: 'reset',
  EPIPE: 'reset',
};

/** The code of an error, or an empty string. */
export function errorCode(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

/** Bounded words about an error for people: its code and message, without control characters. */
export function errorDetail(error: unknown): string {
  const code = errorCode(error);
  const message = error instanceof Error ? error.message : '';
  const text = message.includes(code) ? message : `${code}: ${message}`;
  return text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, FAILURE_DETAIL_CHARS_MAX);
}

/** Why a connection could not be made. */
export function connectFailure(error: unknown): DialFailure {
  const errno = errorCode(error);
  const code = errno === 'ETIMEDOUT' ? 'connect_timeout' : (BY_ERRNO[errno] ?? 'unreachable');
  return { code, phase: 'connect', detail: errorDetail(error) };
}

/** Why a TLS handshake failed; `untrusted` when it was the certificate that was refused. */
export function tlsFailure(error: unknown, untrusted: boolean): DialFailure {
  const code = untrusted ? 'certificate' : (BY_ERRNO[errorCode(error)] ?? 'tls');
  return { code, phase: 'tls', detail: errorDetail(error) };
}

/** Why an established connection broke. */
export function brokenConnection(error: unknown): FailureCode {
  const errno = errorCode(error);
  if (errno.startsWith('ERR_SSL') || errno === 'EPROTO') return 'tls';
  // GOAWAY with an error ends a session as a reset does; other HTTP/2 errors are the bytes' fault.
  if (errno === 'ERR_HTTP2_SESSION_ERROR') return 'reset';
  if (errno.startsWith('ERR_HTTP2')) return 'protocol';
  const code = BY_ERRNO[errno];
  return code === 'unreachable' ? code : 'reset';
}
