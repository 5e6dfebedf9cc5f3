/**
 * Blind tunnels (RFC 9110 section 9.3.6): bytes pass both ways unread, under backpressure, each side's
 * end is passed on after what came before it, and no side is reset.
 */
import type net from 'node:net';
import type { Authority } from '../core/authority.ts';
import { DRAIN_TUNNEL_MS, TUNNEL_IDLE_MS_MAX } from '../core/limits.ts';
import { answerAndClose, closeLingering } from './closing.ts';
import type { ConnectionContext } from './context.ts';
import { dial } from './dial.ts';

/** One write without fields: older clients read the fields of this answer as the origin's. */
export const ESTABLISHED: Buffer = Buffer.from(
  'HTTP/1.1 200 Connection Established\r\n\r\n',
  'latin1',
);

/**
 * Dials the target and joins the client with it. What fails before the 200 is answered by a status;
 * what fails after it ends the tunnel.
 *
 * @param client paused, with an `error` listener and without listeners for data
 * @param early what the client sent behind its CONNECT
 */
export function openTunnel(
  client: net.Socket,
  early: Buffer,
  target: Authority,
  context: ConnectionContext,
): void {
  const cancel = dial(target, context.settings, {
    onConnect(upstream) {
      client.removeListener('close', cancel);
      if (client.destroyed) {
        upstream.destroy();
        return;
      }
      client.write(ESTABLISHED);
      if (early.length > 0) upstream.write(early);
      context.counts.tunnels += 1;
      client.once('close', () => {
        context.counts.tunnels -= 1;
      });
      join(client, upstream);
      // Behind the join, whose bound on silence is a longer one: the edge may be draining already.
      context.become({ drain: () => client.setTimeout(DRAIN_TUNNEL_MS) });
    },
    onFail(code, detail) {
      client.removeListener('close', cancel);
      answerAndClose(client, code, detail);
    },
  });
  client.once('close', cancel);
}

/** Joins two paused sockets until both are closed. */
export function join(client: net.Socket, upstream: net.Socket): void {
  pump(client, upstream);
  pump(upstream, client);
  // Bytes of either direction touch both sockets, so one timer watches the two.
  client.setTimeout(TUNNEL_IDLE_MS_MAX);
  client.once('timeout', () => {
    closeLingering(client);
    closeLingering(upstream);
  });
  client.resume();
  upstream.resume();
}

function pump(from: net.Socket, to: net.Socket): void {
  from.on('data', (bytes: Buffer) => {
    if (to.writable && !to.write(bytes)) from.pause();
  });
  to.on('drain', () => from.resume());
  // Its end may have come while the other side was dialled, when nobody listened.
  if (from.readableEnded) to.end();
  else from.on('end', () => to.end());
  from.on('close', () => {
    // Ended by FIN it was passed on already, and the other direction may go on for as long as it is
    // open; failed, nothing can be delivered to it any more.
    if (!from.readableEnded || !from.writableFinished) closeLingering(to);
  });
}
