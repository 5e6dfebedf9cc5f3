/** What the metrics of a ledger come to, in one line and the reasons for it. */
import type { Metrics } from './metrics.ts';
import { counted, plural } from './words.ts';

export interface Verdict {
  /** `empty`: no exchange; `well`: nothing to look at; `attention`: something is. */
  readonly state: 'empty' | 'well' | 'attention';
  /** One sentence, without markup. */
  readonly line: string;
  /** What deserves attention, worst first; empty unless `attention`. */
  readonly reasons: readonly string[];
}

/** Judges what was measured. An agent that leaves its stream is in its right, and no reason. */
export function verdictOf(metrics: Metrics): Verdict {
  const { total, ledger, anomalies } = metrics;
  const found: readonly (readonly [number, string])[] = [
    [sumOf(anomalies.by.lane_isolation), 'refused, since another lane’s credential was in it'],
    [total.not_intact_unexplained, 'not delivered as received'],
    [total.streams.cut, 'cut by the upstream'],
    [total.streams.stalled, 'stalled'],
    [total.streams.upstream_error, 'ended by an error event'],
    [total.errors, 'with an error'],
  ];
  const reasons = found.flatMap(([count, what]) =>
    count > 0 ? [`${counted(count)} ${what}`] : [],
  );
  const damaged = ledger.damaged + anomalies.damaged;
  if (damaged > 0) reasons.push(`${plural(damaged, 'damaged line')} in the ledger`);
  const unreadable = ledger.unreadable.length;
  if (unreadable > 0) reasons.push(`${plural(unreadable, 'ledger file')} that could not be read`);

  if (reasons.length > 0) {
    const line = `Attention: ${plural(ledger.records, 'exchange')}; ${reasons.join(', ')}.`;
    return { state: 'attention', line, reasons };
  }
  if (ledger.records === 0) {
    const line = 'Nothing recorded: the ledger holds no exchange that was asked for.';
    return { state: 'empty', line, reasons };
  }
  const streams = counted(total.streams.complete);
  const gone = total.streams.client_gone;
  const left = gone === 0 ? '' : `, ${counted(gone)} that the client left`;
  const line = `All well: ${plural(ledger.records, 'exchange')}, no error; ${streams} streams complete and intact${left}.`;
  return { state: 'well', line, reasons };
}

function sumOf(counts: Readonly<Record<string, number>> = {}): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
