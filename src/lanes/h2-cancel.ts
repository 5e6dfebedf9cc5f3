/**
 * Lets go of a stream of node:http2 that nobody wants any more (RFC 9113 section 5.4.2), in this turn.
 *
 * What seems to be the way, `close(CANCEL)` and then `destroy()`, has two faults (26.10). Closing ends what the
 * stream sends, as if it were whole. And CANCEL is put off where the session is in the midst of reading:
 * until then a stream that was opened to wait for trailers may still come to its end, finds itself
 * destroyed, and an assertion of node's core ends the process.
 */
import type { ClientHttp2Stream } from 'node:http2';
import { addAbortSignal, Readable } from 'node:stream';

/** An AbortError of node's own class, by which it tells CANCEL: not exported, but an aborted stream has one. */
const ABORTED: Error | null = anAbortError();

/**
 * Resets a stream: with CANCEL, or with INTERNAL_ERROR where it waits for trailers, since that code is
 * never put off.
 */
export function cancelStream(stream: ClientHttp2Stream, waitsForTrailers: boolean): void {
  if (waitsForTrailers || ABORTED === null) stream.destroy(new Error('no longer wanted'));
  else stream.destroy(ABORTED);
}

function anAbortError(): Error | null {
  const stream = new Readable({ read() {} });
  stream.on('error', () => {});
  return addAbortSignal(AbortSignal.abort(), stream).errored;
}
