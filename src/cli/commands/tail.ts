/** `tail`: follows the ledger, one readable line an exchange, until Ctrl-C. */
import { join } from 'node:path';

import { followUsage } from '../../ledger/follow.ts';
import type { UsageRecord } from '../../ledger/record.ts';
import { EXIT } from '../failure.ts';
import { jsonText, print, printable, printExact } from '../output.ts';
import { type CommonOptions, homeOf, type JsonOption } from '../settings.ts';

interface TailOptions extends CommonOptions, JsonOption {
  readonly lane?: string;
  readonly errors?: boolean;
}

export async function tail(options: TailOptions): Promise<number> {
  const stop = new AbortController();
  let code: number = EXIT.done;
  process.once('SIGINT', () => {
    code = EXIT.interrupted;
    stop.abort();
  });
  process.once('SIGTERM', () => stop.abort());
  const path = join(homeOf(options), 'logs', 'usage.jsonl');
  for await (const record of followUsage(path, { signal: stop.signal })) {
    if (options.lane !== undefined && record.lane !== options.lane) continue;
    if (options.errors === true && !wentWrong(record)) continue;
    if (options.json === true) printExact(jsonText(record));
    else print(lineOf(record));
  }
  return code;
}

function wentWrong(record: UsageRecord): boolean {
  const { sse } = record;
  return record.err_type !== null || !record.intact || (sse !== null && sse !== 'complete');
}

/** One exchange as one line: when, lane and why, model asked and sent, outcome, times, tokens. */
export function lineOf(record: UsageRecord): string {
  const asked = record.model ?? '-';
  const sent =
    record.model_sent !== null && record.model_sent !== asked ? ` > ${record.model_sent}` : '';
  const outcome = [
    String(record.status ?? '---'),
    record.op,
    record.sse ?? '',
    record.err_type === null ? '' : `error ${record.err_type}`,
    record.intact ? '' : 'not intact',
    record.retry ? `attempt ${record.attempts}` : '',
  ].filter((part) => part !== '');
  const ttfb = record.ttfb_ms === null ? '' : ` (head ${seconds(record.ttfb_ms)})`;
  const parts = [
    clockTime(record.ts),
    record.lane.padEnd(9),
    record.decision.padEnd(12),
    record.model === null ? record.path : `${asked}${sent}`,
    outcome.join(' '),
    `${seconds(record.latency_ms)}${ttfb}`,
    record.output_tokens === null
      ? ''
      : `${record.input_tokens ?? '?'} in ${record.output_tokens} out`,
  ];
  return printable(parts.filter((part) => part !== '').join('  '));
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(2)} s`;
}

function clockTime(unixSeconds: number): string {
  const time = new Date(unixSeconds * 1000);
  return [time.getHours(), time.getMinutes(), time.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
}
