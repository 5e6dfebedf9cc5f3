/**
 * How long a ledger takes to be summarized, and what of it is DuckDB's own: `node bench/reports.ts HOME
 * [RUNS]`, over the ledger in HOME/logs (make-ledger.ts makes one). Each run is a process of its own.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

/**
 * `summarize`: what the command does. `queries`: its queries in a DuckDB as it comes, without code of ours.
 * `bare`: one figure of the file, the least that reading it costs.
 */
export const KINDS = ['summarize', 'queries', 'bare'] as const;
export type Kind = (typeof KINDS)[number];

/** One run. */
export interface Taken {
  readonly kind: string;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakMib: number;
}

/** Runs one kind as a process of its own. */
export function runKind(home: string, kind: Kind): Taken {
  const printed = execFileSync(process.execPath, [import.meta.filename, home, '1', kind], {
    encoding: 'utf8',
  });
  return JSON.parse(printed) as Taken;
}

async function summarizeOnce(home: string): Promise<void> {
  const { summarize } = await import('../src/reports/summarize.ts');
  await summarize(home, Date.now(), { since: null, session: null });
}

/** The files of `summarize`, in its order. */
const QUERIES = ['load', 'extent', 'groups', 'errors', 'anomalies'];

async function queriesOnce(home: string): Promise<void> {
  const sql = join(import.meta.dirname, '..', 'src', 'reports', 'sql');
  const nothing = join(home, 'nothing.jsonl');
  writeFileSync(nothing, '');
  await inDuckDb([
    'SET VARIABLE since = NULL; SET VARIABLE session = NULL',
    `SET VARIABLE usage_files = ['${ledgerOf(home)}']`,
    `SET VARIABLE anomaly_files = ['${nothing}']`,
    ...QUERIES.map((name) => readFileSync(join(sql, `${name}.sql`), 'utf8')),
  ]);
}

async function bareOnce(home: string): Promise<void> {
  await inDuckDb([
    `SELECT count(*), quantile_disc(latency_ms, [0.5, 0.95, 0.99]) FROM read_json('${ledgerOf(home)}',
       format = 'newline_delimited', columns = {latency_ms: 'DOUBLE'})`,
  ]);
}

function ledgerOf(home: string): string {
  return join(home, 'logs', 'usage.jsonl');
}

async function inDuckDb(statements: readonly string[]): Promise<void> {
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  for (const statement of statements) await connection.runAndReadAll(statement);
}

const ONCE: Readonly<Record<Kind, (home: string) => Promise<void>>> = {
  summarize: summarizeOnce,
  queries: queriesOnce,
  bare: bareOnce,
};

async function once(home: string, kind: Kind): Promise<Taken> {
  const started = performance.now();
  await ONCE[kind](home);
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  return {
    kind,
    seconds: (performance.now() - started) / 1000,
    cpuSeconds: (userCPUTime + systemCPUTime) / 1e6,
    peakMib: maxRSS / 1024,
  };
}

/** A line for people. */
export function takenText({ kind, seconds, cpuSeconds, peakMib }: Taken): string {
  return `${kind}: ${seconds.toFixed(2)} s, ${cpuSeconds.toFixed(2)} s CPU, ${Math.round(peakMib)} MiB at most`;
}

async function main(): Promise<void> {
  const [home, runs = '5', what] = process.argv.slice(2);
  if (home === undefined) throw new Error('usage: reports.ts HOME [RUNS]');
  const kind = KINDS.find((each) => each === what);
  if (kind !== undefined) {
    // As `bin/entry.mjs` does it for the command.
    enableCompileCache(join(import.meta.dirname, '..', '.cache', 'compile'));
    console.log(JSON.stringify(await once(home, kind)));
    return;
  }
  for (const each of KINDS) {
    for (let run = 0; run < Number(runs); run += 1) console.log(takenText(runKind(home, each)));
  }
}

if (import.meta.main) await main();
