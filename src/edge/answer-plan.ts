/**
 * How an answer is written to an HTTP/1 client: which fields its head has and how its body is framed.
 * Pure; RFC 9112 section 6 from the sender's side, RFC 9110 section 7.6.1 for what is dropped.
 *
 * Where the client can read the framing the upstream used, fields and body bytes stay as they came.
 */
import { endToEnd, isFraming } from '../core/fields.ts';
import { encodeResponseHead } from '../core/http1/write.ts';
import type { Field, RequestHead, ResponseHead } from '../core/message.ts';

/** Not imported as a module: that would bring all of fetch along, 40 ms at each start (measured). */
const { STATUS_CODES } = process.getBuiltinModule('node:http');

/**
 * How body pieces become bytes.
 *
 * - `none`: nothing is written, whatever comes;
 * - `wire`: as the source framed them;
 * - `payload`: the payload alone, ended by the declared length or the close of the connection;
 * - `chunk`: the payload, in chunks of our own.
 */
export type BodyMode = 'none' | 'wire' | 'payload' | 'chunk';

export interface AnswerPlan {
  readonly fields: Field[];
  readonly mode: BodyMode;
  /** The end of the body is the end of the connection. */
  readonly endsByClose: boolean;
  /** The payload length that the head promises; null where it promises none. */
  readonly length: number | null;
}

/** Plans the answer to a request. The `Connection` field is added by `encodeAnswer`. */
export function planAnswer(request: RequestHead, head: ResponseHead): AnswerPlan {
  const fields = endToEnd(head.fields);
  const { framing } = head;
  if (request.method === 'HEAD' || head.status === 204 || head.status === 304) {
    const isLengthOnly = head.status === 204 || request.version === '1.0';
    return {
      fields: isLengthOnly ? fields.filter((field) => !isTransferEncoding(field)) : fields,
      mode: 'none',
      endsByClose: false,
      length: null,
    };
  }
  switch (framing.kind) {
    case 'none':
      return sized(fields, 0, 'none');
    case 'length':
      return sized(fields, framing.length, 'payload');
    case 'close':
      return untilClose(fields, 'wire');
    case 'chunked':
      if (request.version === '1.0') return untilClose(fields, 'payload');
      return chunked(fields, 'wire');
    case 'stream':
      if (request.version === '1.0') return untilClose(fields, 'payload');
      // Never both ways of saying a length (RFC 9112 section 6.2).
      return chunked(
        fields.filter((field) => !isContentLength(field)),
        'chunk',
      );
  }
}

/**
 * The bytes of the head.
 *
 * @param closes the connection ends after this answer
 */
export function encodeAnswer(
  request: RequestHead,
  head: ResponseHead,
  plan: AnswerPlan,
  closes: boolean,
): Buffer {
  // RFC 9112 section 9.3: to an HTTP/1.0 client persistence is said, to an HTTP/1.1 client its end.
  if (closes) plan.fields.push(['Connection', 'close']);
  else if (request.version === '1.0') plan.fields.push(['Connection', 'keep-alive']);
  return encodeResponseHead(head.status, reasonOf(head), plan.fields);
}

/** HTTP/2 has no reasons; what came over HTTP/1 stays as it was, empty too. */
export function reasonOf(head: ResponseHead): string {
  if (head.reason !== '' || head.version !== '2') return head.reason;
  return STATUS_CODES[head.status] ?? '';
}

/** A body of known length; the field stays where it stood. */
function sized(fields: Field[], length: number, mode: BodyMode): AnswerPlan {
  if (!fields.some(isContentLength)) fields.push(['Content-Length', String(length)]);
  return { fields, mode, endsByClose: false, length };
}

function chunked(fields: Field[], mode: BodyMode): AnswerPlan {
  if (!fields.some(isTransferEncoding)) fields.push(['Transfer-Encoding', 'chunked']);
  return { fields, mode, endsByClose: false, length: null };
}

function untilClose(fields: Field[], mode: BodyMode): AnswerPlan {
  const kept = fields.filter((field) => !isFraming(field[0].toLowerCase()));
  return { fields: kept, mode, endsByClose: true, length: null };
}

function isTransferEncoding(field: Field): boolean {
  return field[0].length === 17 && field[0].toLowerCase() === 'transfer-encoding';
}

function isContentLength(field: Field): boolean {
  return field[0].length === 14 && field[0].toLowerCase() === 'content-length';
}
