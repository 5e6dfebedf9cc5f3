/**
 * Joins the two sides of an upgraded connection (WebSocket): bytes pass both ways unread, under
 * backpressure, half-closes included.
 */
import type { ByteStream } from '../core/ports.ts';

/** What an upgraded connection carried. */
export interface UpgradeTotals {
  readonly up: number;
  readonly down: number;
  /** The upstream's side closed first: the client heard it to its end. */
  readonly whole: boolean;
}

/** Joins the two streams; `onDone` comes once, when both are closed. */
export function joinStreams(
  client: ByteStream,
  upstream: ByteStream,
  onDone: (totals: UpgradeTotals) => void,
): void {
  let up = 0;
  let down = 0;
  let open = 2;
  let upstreamEnded = false;

  const closed = (): void => {
    open -= 1;
    if (open === 0) onDone({ up, down, whole: upstreamEnded });
  };
  client.read({
    onBytes(bytes) {
      up += bytes.length;
      if (!upstream.write(bytes)) client.pause();
    },
    onEnd: () => upstream.end(),
    onDrain: () => upstream.resume(),
    onClose() {
      upstream.destroy();
      closed();
    },
  });
  upstream.read({
    onBytes(bytes) {
      down += bytes.length;
      if (!client.write(bytes)) upstream.pause();
    },
    onEnd() {
      upstreamEnded = true;
      client.end();
    },
    onDrain: () => client.resume(),
    onClose() {
      // After a proper end the client is still being sent its last bytes.
      if (!upstreamEnded) client.destroy();
      closed();
    },
  });
}
