/**
 * How long a ledger takes to be summarized, and what of it is DuckDB's own: `node bench/reports.ts HOME
 * [RUNS]`, over the ledger in HOME/logs (make-ledger.ts makes one). Each run is a process of its own.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const [home, runs = '5', what] = process.argv.slice(2);
if (home === undefined) throw new Error('usage: reports.ts HOME [RUNS]');

/** The least that DuckDB does for one figure of the file: no code of ours, no columns but one. */
const BARE = `SELECT count(*), quantile_disc(latency_ms, [0.5, 0.95, 0.99])
  FROM read_json('${join(home, 'logs', 'usage.jsonl')}', format = 'newline_delimited', columns = {latency_ms: 'DOUBLE'})`;

async function once(kind: string): Promise<void> {
  const started = performance.now();
  if (kind === 'bare') {
    const { DuckDBInstance } = await import('@duckdb/node-api');
    const connection = await (await DuckDBInstance.create(':memory:')).connect();
    await connection.runAndReadAll(BARE);
  } else {
    const { summarize } = await import('../src/reports/summarize.ts');
    await summarize(home ?? '', Date.now(), { since: null, session: null });
  }
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  const seconds = (performance.now() - started) / 1000;
  const cpu = (userCPUTime + systemCPUTime) / 1e6;
  console.log(
    `${kind}: ${seconds.toFixed(2)} s, ${cpu.toFixed(2)} s CPU, ${Math.round(maxRSS / 1024)} MiB at most`,
  );
}

if (what !== undefined) {
  await once(what);
} else {
  for (const kind of ['summarize', 'bare']) {
    for (let run = 0; run < Number(runs); run += 1) {
      execFileSync(process.execPath, [import.meta.filename, home, runs, kind], {
        stdio: 'inherit',
      });
    }
  }
}
