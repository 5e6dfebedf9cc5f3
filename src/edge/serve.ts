/**
 * Carries out a verdict: hands a request on, or answers it here. The same for HTTP/1 and HTTP/2.
 */
import { type ErrorCode, localAnswer } from '../core/errors.ts';
import type { Field, ResponseHead } from '../core/message.ts';
import type { Inbound, InboundEvents } from '../core/ports.ts';
import type { Verdict } from './admission.ts';
import type { ConnectionContext } from './context.ts';
import { forward } from './forward.ts';
import { VERSION_FIELD } from './guards.ts';

/** Verdicts that leave the connection to HTTP. */
export type HttpVerdict = Exclude<Verdict, { act: 'tunnel' }>;

/** Hands the request to the relay, forwards it to its own host, or answers it. */
export function serve(inbound: Inbound, verdict: HttpVerdict, context: ConnectionContext): void {
  switch (verdict.act) {
    case 'exchange':
      context.onExchange(inbound);
      return;
    case 'forward':
      forward(inbound, verdict.target, context);
      return;
    case 'probe':
      inbound.read(DISCARD);
      inbound.respond(probeAnswer(context.version));
      inbound.end([]);
      return;
    case 'refuse':
      inbound.read(DISCARD);
      answerLocally(inbound, verdict.code, verdict.detail, verdict.extra);
  }
}

/** Answers with a local error; `inbound.read` was called. */
export function answerLocally(
  inbound: Inbound,
  code: ErrorCode,
  detail = '',
  extra: readonly Field[] = [],
): void {
  const { head, body } = localAnswer(code, null, detail, extra);
  inbound.respond(head);
  inbound.write(body, null);
  inbound.end([]);
}

/** The answer to `Max-Forwards: 0`: `doctor` proves by it that a client trusts the CA. */
function probeAnswer(version: string): ResponseHead {
  return {
    status: 204,
    reason: 'No Content',
    version: '1.1',
    fields: [[VERSION_FIELD, version]],
    framing: { kind: 'none' },
    keepAlive: true,
  };
}

const DISCARD: InboundEvents = {
  onBody() {},
  onEnd() {},
  onDrain() {},
  onClose() {},
};
