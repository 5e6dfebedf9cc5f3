/**
 * For tests: runs a parser over pieces of bytes and tells what it read, in a form that does not
 * depend on how the bytes were split.
 */
import assert from 'node:assert/strict';
import type { Fields, RequestHead, ResponseHead } from '../../message.ts';
import { createRequestParser } from '../request-parser.ts';
import { createResponseParser } from '../response-parser.ts';
import type { CodecErrorCode } from '../types.ts';

/** One message as it was read. Bytes are strings of one character a byte. */
export interface TracedMessage<Head> {
  readonly head: Head;
  /** The body as it was framed. */
  wire: string;
  /** The payload. */
  data: string;
  trailers: Fields;
  ended: boolean;
}

/** What a parser read. */
export interface Trace<Head> {
  readonly messages: TracedMessage<Head>[];
  readonly interims: Head[];
  error: CodecErrorCode | null;
  /** The connection became a tunnel: after CONNECT, or 101. */
  isSwitched: boolean;
  /** The last request closes the connection, or asks for another protocol. */
  isLetGo: boolean;
  /** What `release` gave back then, or behind a request that closes the connection. */
  rest: string;
}

/**
 * Reads requests as a server does: one after another, until one closes the connection or asks for
 * another protocol.
 *
 * @param inside whether `next` is called from within `onEnd`, or after the push
 */
export function traceRequests(pieces: readonly Buffer[], inside = true): Trace<RequestHead> {
  const trace: Trace<RequestHead> = createTrace();
  const body = createBodyRecorder(trace);
  let isWaiting = false;
  const parser = createRequestParser({
    onHead: (head) => body.onHead(head),
    onBody: body.onBody,
    onEnd: (trailers) => {
      body.onEnd(trailers);
      const head = trace.messages.at(-1)?.head;
      trace.isSwitched = head?.method === 'CONNECT';
      trace.isLetGo = head?.keepAlive !== true || head.upgrade !== null;
      if (trace.isSwitched || trace.isLetGo) return;
      if (inside) parser.next();
      else isWaiting = true;
    },
    onError: body.onError,
  });
  const goOn = (): void => {
    while (isWaiting) {
      isWaiting = false;
      parser.next();
    }
  };
  for (const piece of pieces) {
    body.onPush();
    parser.push(piece);
    goOn();
  }
  parser.finish();
  goOn();
  if (trace.isSwitched || trace.isLetGo) trace.rest = parser.release().toString('latin1');
  return trace;
}

/** Reads one answer as a client does, up to the end of the connection. */
export function traceResponse(method: string, pieces: readonly Buffer[]): Trace<ResponseHead> {
  const trace: Trace<ResponseHead> = createTrace();
  const body = createBodyRecorder(trace);
  const parser = createResponseParser({
    onInterim: (head) => trace.interims.push(head),
    onHead: (head) => {
      body.onHead(head);
      trace.isSwitched = head.status === 101 || (method === 'CONNECT' && head.status < 300);
    },
    onBody: body.onBody,
    onEnd: body.onEnd,
    onError: body.onError,
  });
  parser.expect(method);
  for (const piece of pieces) {
    body.onPush();
    parser.push(piece);
  }
  parser.finish();
  if (trace.isSwitched) trace.rest = parser.release().toString('latin1');
  return trace;
}

/** Cuts bytes into pieces at the given positions. */
export function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  let from = 0;
  for (const cut of [...cuts, bytes.length].sort((a, b) => a - b)) {
    if (cut <= from || cut > bytes.length) continue;
    // A copy: a parser that reads beyond its piece must not find the right bytes there.
    pieces.push(Buffer.from(bytes.subarray(from, cut)));
    from = cut;
  }
  return pieces;
}

/** Bytes of a string of one character a byte. */
export function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

function createTrace<Head>(): Trace<Head> {
  return { messages: [], interims: [], error: null, isSwitched: false, isLetGo: false, rest: '' };
}

function createBodyRecorder<Head>(trace: Trace<Head>) {
  let piecesOfPush = 0;
  let isOver = false;
  const current = (): TracedMessage<Head> => {
    const message = trace.messages.at(-1);
    assert(message !== undefined && !message.ended && !isOver, 'an event outside a message');
    return message;
  };
  return {
    onPush: (): void => {
      piecesOfPush = 0;
    },
    onHead: (head: Head): void => {
      assert(!isOver, 'a head after an error');
      piecesOfPush = 0;
      trace.messages.push({ head, wire: '', data: '', trailers: [], ended: false });
    },
    onBody: (wire: Buffer, data: readonly Buffer[] | null): void => {
      const message = current();
      piecesOfPush += 1;
      assert(wire.length > 0 && piecesOfPush === 1, 'one piece of a body for one push');
      for (const slice of data ?? []) assertWithin(slice, wire);
      message.wire += wire.toString('latin1');
      message.data += (data === null ? wire : Buffer.concat(data)).toString('latin1');
    },
    onEnd: (trailers: Fields): void => {
      const message = current();
      message.trailers = trailers;
      message.ended = true;
    },
    onError: (error: { readonly code: CodecErrorCode; readonly detail: string }): void => {
      assert(!isOver, 'a second error');
      isOver = true;
      trace.error = error.code;
    },
  };
}

/** The slice lies in the memory of the whole: nothing was copied. */
function assertWithin(slice: Buffer, whole: Buffer): void {
  assert(slice.length > 0, 'an empty slice');
  assert.equal(slice.buffer, whole.buffer);
  assert(slice.byteOffset >= whole.byteOffset);
  assert(slice.byteOffset + slice.length <= whole.byteOffset + whole.length);
}
