/**
 * What flow control (RFC 9113 section 5.2) does to a request body: a session and each of its streams
 * let out a window of bytes, and then wait a round trip for more. A body beyond the window takes as
 * many round trips as it has windows, and bodies that share a session share its window.
 */
import { HELD_BODY_BYTES_MAX } from '../core/limits.ts';
import type { PreparedRequest } from './lane.ts';

/** The window of a session, and of a stream until SETTINGS say otherwise (RFC 9113 section 6.9.2). */
export const INITIAL_WINDOW_BYTES = 65_535;

/** Body bytes that a request will send; one whose length is not known counts as the largest. */
export function bodyBytesOf({ framing, body }: PreparedRequest): number {
  if (body !== null) return body.reduce((total, piece) => total + piece.length, 0);
  if (framing.kind === 'none') return 0;
  return framing.kind === 'length' ? framing.length : HELD_BODY_BYTES_MAX;
}
