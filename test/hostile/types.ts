/**
 * Hostile inputs as data: what is sent, by which rule it is wrong, and what must come of it.
 *
 * Bytes are written one character a byte. What a case expects of this proxy is held by
 * `hostile-requests.test.ts` and `hostile-answers.test.ts`; what others do with the same bytes is
 * written down by `make hostile-peers`.
 */

/** What a request is addressed to. */
export interface Place {
  /** What stands in `Host`. */
  readonly host: string;
  /** Port of the proxy. */
  readonly port: number;
}

/** What the upstream may see of a case. */
export type Reaches =
  /** Not a byte. */
  | { readonly kind: 'nothing' }
  /** A request that never becomes whole: its sender broke it after it was already on its way. */
  | { readonly kind: 'part' }
  /** Exactly these requests, each once. */
  | { readonly kind: 'whole'; readonly requests: readonly Reached[] };

/** A request as it must arrive; what is not named is not looked at. */
export interface Reached {
  /** The start line. */
  readonly start: string;
  /** The payload; default: none. */
  readonly body?: string;
  /** Field lines that must be there as they are. */
  readonly lines?: readonly string[];
  /** Names of fields, in lower case, that may not be there. */
  readonly without?: readonly string[];
}

/** What the client must see. */
export interface Answered {
  /** Statuses of the final answers, in their order; empty where the connection just ends. */
  readonly statuses: readonly number[];
  /** The code of our own error, where the last answer is one. */
  readonly code?: string;
  /** The proxy ends the connection. */
  readonly closes: boolean;
}

export interface HostileRequest {
  /** Unique, and a line of the table. */
  readonly name: string;
  /** RFC and section, such as `9112 §6.3`. */
  readonly rfc: string;
  /** Why it is dangerous, or why it is right to let it pass. */
  readonly why: string;
  /** The plain port only; default: also inside the TLS of an intercepted host. */
  readonly plainOnly?: boolean;
  /** The client ends its side behind the bytes. */
  readonly fin?: boolean;
  bytes(to: Place): string;
  readonly answered: Answered;
  readonly reaches: Reaches;
  /** Records in the ledger. */
  readonly records: number;
}

export interface HostileAnswer {
  readonly name: string;
  readonly rfc: string;
  readonly why: string;
  /** Method of the request; default GET. */
  readonly method?: 'GET' | 'HEAD' | 'POST';
  /** What the upstream sends, written in these pieces. */
  readonly pieces: readonly string[];
  /** The upstream ends its side behind them. */
  readonly fin?: boolean;
  readonly seen: Seen;
}

/** What the client must see of an answer. */
export interface Seen {
  /** Of the final answer. */
  readonly status: number;
  /** Payload; default: not looked at. */
  readonly body?: string;
  /** The answer came to the end that its own framing promises. */
  readonly whole: boolean;
  /** Our own error in place of the upstream's answer. */
  readonly code?: string;
  /** The upstream's connection may serve another request. */
  readonly reused: boolean;
}
