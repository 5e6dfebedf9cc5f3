/** The summary of a large ledger, next to DuckDB's own time for the same queries. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { KINDS, runKind, takenText } from './reports.ts';
import type { Row } from './rows.ts';

export interface LedgerPart {
  /** A ledger of so many records is kept in `work` from one run to the next. */
  readonly records: number;
  readonly rounds: number;
  readonly work: string;
  readonly keep: (row: Row) => void;
  readonly say: (line: string) => void;
}

/** Summarizes it so many times, each time in a process of its own. */
export function measureLedger({ records, rounds, work, keep, say }: LedgerPart): void {
  const home = join(work, `ledger-${records}`);
  const file = join(home, 'logs', 'usage.jsonl');
  if (!existsSync(file)) {
    say(`a ledger of ${records} records is made: ${file}`);
    const maker = join(import.meta.dirname, 'make-ledger.ts');
    execFileSync(process.execPath, [maker, file, String(records)], { stdio: 'inherit' });
  }
  for (let round = 1; round <= rounds; round += 1) {
    for (const kind of KINDS) {
      const taken = runKind(home, kind);
      keep({ row: 'ledger', records, ...taken });
      say(`ledger of ${records} records, ${takenText(taken)}`);
    }
  }
}
