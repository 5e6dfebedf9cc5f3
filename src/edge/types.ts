/**
 * What the edge is given and what it gives back. The edge owns no listening socket: connections are
 * handed to it, so that whoever listens (a server, a supervisor) can change without it.
 */
import type net from 'node:net';
import type tls from 'node:tls';
import type { TunnelPolicy } from '../core/destination.ts';
import type { Inbound } from '../core/ports.ts';
import type { Secret } from '../core/secret.ts';

/** What is configured, as one connection sees it for its whole life. */
export interface EdgeSettings {
  /** Holds the leaf certificate for every intercepted host. */
  readonly secureContext: tls.SecureContext;
  /** Hosts whose port 443 is intercepted, in lower case. */
  readonly interceptHosts: ReadonlySet<string>;
  /** What a client must present; null where only loopback can reach us. */
  readonly token: Secret | null;
  /** Port that clients connect to. */
  readonly ownPort: number;
  /** Further names and addresses, beside loopback, under which we listen. */
  readonly ownHosts: readonly string[];
  /** Where tunnels and forwarded requests may lead. */
  readonly tunnels: TunnelPolicy;
}

/** Facts of a log line. Never the value of a header field. */
export type LogFacts = Readonly<Record<string, string | number | boolean | null>>;

/** Where the edge says what a user would want to know; stable event names, text in the facts. */
export interface EdgeLog {
  warn(event: string, facts: LogFacts): void;
}

export interface EdgeOptions {
  /** Read once for each new connection, so that a reload applies to new ones only. */
  settings(): EdgeSettings;
  /** Takes an intercepted or gateway request. Must call `inbound.read` before it returns. */
  onExchange(inbound: Inbound): void;
  readonly log: EdgeLog;
  /** Clients' connections at once, default `CLIENT_CONNECTIONS_MAX`. */
  readonly connectionsMax?: number;
  /** Version of the program, as the answer to `Max-Forwards: 0` tells it. */
  readonly version: string;
}

/** How much is open right now. */
export interface EdgeStats {
  /** Accepted sockets, tunnels included. */
  readonly connections: number;
  /** Blind tunnels. */
  readonly tunnels: number;
  /** Requests whose answer is not complete. */
  readonly exchanges: number;
}

export interface Edge {
  /**
   * Takes over an accepted connection. The server must create its sockets with `allowHalfOpen: true`:
   * a client may end its side and still wait for an answer, or for the rest of a tunnel.
   */
  accept(socket: net.Socket): void;
  /**
   * Begins to end: every following answer says `Connection: close` (GOAWAY on HTTP/2), connections
   * that stay idle for `DRAIN_IDLE_MS` close, quiet tunnels close, open exchanges finish.
   */
  drain(): void;
  /** Closes everything at once. */
  destroy(): void;
  stats(): EdgeStats;
  /** Resolves when no connection is open; at once where none is. */
  drained(): Promise<void>;
}
