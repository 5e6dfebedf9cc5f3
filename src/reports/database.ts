/**
 * DuckDB in memory, and the queries of `sql/` run in it. It is loaded here, when a command analyses,
 * and nowhere else: the proxy never has it.
 *
 * It touches no network (no extension is fetched) and no file but those of the ledger and, where
 * memory does not suffice, a folder of its own that is removed with it.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { REPORT_MEMORY_BYTES_MAX } from '../core/limits.ts';
import { ReportError } from './errors.ts';

/** What the queries take as `getvariable(NAME)`. */
export type Variable = string | number | null | readonly string[];
/** A row as DuckDB gives it: counts are bigint, quantiles an array, NULL is null. */
export type Row = Readonly<Record<string, unknown>>;

export interface Database {
  /** An empty file: DuckDB reads no empty list of files. */
  readonly nothing: string;
  /** Sets a variable for the queries that follow. */
  set(name: string, value: Variable): Promise<void>;
  /**
   * Runs the statements of `sql/NAME.sql`.
   *
   * @returns the rows of its query; it has one at most
   */
  run(name: string): Promise<readonly Row[]>;
  close(): void;
}

/**
 * Opens an empty database.
 *
 * @throws ReportError where DuckDB is not installed for this machine
 */
export async function openDatabase(): Promise<Database> {
  const { DuckDBInstance, LIST, VARCHAR, listValue } = await loadDuckDb();
  const spill = await mkdtemp(join(tmpdir(), 'lanekeeper-reports-'));
  const remove = (): void => rmSync(spill, { recursive: true, force: true });
  process.once('exit', remove);
  const nothing = join(spill, 'nothing.jsonl');
  writeFileSync(nothing, '');
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: `${Math.floor(REPORT_MEMORY_BYTES_MAX / 2 ** 20)}MiB`,
    temp_directory: spill,
    // No query needs the order of the lines; keeping it doubles the time and memory of reading.
    preserve_insertion_order: 'false',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_persistent_secrets: 'false',
  });
  const connection = await instance.connect();
  return {
    nothing,
    async set(name, value) {
      const statement = `SET VARIABLE ${name} = $value`;
      if (typeof value === 'object' && value !== null) {
        await connection.run(statement, { value: listValue(value) }, { value: LIST(VARCHAR) });
      } else {
        await connection.run(statement, { value });
      }
    },
    async run(name) {
      const reader = await connection.runAndReadAll(queryText(name));
      return reader.getRowObjectsJS();
    },
    close() {
      connection.closeSync();
      instance.closeSync();
      process.removeListener('exit', remove);
      remove();
    },
  };
}

/** The text of a query; it lies beside this file, in the built package too. */
function queryText(name: string): string {
  return readFileSync(new URL(`sql/${name}.sql`, import.meta.url), 'utf8');
}

/** The path of a file as the queries take it: there, `*`, `?` and `[` are patterns. */
export function literalPath(path: string): string {
  return path.replace(/[*?[]/g, '[$&]');
}

async function loadDuckDb() {
  try {
    return await import('@duckdb/node-api');
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new ReportError(
      `DuckDB (@duckdb/node-api) can not be loaded for ${process.platform}-${process.arch}: ${reason}; ` +
        'install the package anew with its optional dependencies, on a platform that DuckDB supports',
    );
  }
}
