/**
 * The errors that Lanekeeper itself answers with: one table of stable codes, and the answer made
 * from a row, in the Messages API's error shape so that an SDK reads it as it reads the API's own.
 *
 * Texts may change; codes, statuses and the header name are part of the contract with users.
 */
import type { Field, ResponseHead } from './message.ts';

/** The header that every local answer carries; its value is the code. */
export const ERROR_HEADER = 'x-lanekeeper-error';

interface Row {
  readonly status: number;
  /** `error.type` of the Messages API. */
  readonly type: string;
  /** What happened and the mend, for people. */
  readonly message: string;
}

const TABLE = {
  bad_request: [400, 'invalid_request_error', 'the request is not valid HTTP'],
  bad_authority: [
    400,
    'invalid_request_error',
    'the CONNECT target must be host:port, with the port',
  ],
  bad_host: [400, 'invalid_request_error', 'the request needs exactly one valid Host field'],
  proxy_auth_required: [
    407,
    'authentication_error',
    'this proxy needs its token: take the address that `lanekeeper env` prints',
  ],
  foreign_origin: [403, 'permission_error', 'requests of web pages are refused'],
  foreign_host: [
    403,
    'permission_error',
    'gateway mode answers to loopback names only: use http://127.0.0.1:PORT',
  ],
  plain_intercepted: [
    403,
    'permission_error',
    'this host is intercepted and reached over https only',
  ],
  blocked_by_policy: [403, 'permission_error', 'this destination is refused by policy'],
  loop: [508, 'api_error', 'the request points back at the proxy itself'],
  misdirected: [
    421,
    'invalid_request_error',
    'the Host of the request is not the host of the tunnel',
  ],
  head_too_large: [431, 'invalid_request_error', 'the head of the request is larger than 64 KiB'],
  not_implemented: [
    501,
    'invalid_request_error',
    'the request uses a transfer coding other than chunked',
  ],
  version_unsupported: [505, 'invalid_request_error', 'the HTTP version is not supported'],
  request_timeout: [408, 'timeout_error', 'the request did not arrive in time'],
  lane_isolation: [
    500,
    'api_error',
    'refused: the request would have carried a credential of another lane',
  ],
  internal: [500, 'api_error', 'an internal fault; nothing was sent'],
  shutting_down: [503, 'overloaded_error', 'the proxy is shutting down'],
  too_many_connections: [503, 'overloaded_error', 'too many connections are open'],
  upstream_dns: [502, 'api_error', 'the name of the upstream could not be resolved'],
  upstream_refused: [502, 'api_error', 'the upstream refused the connection'],
  upstream_unreachable: [502, 'api_error', 'the upstream could not be reached'],
  upstream_no_descriptor: [
    503,
    'overloaded_error',
    'no file descriptor is left for a connection to the upstream: raise the limit (ulimit -n)',
  ],
  upstream_certificate: [
    502,
    'api_error',
    'the certificate of the upstream could not be verified, and nothing was sent: look at the clock; ' +
      "a company's own root is named by `ca` of the lane",
  ],
  upstream_tls: [502, 'api_error', 'the TLS handshake with the upstream failed'],
  upstream_reset: [502, 'api_error', 'the upstream reset the connection before it answered'],
  upstream_closed: [502, 'api_error', 'the upstream closed the connection before it answered'],
  upstream_protocol: [502, 'api_error', 'the upstream did not answer with valid HTTP'],
  upstream_not_processed: [
    502,
    'api_error',
    'the upstream refused the stream before it was processed',
  ],
  upstream_connect_timeout: [
    504,
    'timeout_error',
    'the upstream did not accept the connection in time',
  ],
  upstream_head_timeout: [504, 'timeout_error', 'the upstream did not begin to answer in time'],
  upstream_idle_timeout: [504, 'timeout_error', 'the upstream fell silent'],
} as const satisfies Record<string, readonly [number, string, string]>;

/** A stable code of a local error. */
export type ErrorCode = keyof typeof TABLE;

/**
 * What another try would only repeat. The SDKs try again on any 5xx, and Claude Code does for minutes
 * before it shows the reason; without a proxy it gives up at once where a certificate is wrong.
 */
const FINAL: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'lane_isolation',
  'loop',
  'not_implemented',
  'upstream_certificate',
  'version_unsupported',
]);

/** Status, type and text of a code. */
export function errorRow(code: ErrorCode): Row {
  const [status, type, message] = TABLE[code];
  return { status, type, message };
}

/** A whole local answer, ready to be sent. */
export interface LocalAnswer {
  readonly head: ResponseHead;
  readonly body: Buffer;
}

/**
 * The answer for a code.
 *
 * @param rid id of the exchange, shown as `request_id` so that the answer can be found in the ledger
 * @param detail an addition for people; must not hold a header value or a credential
 * @param extra further fields, such as `Proxy-Authenticate`
 */
export function localAnswer(
  code: ErrorCode,
  rid: string | null,
  detail = '',
  extra: readonly Field[] = [],
): LocalAnswer {
  const row = errorRow(code);
  const message = `Lanekeeper: ${row.message}${detail === '' ? '' : ` (${detail})`} [${code}]`;
  const body = Buffer.from(
    `${JSON.stringify({ type: 'error', error: { type: row.type, message }, request_id: rid })}\n`,
  );
  const fields: Field[] = [
    ['content-type', 'application/json'],
    ['content-length', String(body.length)],
    [ERROR_HEADER, code],
    ...(FINAL.has(code) ? [['x-should-retry', 'false'] as const] : []),
    ...extra,
  ];
  return {
    head: {
      status: row.status,
      reason: REASONS[row.status] ?? 'Error',
      version: '1.1',
      fields,
      framing: { kind: 'length', length: body.length },
      keepAlive: true,
    },
    body,
  };
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  403: 'Forbidden',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  421: 'Misdirected Request',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
  508: 'Loop Detected',
};
