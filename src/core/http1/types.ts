/**
 * What the HTTP/1.1 codec hands out. The codec is sans-io: bytes are pushed in, events come out of
 * the same call, and nothing is copied but an incomplete head.
 */
import type { Fields, RequestHead, ResponseHead } from '../message.ts';

/** Why bytes are refused. Stable; the edge maps a code to a local error, a transport to a failure. */
export type CodecErrorCode =
  /** Not a valid start line, field, or framing: 400 towards a client, 502 from an upstream. */
  | 'bad_start_line'
  | 'bad_field'
  | 'bad_framing'
  | 'bad_chunk'
  | 'bad_trailer'
  | 'bad_host'
  | 'head_too_large'
  /** A transfer coding other than chunked: 501. */
  | 'coding_unsupported'
  | 'version_unsupported'
  /** The peer ended before the message did. */
  | 'truncated';

/** A refusal: its code, and the RFC section that asks for it where there is one. */
export interface CodecError {
  readonly code: CodecErrorCode;
  readonly detail: string;
}

interface BodyEvents {
  /** See `BodySink`: `wire` as framed, `data` its payload slices or null where all is payload. */
  onBody(wire: Buffer, data: readonly Buffer[] | null): void;
  /** The message is complete. For a chunked one its trailers were already in `wire`. */
  onEnd(trailers: Fields): void;
  /** The bytes are refused; nothing more comes out, whatever is pushed. */
  onError(error: CodecError): void;
}

export interface RequestEvents extends BodyEvents {
  onHead(head: RequestHead): void;
}

export interface ResponseEvents extends BodyEvents {
  /** A 1xx other than 101. */
  onInterim(head: ResponseHead): void;
  onHead(head: ResponseHead): void;
}

/** Reads requests from a client, one message at a time. */
export interface RequestParser {
  /** Takes the next bytes. After a message has ended the rest is kept until `next`. */
  push(bytes: Buffer): void;
  /**
   * The client sent FIN: an incomplete message is an error `truncated`; between messages, nothing.
   * Kept bytes are still read at `next`.
   */
  finish(): void;
  /** Ready for the next message; kept bytes are read at once. Only after `onEnd`, or within it. */
  next(): void;
  /** True between messages, also before `next`, when not a byte of the next one has come. */
  readonly idle: boolean;
  /**
   * Ends parsing (after CONNECT or an upgrade) and gives back what was not consumed, including bytes
   * pushed behind the head in the same piece. Not after an error.
   */
  release(): Buffer;
}

/** Reads answers of an upstream. */
export interface ResponseParser {
  /**
   * Announces the request that the next answer belongs to (RFC 9112 section 6.3 needs its method).
   * Only while `idle`: one answer at a time.
   */
  expect(method: string): void;
  push(bytes: Buffer): void;
  /** The upstream sent FIN: ends a close-delimited body; anything else incomplete is `truncated`. */
  finish(): void;
  /**
   * True when no answer is under way: bytes now would be a protocol error. Within `onEnd` it tells
   * whether the connection may serve again; where bytes came behind the answer it is false, and
   * `onError` follows.
   */
  readonly idle: boolean;
  /**
   * Ends parsing and gives back what was not consumed. Due after 101 and after 2xx to CONNECT: no
   * `onEnd` follows those, and what is pushed is kept for this. Not after an error.
   */
  release(): Buffer;
}
