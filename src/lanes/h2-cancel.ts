/**
 * Lets go of a stream of node:http2 as a client that does not want it any more (RFC 9113 section 7, CANCEL).
 *
 * Not `close(CANCEL)` and then `destroy()`: closing ends what the stream sends, as if it were whole, and where
 * that happens in the midst of what the session reads, with trailers to come, node's core fails an assertion
 * and ends the process (26.10). A stream that is destroyed by an AbortError sends RST_STREAM CANCEL at once
 * and ends nothing. It must be one of node's own class, which is not exported: a stream that was aborted has
 * one.
 */
import type { ClientHttp2Stream } from 'node:http2';
import { addAbortSignal, Readable } from 'node:stream';

const ABORTED: Error | null = anAbortError();

/** Resets a stream and forgets it, both in this turn. */
export function cancelStream(stream: ClientHttp2Stream): void {
  stream.destroy(ABORTED ?? undefined);
}

function anAbortError(): Error | null {
  const stream = new Readable({ read() {} });
  stream.on('error', () => {});
  return addAbortSignal(AbortSignal.abort(), stream).errored;
}
