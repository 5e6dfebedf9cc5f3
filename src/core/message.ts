/**
 * The shape of an HTTP message inside the program: one for HTTP/1.1 and HTTP/2, made by the codecs,
 * read by everything else.
 *
 * Names and values are strings of one character a byte (latin1), so that what came in goes out as
 * the same bytes. Order, case and repetition of fields are kept; lookups go through `fields.ts`.
 */

/** One field line: name as it was spelt, value without its surrounding white space. */
export type Field = readonly [name: string, value: string];
/** All field lines of a head, in their order. */
export type Fields = readonly Field[];

/**
 * How a body is delimited (RFC 9112 section 6.3).
 *
 * - `none`: there is no body;
 * - `length`: exactly `length` bytes;
 * - `chunked`: the chunked coding; its wire bytes carry sizes and trailers;
 * - `close`: everything until the connection closes (HTTP/1 answers only);
 * - `stream`: delimited outside the bytes, as HTTP/2 does, without a declared length.
 */
export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly length: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'close' }
  | { readonly kind: 'stream' };

export type Version = '1.0' | '1.1' | '2';

export interface RequestHead {
  readonly method: string;
  /** The request target as it came: origin, absolute, authority or asterisk form. */
  readonly target: string;
  readonly version: Version;
  /** With HTTP/2 the `:authority` stands here as a leading `host` field. */
  readonly fields: Fields;
  readonly framing: Framing;
  /** The client lets the connection live on after this exchange. */
  readonly keepAlive: boolean;
  /** The protocol asked for by `Upgrade` and confirmed in `Connection`, else null. */
  readonly upgrade: string | null;
  /** `Expect: 100-continue` was sent and the body waits for it. */
  readonly expectContinue: boolean;
}

export interface ResponseHead {
  readonly status: number;
  /** Empty with HTTP/2, and where the upstream sent none. */
  readonly reason: string;
  readonly version: Version;
  readonly fields: Fields;
  readonly framing: Framing;
  readonly keepAlive: boolean;
}

/**
 * A piece of a body on its way through.
 *
 * `wire` are the bytes as the source framed them; `data` are the payload slices within it, or null
 * where `wire` is all payload (every framing but `chunked`). A sink with the source's own framing
 * passes `wire` on; any other sink frames `data` anew. The last chunk and the trailers of a chunked
 * body arrive as `wire` with empty `data`, so that they too pass through unchanged.
 */
export type BodySink = (wire: Buffer, data: readonly Buffer[] | null) => void;

/** The number of payload bytes in a piece of a body. */
export function payloadLength(wire: Buffer, data: readonly Buffer[] | null): number {
  if (data === null) return wire.length;
  let length = 0;
  for (const slice of data) length += slice.length;
  return length;
}

/** The interim answer to `Expect: 100-continue` (RFC 9110 section 15.2.1). */
export const CONTINUE: ResponseHead = {
  status: 100,
  reason: 'Continue',
  version: '1.1',
  fields: [],
  framing: { kind: 'none' },
  keepAlive: true,
};
