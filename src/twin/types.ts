/**
 * What the rooms of the twin agree on: a request as a persona sees it, the script it answers with,
 * and what a test can read back afterwards.
 */

import type { FaultReport } from './faults.ts';
import type { FaultKind, FaultPlan } from './plan-schema.ts';

/** One field line: name as it was spelt (lower case with HTTP/2), value. */
export type Field = readonly [name: string, value: string];

export type PersonaName = 'anthropic' | 'zai';

/** A whole request, as a persona reads it. */
export interface TwinRequest {
  readonly method: string;
  /** Path and query as they came. */
  readonly target: string;
  /** The path alone, without the persona's base path; null where the target lies outside of it. */
  readonly path: string | null;
  readonly fields: readonly Field[];
  readonly body: Buffer;
  /**
   * How the payload shall travel, over what its directives ask for: `plain` is one event a piece
   * without a content coding, `gzip` one event a piece under gzip.
   */
  readonly travel?: 'plain' | 'gzip';
}

/** How an answer is broken off. */
export type BreakOff =
  /** RST of the connection (HTTP/1.1), RST_STREAM with INTERNAL_ERROR (HTTP/2). */
  | { readonly how: 'reset' }
  /** FIN of the connection, the message unfinished. */
  | { readonly how: 'fin' }
  /** HTTP/2: RST_STREAM with REFUSED_STREAM. */
  | { readonly how: 'refused_stream' }
  /** HTTP/2: GOAWAY that counts the request as not processed, then FIN. */
  | { readonly how: 'goaway' }
  /** RST of every connection, and nobody listens for that long. */
  | { readonly how: 'outage'; readonly ms: number };

/**
 * One step of an answer. Steps are the only way to answer, so a fault is a step more, or one
 * changed, between a persona and `deliver`.
 */
export type Step =
  /** The status line and fields; exactly one, before any bytes. */
  | {
      readonly kind: 'head';
      readonly status: number;
      readonly fields: readonly Field[];
      /** The answer may break off: HTTP/2 must not end its stream first. */
      readonly mayBreak?: boolean;
    }
  /** A piece of the payload, written by itself. */
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  /** Silence; null: until the client leaves. */
  | { readonly kind: 'pause'; readonly ms: number | null }
  /** The answer ends here, improperly; nothing follows. */
  | ({ readonly kind: 'break' } & BreakOff)
  /** HTTP/2: GOAWAY that covers this request; the connection ends with its last answer. */
  | { readonly kind: 'farewell' };

/** An answer as it will be written; it ends properly after its last step. */
export type Script = Iterable<Step> | AsyncIterable<Step>;

/** Answers one request. Never throws for what a client sent. */
export type Persona = (request: TwinRequest) => Script;

/** A request that reached the twin, and what became of it. Kept in memory only. */
export interface ReceivedRequest {
  /** Counts up from 1 within an endpoint. */
  readonly id: number;
  /** Unix milliseconds of the arrival of the head. */
  readonly at: number;
  readonly protocol: 'h1' | 'h2';
  readonly method: string;
  /** Path and query as they came, base path included. */
  readonly path: string;
  /** Fields in their order and, with HTTP/1.1, their case; with HTTP/2 pseudo-fields come first. */
  readonly rawHeaders: readonly Field[];
  /** The payload; empty until all of it has come. */
  readonly body: Buffer;
  /** The body arrived to its end. */
  readonly whole: boolean;
  /** Which connection (HTTP/1.1 socket or HTTP/2 session) it came by; counts up from 1. */
  readonly connection: number;
  /** The client went away before the answer was handed over to its last byte. */
  readonly aborted: boolean;
  /** How the twin broke its answer off, which is then neither ended nor aborted; null if it did not. */
  readonly broken: BreakOff['how'] | null;
  /** The kind of the fault that befell it, or null. */
  readonly fault: FaultKind | null;
  readonly answer: {
    /** 0 until the head was sent. */
    readonly status: number;
    /** The persona's own id of the request; the same bytes have the same. Null until the head was sent. */
    readonly requestId: string | null;
    /** Payload bytes written so far (encoded, where there is a content coding). */
    readonly bytes: number;
    /** Hex SHA-256 of these payload bytes. */
    readonly sha256: string;
    /** The answer was handed to the system whole. */
    readonly ended: boolean;
    /**
     * Hex SHA-256 of the first so many payload bytes of an answer that did not end. Null where they
     * were not sent, or are not kept: only those of an answer that a fault befell are, up to
     * TWIN_BROKEN_BYTES_MAX.
     */
    prefixSha256(bytes: number): string | null;
  };
}

/** One simulated upstream. */
export interface TwinEndpoint {
  readonly host: string;
  readonly port: number;
  /** `https://127.0.0.1:PORT`, without the base path. */
  readonly origin: string;
  /** Empty for anthropic, `/api/anthropic` for zai. */
  readonly basePath: string;
  /** PEM of the certificate authority to trust. */
  readonly ca: string;
  /** The only key that is accepted; null where any non-empty credential is. */
  readonly key: string | null;
  /** The requests kept, oldest first, from the arrival of their heads on. */
  requests(): readonly ReceivedRequest[];
  /** Forgets the requests kept. */
  clear(): void;
  /** Connections open now. */
  connections(): number;
  /**
   * Resolves with the first kept request, present or future, that satisfies the predicate. Asked
   * only of requests that came whole or were aborted, and asked again whenever one changes.
   *
   * @throws Error after `ms` milliseconds without one
   */
  waitFor(predicate: (request: ReceivedRequest) => boolean, ms?: number): Promise<ReceivedRequest>;
}

/** Both simulated upstreams. */
export interface Twin {
  readonly anthropic: TwinEndpoint;
  readonly zai: TwinEndpoint;
  /**
   * Puts a fault plan in force for both, its counters at 0; null for none.
   *
   * @throws FaultPlanError (rejected)
   */
  setFaults(plan: FaultPlan | null): Promise<void>;
  /** The plan in force and how often each of its rules applied. */
  faults(): FaultReport;
  /** Closes every connection and listener. */
  close(): Promise<void>;
}

/** The value of the first field of that name (given in lower case), or undefined. */
export function headerOf(fields: readonly Field[], name: string): string | undefined {
  return fields.find((field) => field[0].toLowerCase() === name)?.[1];
}
