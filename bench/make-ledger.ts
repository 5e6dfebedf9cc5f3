/**
 * Writes a ledger to measure with: `node bench/make-ledger.ts FILE [RECORDS] [SEED]`. The same seed makes
 * the same file; a million records are about 650 MB.
 */
import { createWriteStream, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { usageLine } from '../src/ledger/lines.ts';
import { madeRecords } from '../test/support/made-ledger.ts';

const [file, count = '1000000', seed = '1'] = process.argv.slice(2);
if (file === undefined) throw new Error('usage: make-ledger.ts FILE [RECORDS] [SEED]');
mkdirSync(dirname(file), { recursive: true });

function* pieces(): Generator<string> {
  let lines: string[] = [];
  for (const record of madeRecords({ seed: Number(seed), count: Number(count) })) {
    lines.push(usageLine(record));
    if (lines.length === 1000) {
      yield `${lines.join('\n')}\n`;
      lines = [];
    }
  }
  if (lines.length > 0) yield `${lines.join('\n')}\n`;
}

await pipeline(Readable.from(pieces()), createWriteStream(file));
