import assert from 'node:assert/strict';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { openLedger } from '../ledger/file-ledger.ts';
import { temporaryDirectory, usageRecord } from '../ledger/fixtures.test.ts';
import { usageLine } from '../ledger/lines.ts';
import { type Database, openDatabase } from './database.ts';
import { ReportError } from './errors.ts';
import { measure } from './metrics.ts';
import { EVERYTHING, loadLedger } from './source.ts';

const ONE = `${usageLine(usageRecord())}\n`;

describe('a ledger that is reported on', () => {
  test('need not be there, and then it is said what to do', async (t) => {
    const home = temporaryDirectory(t);
    await assert.rejects(measure(home, 0), (error) => {
      assert(error instanceof ReportError);
      assert.match(error.message, /no ledger at .*usage\.jsonl.*lanekeeper start.*--home/);
      return true;
    });
  });

  test('may be empty', async (t) => {
    const logs = join(temporaryDirectory(t), 'logs');
    mkdirSync(logs);
    writeFileSync(join(logs, 'usage.jsonl'), '');
    const { total, ledger, by } = await measure(join(logs, '..'), 0);
    assert.deepEqual([total.exchanges, total.latency_ms, ledger.from], [0, null, null]);
    assert.deepEqual(by.lane, {});
  });

  test('may lie in a folder whose name has patterns and quotes in it', async (t) => {
    const home = join(temporaryDirectory(t), "it's [a] *b? {c}");
    mkdirSync(join(home, 'logs'), { recursive: true });
    writeFileSync(join(home, 'logs', 'usage.jsonl'), ONE);
    assert.equal((await measure(home, 0)).ledger.records, 1);
  });

  test('is read without a file that is damaged as a whole, which is named', async (t) => {
    const home = temporaryDirectory(t);
    const logs = join(home, 'logs');
    mkdirSync(logs);
    writeFileSync(join(logs, 'usage-20261101T000000000Z.jsonl.gz'), 'this is not gzip at all');
    writeFileSync(join(logs, 'usage-20261102T000000000Z.jsonl'), ONE);
    writeFileSync(join(logs, 'usage.jsonl'), ONE);
    const { ledger } = await measure(home, 0);
    assert.equal(ledger.records, 2);
    assert.deepEqual(ledger.files, ['usage-20261102T000000000Z.jsonl', 'usage.jsonl']);
    assert.equal(ledger.unreadable[0]?.file, 'usage-20261101T000000000Z.jsonl.gz');
    assert.doesNotMatch(ledger.unreadable[0]?.reason ?? '', /\n/);
  });

  test('may hold a record that was cut anywhere, which takes no other with it', async (t) => {
    const logs = temporaryDirectory(t);
    const path = join(logs, 'usage.jsonl');
    const database = await openDatabase();
    t.after(() => database.close());
    // Behind a colon any value may follow, and the next record is one.
    const cuts = [...ONE.matchAll(/[:,{"]/g)].map(({ index }) => index + 1);
    for (const cut of cuts.filter((at) => ONE[at - 1] === ':' || at % 7 === 0)) {
      writeFileSync(path, ONE + ONE.slice(0, cut));
      const ledger = openLedger({ dir: logs, filterChain: false, onFault: assert.fail });
      ledger.start();
      for (let i = 0; i < 3; i += 1) ledger.record(usageRecord());
      await ledger.close();
      await loadLedger(database, logs, EVERYTHING);
      const [extent] = await database.run('extent');
      assert.deepEqual(
        [Number(extent?.['records']), Number(extent?.['damaged'])],
        [4, 1],
        ONE.slice(0, cut),
      );
    }
  });

  test('that is rotated meanwhile is read again, and no record twice or never', async (t) => {
    const logs = temporaryDirectory(t);
    const current = join(logs, 'usage.jsonl');
    writeFileSync(current, ONE.repeat(3));
    const database = await openDatabase();
    t.after(() => database.close());
    let loads = 0;
    const rotating: Database = {
      ...database,
      run: async (name) => {
        loads += 1;
        if (loads === 1) {
          renameSync(current, join(logs, 'usage-20261102T000000000Z.jsonl'));
          writeFileSync(current, ONE);
        }
        return database.run(name);
      },
    };
    const source = await loadLedger(rotating, logs, EVERYTHING);
    assert.equal(source.files.length, 2);
    assert.equal(Number((await database.run('extent'))[0]?.['records']), 4);
  });
});
