/**
 * The ledger on disk: `usage.jsonl`, one record per exchange, and `anomalies.jsonl`, one per
 * abnormal event, both private to their owner. Recording never throws and never waits; what can not
 * be kept is counted.
 */
import { join } from 'node:path';
import { LEDGER_BYTES_MAX, LEDGER_FILES_MAX, LEDGER_QUEUE_BYTES_MAX } from '../core/limits.ts';
import { LineFile, type LineFileStats } from './line-file.ts';
import { anomalyLine, usageLine } from './lines.ts';
import type { Ledger } from './record.ts';

export interface LedgerOptions {
  /** Directory of the files (`logs` in the home); made where it does not exist. */
  readonly dir: string;
  /** Only `/v1/messages` is recorded (`MITM_FILTER_CHAIN`); anomalies always are. */
  readonly filterChain: boolean;
  /** Size at which a file is rotated, bytes. */
  readonly bytesMax?: number;
  /** Rotated files kept of each. */
  readonly filesMax?: number;
  /** Bytes of records that may wait, for each file. */
  readonly queueMax?: number;
  /** Called once for each episode in which a file can not be written. */
  onFault(message: string): void;
  /** Called once at the end of such an episode, with what it cost. */
  onMended?(message: string): void;
}

/** Facts of the usage file, and beside them those of the anomalies. */
export interface LedgerStats extends LineFileStats {
  readonly anomalies: LineFileStats;
}

export interface FileLedger extends Ledger {
  /** Opens the files now, and mends what a process that was killed left; else the first record does. */
  start(): void;
  /** Resolves once everything recorded so far is written, or once an attempt has failed. */
  flush(): Promise<void>;
  /** Writes what waits and closes. Records that come later are counted as dropped. */
  close(): Promise<void>;
  /** The same at once, for the end of the process. */
  closeSync(): void;
  /** Opens the files anew (SIGHUP). */
  reopen(): void;
  /** Only `/v1/messages` from now on, or every path (a reload may change it). */
  setFilter(filterChain: boolean): void;
  stats(): LedgerStats;
}

/** The names of the ledger's files in their directory. */
export const USAGE_FILE = 'usage.jsonl';
export const ANOMALIES_FILE = 'anomalies.jsonl';
/** What the filter chain lets into the usage file. */
const FILTERED_PATH = '/v1/messages';

/** Makes the ledger. Never throws: a directory that can not be written is reported by `onFault`. */
export function openLedger(options: LedgerOptions): FileLedger {
  let { filterChain } = options;
  const openFile = (name: string): LineFile =>
    new LineFile({
      path: join(options.dir, name),
      bytesMax: options.bytesMax ?? LEDGER_BYTES_MAX,
      filesMax: options.filesMax ?? LEDGER_FILES_MAX,
      queueMax: options.queueMax ?? LEDGER_QUEUE_BYTES_MAX,
      onFault: options.onFault,
      onMended: (message) => options.onMended?.(message),
      onTorn: (bytes) => recordTorn(name, bytes),
    });
  const usage = openFile(USAGE_FILE);
  const anomalies = openFile(ANOMALIES_FILE);

  const recordTorn = (name: string, bytes: number): void => {
    appendTo(anomalies, () =>
      anomalyLine({
        ts: Date.now() / 1000,
        rid: null,
        kind: 'internal',
        lane: null,
        code: 'torn_line',
        detail: `${name} ended in ${bytes} bytes of an unfinished record; they were kept`,
        status: null,
        attempt: 0,
        backoff_ms: 0,
      }),
    );
  };

  return {
    start() {
      usage.start();
      anomalies.start();
    },
    record(record) {
      if (filterChain && record.path !== FILTERED_PATH) return;
      appendTo(usage, () => usageLine(record));
    },
    anomaly(record) {
      appendTo(anomalies, () => anomalyLine(record));
    },
    async flush() {
      // In this order, since opening the usage file may record an anomaly.
      await usage.flush();
      await anomalies.flush();
    },
    async close() {
      await usage.close();
      await anomalies.close();
    },
    closeSync() {
      usage.closeSync();
      anomalies.closeSync();
    },
    reopen() {
      usage.reopen();
      anomalies.reopen();
    },
    setFilter(on) {
      filterChain = on;
    },
    stats() {
      const ofAnomalies = anomalies.stats();
      const ofUsage = usage.stats();
      return { ...ofUsage, fault: ofUsage.fault ?? ofAnomalies.fault, anomalies: ofAnomalies };
    },
  };
}

function appendTo(file: LineFile, makeLine: () => string): void {
  let line: string;
  try {
    line = makeLine();
  } catch {
    // A record that is not what its type says must not end an exchange.
    file.drop();
    return;
  }
  file.append(line);
}
