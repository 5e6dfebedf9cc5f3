/**
 * The edge: takes accepted connections, keeps count of them, and ends them when told to.
 *
 * Everything between a client's socket and the relay's `Inbound` port lies in this room. What a
 * connection turns out to be is decided in `connection.ts`; what a request is, in `admission.ts`.
 */
import type net from 'node:net';
import { CLIENT_CONNECTIONS_MAX } from '../core/limits.ts';
import { answerAndClose } from './closing.ts';
import { serveConnection } from './connection.ts';
import type { EdgeCounts, Role } from './context.ts';
import type { Edge, EdgeOptions } from './types.ts';

export type { Edge, EdgeLog, EdgeOptions, EdgeSettings, EdgeStats, LogFacts } from './types.ts';

/** Makes an edge. */
export function createEdge(options: EdgeOptions): Edge {
  const counts: EdgeCounts = { connections: 0, tunnels: 0, exchanges: 0 };
  const open = new Map<net.Socket, Role | null>();
  let isDraining = false;
  let waiting: Array<() => void> = [];

  const closed = (socket: net.Socket): void => {
    open.delete(socket);
    counts.connections = open.size;
    if (open.size > 0) return;
    for (const resolve of waiting) resolve();
    waiting = [];
  };

  return {
    accept(socket) {
      socket.on('error', () => undefined);
      socket.once('close', () => closed(socket));
      const isFull = open.size >= (options.connectionsMax ?? CLIENT_CONNECTIONS_MAX);
      open.set(socket, null);
      counts.connections = open.size;
      if (isFull) {
        answerAndClose(socket, 'too_many_connections');
        return;
      }
      serveConnection(socket, {
        settings: options.settings(),
        onExchange: options.onExchange,
        log: options.log,
        version: options.version,
        counts,
        become(role) {
          if (!open.has(socket)) return;
          open.set(socket, role);
          if (isDraining) role.drain();
        },
      });
    },
    drain() {
      if (isDraining) return;
      isDraining = true;
      for (const role of open.values()) role?.drain();
    },
    destroy() {
      for (const [socket, role] of open) {
        role?.abandon?.();
        socket.destroy();
      }
    },
    stats: () => ({ ...counts }),
    drained() {
      if (open.size === 0) return Promise.resolve();
      return new Promise((resolve) => waiting.push(resolve));
    },
  };
}
