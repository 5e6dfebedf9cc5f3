/**
 * Distance on one machine: a TCP relay that holds every byte back for half a round trip each way. What
 * a round trip costs (a flow-control window, a handshake) can not be seen on loopback without it.
 *
 * It delays and does no more: bytes, their order, FIN and RST pass as they came, a stopped reader stops
 * the writer. It limits no bandwidth and emulates no loss and no slow start, so that what it shows of
 * many fresh TCP connections is kinder than a real network.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { DRILL_DELAY_BYTES_MAX } from '../core/limits.ts';

export interface DelayLine {
  /** It listens here, on 127.0.0.1. */
  readonly port: number;
  /** Cuts all connections. */
  close(): Promise<void>;
}

/** Where it leads, and how far that is. */
export interface Distance {
  readonly host: string;
  readonly port: number;
  /** The round trip, ms; 0 only relays. */
  readonly rttMs: number;
}

/** What has been read, or how reading ended, and when it arrives. */
interface Travelling {
  readonly what: Buffer | 'end' | 'reset';
  readonly due: number;
}

/**
 * Starts one.
 *
 * @param heldMax bytes under way in one direction of one connection, beyond which its writer is stopped
 * @throws Error (rejected) where no port can be bound
 */
export async function startDelayLine(
  { host, port, rttMs }: Distance,
  heldMax = DRILL_DELAY_BYTES_MAX,
): Promise<DelayLine> {
  const sockets = new Set<Socket>();
  const oneWayMs = rttMs / 2;
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  };
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = connect({ host, port, allowHalfOpen: true, noDelay: true });
    keep(near);
    keep(far);
    // Accepted here at once, the connection has had no round trip of its own yet.
    carry(near, far, { oneWayMs, heldMax, opens: performance.now() + rttMs });
    carry(far, near, { oneWayMs, heldMax, opens: 0 });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

interface Line {
  readonly oneWayMs: number;
  readonly heldMax: number;
  /** Nothing sets out before (`performance.now()`). */
  readonly opens: number;
}

/** One direction of a connection. */
function carry(from: Socket, to: Socket, { oneWayMs, heldMax, opens }: Line): void {
  const queue: Travelling[] = [];
  let held = 0;
  let timer: NodeJS.Timeout | null = null;

  const arrive = (): void => {
    timer = null;
    for (let next = queue[0]; next !== undefined; next = queue[0]) {
      const left = next.due - performance.now();
      if (left > 0) {
        timer = setTimeout(arrive, left);
        break;
      }
      // What is full goes on with its drain.
      if (to.writableNeedDrain && next.what !== 'reset') break;
      queue.shift();
      hand(next.what);
    }
    if (held < heldMax) from.resume();
  };
  const hand = (what: Travelling['what']): void => {
    if (what === 'reset') {
      to.resetAndDestroy();
    } else if (what === 'end') {
      to.end();
    } else {
      held -= what.length;
      if (!to.destroyed) to.write(what);
    }
  };
  const setOut = (what: Travelling['what']): void => {
    queue.push({ what, due: Math.max(performance.now(), opens) + oneWayMs });
    if (timer === null && !to.writableNeedDrain) arrive();
  };

  to.on('drain', () => {
    if (timer === null) arrive();
  });
  from.on('data', (bytes: Buffer) => {
    held += bytes.length;
    if (held >= heldMax) from.pause();
    setOut(bytes);
  });
  from.once('end', () => setOut('end'));
  // A reset, or nobody listens: the other side hears of it as late as of anything else.
  from.once('error', () => setOut('reset'));
}
