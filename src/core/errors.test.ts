import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ERROR_HEADER, type ErrorCode, errorRow, localAnswer } from './errors.ts';
import { fieldValue, fieldValues } from './fields.ts';

/** Every code there is: the type makes the list complete. */
const CODES: Readonly<Record<ErrorCode, number>> = {
  bad_request: 400,
  bad_authority: 400,
  bad_host: 400,
  proxy_auth_required: 407,
  foreign_origin: 403,
  foreign_host: 403,
  plain_intercepted: 403,
  blocked_by_policy: 403,
  loop: 508,
  misdirected: 421,
  head_too_large: 431,
  not_implemented: 501,
  version_unsupported: 505,
  request_timeout: 408,
  lane_isolation: 500,
  internal: 500,
  shutting_down: 503,
  too_many_connections: 503,
  upstream_dns: 502,
  upstream_refused: 502,
  upstream_unreachable: 502,
  upstream_no_descriptor: 503,
  upstream_certificate: 502,
  upstream_tls: 502,
  upstream_reset: 502,
  upstream_closed: 502,
  upstream_protocol: 502,
  upstream_not_processed: 502,
  upstream_connect_timeout: 504,
  upstream_head_timeout: 504,
  upstream_idle_timeout: 504,
};
const ALL = Object.keys(CODES) as ErrorCode[];

interface Body {
  readonly type: string;
  readonly error: { readonly type: string; readonly message: string };
  readonly request_id: string | null;
}

describe('a local answer', () => {
  for (const code of ALL) {
    it(`has the status, the code and the shape that are promised for ${code}`, () => {
      const { head, body } = localAnswer(code, 'r-1');
      const value = JSON.parse(body.toString('utf8')) as Body;
      assert.equal(head.status, CODES[code]);
      assert.notEqual(head.reason, 'Error');
      assert.equal(fieldValue(head.fields, ERROR_HEADER), code);
      assert.equal(fieldValue(head.fields, 'content-type'), 'application/json');
      assert.equal(value.type, 'error');
      assert.equal(value.error.type, errorRow(code).type);
      assert.match(value.error.message, new RegExp(`^Lanekeeper: .+ \\[${code}\\]$`));
      assert.equal(value.request_id, 'r-1');
    });
  }

  it('declares the length of its body in bytes', () => {
    const { head, body } = localAnswer('upstream_dns', null, 'é😀');
    assert.deepEqual(head.framing, { kind: 'length', length: body.length });
    assert.deepEqual(fieldValues(head.fields, 'content-length'), [String(body.length)]);
    assert.match(body.toString('utf8'), /\(é😀\) \[upstream_dns\]/);
  });

  it('asks for no retry where another try would only repeat it', () => {
    const final = ALL.filter(
      (code) => fieldValue(localAnswer(code, null).head.fields, 'x-should-retry') === 'false',
    );
    assert.deepEqual(final.sort(), [
      'lane_isolation',
      'loop',
      'not_implemented',
      'upstream_certificate',
      'version_unsupported',
    ]);
  });

  it('carries the further fields it is given, behind its own', () => {
    const extra = [['Proxy-Authenticate', 'Basic realm="lanekeeper"']] as const;
    const { head } = localAnswer('proxy_auth_required', null, '', extra);
    assert.deepEqual(head.fields.at(-1), extra[0]);
  });

  it('uses the error types of the Messages API only, so that an SDK knows them', () => {
    const known = ['invalid_request_error', 'authentication_error', 'permission_error'];
    const more = ['api_error', 'timeout_error', 'overloaded_error'];
    for (const code of ALL) assert([...known, ...more].includes(errorRow(code).type));
  });
});
