/**
 * Keeps the books of one exchange: its anomalies as they happen, and its one record when it has
 * ended.
 */
import type { Clock, Delivery } from '../core/ports.ts';
import type { AnswerFacts } from '../core/tap/facts.ts';
import type { AnomalyKind, Ledger } from '../ledger/record.ts';
import type { ExchangeSamples, Tee } from '../ledger/tee.ts';
import { type Account, isIntact, streamHealth, usageRecord } from './account.ts';

/** What is said of an anomaly beside its kind and code. */
export interface AnomalyFacts {
  /** For people; never a header value, credential or body text. */
  readonly detail?: string;
  readonly status?: number;
  readonly backoffMs?: number;
}

export class Book {
  readonly account: Account;
  readonly #ledger: Ledger;
  readonly #clock: Clock;

  constructor(account: Account, ledger: Ledger, clock: Clock) {
    this.account = account;
    this.#ledger = ledger;
    this.#clock = clock;
  }

  anomaly(kind: AnomalyKind, code: string, facts: AnomalyFacts = {}): void {
    const anomaly = {
      ts: Math.round(this.#clock.wall()) / 1000,
      rid: this.account.rid,
      kind,
      lane: this.account.lane,
      code,
      detail: facts.detail ?? '',
      status: facts.status ?? this.account.status,
      attempt: this.account.attempts,
      backoff_ms: Math.round(facts.backoffMs ?? 0),
    };
    observe(() => this.#ledger.anomaly(anomaly));
  }

  /** An exception inside the program; its message may quote what no ledger holds. */
  fault(where: string, error: unknown): void {
    const detail = error instanceof Error ? error.name : 'unknown';
    this.anomaly('internal', where, { detail });
  }

  /** Writes the record of the exchange, and says what was abnormal about its end. */
  close(delivery: Delivery, sse: boolean, facts: AnswerFacts | null, now: number): void {
    const { account } = this;
    if (facts?.lost) this.anomaly('tap_dropped', 'bound', { detail: 'tokens may be missing' });
    if (sse && facts !== null) {
      const health = streamHealth(account, facts, delivery, now);
      const detail = [facts.errorType, facts.errorCode].filter((part) => part !== null).join(' ');
      if (health !== 'complete') this.anomaly('stream_incomplete', health, { detail });
    }
    if (account.upstreamEnded && delivery.how === 'complete' && !isIntact(account, delivery)) {
      const detail = `${delivery.bytes} of ${account.received} bytes`;
      this.anomaly('not_intact', 'mismatch', { detail });
    }
    const record = usageRecord(account, facts, sse, delivery, now);
    observe(() => this.#ledger.record(record));
  }

  /** Hands over the samples of both bodies, where there are any. */
  sample(tee: Pick<Tee, 'write'>, samples: ExchangeSamples | null): void {
    if (samples !== null) observe(() => tee.write(samples, this.account.lane));
  }
}

/** Tells an observer. None is to throw; one that does all the same loses what it was told, no more. */
function observe(tell: () => void): void {
  try {
    tell();
  } catch {
    // It is the ledger itself that would be told of this.
  }
}
