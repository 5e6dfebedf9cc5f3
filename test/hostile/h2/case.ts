/**
 * A case of hostile or odd HTTP/2 as data: what is sent, and which reactions RFC 9113 or RFC 7541 allow.
 *
 * A reaction is one word or two: `GOAWAY code` (connection error, section 5.4.1), `RST_STREAM code` (stream
 * error, section 5.4.2), `closed` (the connection without a GOAWAY, which section 5.4.1 allows, or one whose
 * GOAWAY was lost to the reset of TCP), a status, or `alive` (the connection goes on as if nothing had been).
 */
import { block, type Line } from './hpack.ts';
import { connectPeer, type Door, type RawPeer } from './peer.ts';

/** What a case needs to know of the server to make requests that would pass. */
export interface Requests {
  /** A GET of this case's own target. */
  get(...more: readonly Line[]): Buffer;
  post(...more: readonly Line[]): Buffer;
  /** Exactly these lines behind, or instead of, the four pseudo-fields. */
  lines(method: string): Line[];
  readonly authority: string;
  readonly path: string;
  readonly scheme: string;
}

export interface Case {
  /** Unique; also the last segment of the target of its requests. */
  readonly id: string;
  /** Where the RFC rules it: `9113 5.1`, `7541 4.2`. */
  readonly rule: string;
  readonly what: string;
  /** The first bytes of the connection are the case's own. */
  readonly bare?: true;
  /** SETTINGS of the handshake. */
  readonly settings?: readonly (readonly [number, number])[];
  /** Requests on stream 1 whose answer is waited for before the rest is sent. */
  readonly first?: (requests: Requests) => readonly Buffer[];
  readonly send: (requests: Requests) => readonly Buffer[];
  /** What is watched: the connection, or a stream. Instead of it: what is done, and what was seen. */
  readonly watch: 'alive' | number | ((peer: RawPeer, requests: Requests) => Promise<string>);
  /** Reactions that the RFC allows. */
  readonly allows: readonly string[];
  /** What the program does; the first of `allows` unless told otherwise. */
  readonly ours?: string;
  /** The same inside a tunnel to an intercepted host, where it differs. */
  readonly oursInTunnel?: string;
  /** Ours is not among `allows`, and can not be made so here: why, and what it does not do. */
  readonly deviates?: string;
  /** Why ours is what it is, where that needs saying. */
  readonly note?: string;
  /** Whole requests of this case that may reach the upstream; by default one where it is answered with 200. */
  readonly reaches?: number;
}

/** A connection error (section 5.4.1). */
export function connectionError(...codes: readonly string[]): string[] {
  return [...codes.map((code) => `GOAWAY ${code}`), 'closed'];
}

/** A stream error, which may be treated as one of the connection (section 5.4.2). */
export function streamError(...codes: readonly string[]): string[] {
  return [...codes.map((code) => `RST_STREAM ${code}`), ...connectionError(...codes)];
}

/** A malformed request (section 8.1.1): a stream error, before which the server may answer. */
export function malformed(): string[] {
  return [...streamError('PROTOCOL_ERROR'), '400', '403', '405', '421', '431', '501'];
}

/** What the program does about this case, on its plain port or inside a tunnel. */
export function oursOf({ allows, ours, oursInTunnel }: Case, isInTunnel = false): string {
  return (isInTunnel ? oursInTunnel : undefined) ?? ours ?? allows[0] ?? '';
}

/** True where it is the expected reaction; a GOAWAY may be lost when TCP resets behind it. */
export function isReaction(seen: string, expected: string): boolean {
  return seen === expected || (expected.startsWith('GOAWAY') && seen === 'closed');
}

/** Whole requests of this case that may reach the upstream. */
export function reachesOf(one: Case): number {
  return one.reaches ?? (oursOf(one) === '200' ? 1 : 0);
}

/** The request makers of a case against a door. */
export function requestsOf(id: string, door: Door): Requests {
  const scheme = door.tls === undefined ? 'http' : 'https';
  const authority = door.tls?.servername ?? `${door.host}:${door.port}`;
  const path = `/case/${id}`;
  const lines = (method: string): Line[] => [
    [':method', method],
    [':scheme', scheme],
    [':path', path],
    [':authority', authority],
  ];
  return {
    authority,
    path,
    scheme,
    lines,
    get: (...more) => block([...lines('GET'), ...more]),
    post: (...more) => block([...lines('POST'), ...more]),
  };
}

/** Plays a case against a door and says what was seen. */
export async function play(one: Case, door: Door): Promise<string> {
  const requests = requestsOf(one.id, door);
  const peer = await connectPeer(door);
  try {
    if (one.bare !== true) await peer.handshake(...(one.settings ?? []));
    if (one.first !== undefined) {
      peer.send(...one.first(requests));
      await peer.until(() => peer.isEnded(1) || peer.resetOf(1) !== null);
    }
    peer.send(...one.send(requests));
    if (typeof one.watch === 'function') return await one.watch(peer, requests);
    return await peer.outcome(one.watch);
  } finally {
    peer.destroy();
  }
}
