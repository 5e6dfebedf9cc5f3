/**
 * What a supervisor and a worker say to each other over the channel between them. The supervisor knows
 * no policy: what it is given for its workers, and what they report, it only carries.
 */

/** From the supervisor. */
export type ToWorker =
  /** The first message. `port`: where connections come from, null while that is not known. */
  | { readonly kind: 'begin'; readonly given: unknown; readonly port: number | null }
  | { readonly kind: 'bound'; readonly port: number }
  /** A connection comes with it. */
  | { readonly kind: 'connection'; readonly id: number }
  | {
      readonly kind: 'call';
      readonly id: number;
      readonly name: string;
      readonly argument: unknown;
    }
  /** No new connection follows; end when the open ones have, after `ms` at the latest. */
  | { readonly kind: 'leave'; readonly ms: number };

/** From a worker. */
export type ToSupervisor =
  /** It can serve, and says at which address it would be reached. */
  | { readonly kind: 'ready'; readonly wanted: Address }
  /** It can not start; the last message. */
  | { readonly kind: 'failed'; readonly failure: Failure }
  /** The connection is the worker's now. */
  | { readonly kind: 'taken'; readonly id: number }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'refusal'; readonly id: number; readonly failure: Failure }
  /** What it tells of itself now and then, and once more at its end. */
  | { readonly kind: 'report'; readonly report: unknown }
  /** It was told by somebody else to end: it takes no new connection. */
  | { readonly kind: 'leaving' };

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** An error as it travels; without its stack. */
export interface Failure {
  /** A stable code. */
  readonly code: string;
  /** For people; names the mend. */
  readonly message: string;
  readonly exitCode: number;
}

/** What a worker answers with instead of a value, or why it did not start. */
export class WorkerFailure extends Error {
  override readonly name = 'WorkerFailure';
  readonly code: string;
  readonly exitCode: number;
  constructor({ code, message, exitCode }: Failure) {
    super(message);
    this.code = code;
    this.exitCode = exitCode;
  }
}
