/**
 * What every part of one client connection shares: its settings, and the way to the edge.
 */
import type { EdgeOptions, EdgeSettings } from './types.ts';

/** What a connection is at the moment: it changes from sniffing to a server, a tunnel, TLS. */
export interface Role {
  /** The edge drains. Called once for a role: when draining begins, or when the role begins later. */
  drain(): void;
  /** Closes at once, so that no client takes the end of the connection for that of its answer. */
  abandon?(): void;
}

/** Running totals of the edge; every part counts what it opens and closes. */
export interface EdgeCounts {
  connections: number;
  tunnels: number;
  exchanges: number;
}

export interface ConnectionContext extends Pick<EdgeOptions, 'onExchange' | 'log' | 'version'> {
  readonly settings: EdgeSettings;
  readonly counts: EdgeCounts;
  /** Makes this the connection's role from now on. */
  become(role: Role): void;
}
