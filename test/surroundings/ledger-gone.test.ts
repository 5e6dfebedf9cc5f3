/**
 * The ledger taken away from under a running proxy, in each way that people and logrotate do it: no
 * exchange notices, each record stands in one file, or is in what somebody took away on purpose.
 */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { startProxyProcess } from '../support/proxy-process.ts';
import { ended, hear, linesOf, until, wholeExchanges } from '../support/surroundings.ts';

interface Place {
  readonly home: string;
  readonly logs: string;
  readonly usage: string;
}

/** What is done to it, and what is undone, so that it can go on. */
interface Case {
  readonly name: string;
  take(place: Place): void;
  giveBack?(place: Place): void;
}

const CASES: readonly Case[] = [
  { name: 'the file removed', take: ({ usage }) => rmSync(usage) },
  { name: 'the file renamed', take: ({ usage, logs }) => renameSync(usage, `${logs}/taken.jsonl`) },
  { name: 'the file emptied', take: ({ usage }) => truncateSync(usage) },
  {
    name: 'another file in its place, that ends in half a line',
    take: ({ usage }) => {
      rmSync(usage);
      writeFileSync(usage, '{"ts":1,"rid":');
    },
  },
  {
    name: 'a folder in its place',
    take: ({ usage }) => {
      rmSync(usage);
      mkdirSync(usage);
    },
    giveBack: ({ usage }) => rmdirSync(usage),
  },
  { name: 'the folder removed', take: ({ logs }) => rmSync(logs, { recursive: true }) },
  {
    name: 'a file in the place of the folder',
    take: ({ logs }) => {
      rmSync(logs, { recursive: true });
      writeFileSync(logs, '');
    },
    giveBack: ({ logs }) => rmSync(logs),
  },
  { name: 'the home removed', take: ({ home }) => rmSync(home, { recursive: true }) },
];

test('the ledger comes back by itself, with every record of after', async (t) => {
  const proxy = await startProxyProcess(t, { twinApart: true });
  const said = hear(proxy);
  const logs = path.join(proxy.home, 'logs');
  const place: Place = { home: proxy.home, logs, usage: path.join(logs, 'usage.jsonl') };
  await until('the ledger is open', () => existsSync(place.usage));
  for (const { name, take, giveBack } of CASES) {
    const heardBefore = said().length;
    take(place);
    const before = new Set(ridsIn(logs));
    await wholeExchanges(proxy, 3);
    if (giveBack !== undefined) {
      await until(`${name}: the fault is said`, () =>
        said().includes('can not be written', heardBefore),
      );
      giveBack(place);
    }
    const fresh = (): unknown[] => ridsIn(logs).filter((rid) => !before.has(rid));
    // One or two more may be there: those of a moment before, which nobody had seen on disk.
    await until(`${name}: three records`, () => fresh().length >= 3 && existsSync(place.usage));
    assert.equal(new Set(fresh()).size, fresh().length, `${name}: none twice`);
    assert.equal(statSync(place.usage).mode & 0o777, 0o600, name);
  }
  const { code } = await proxy.stop();
  await ended(proxy);
  assert.equal(code, 0);
});

/** The ids of all whole records in a folder. */
function ridsIn(folder: string): unknown[] {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.jsonl') && !name.startsWith('anomalies'))
    .flatMap((name) => linesOf(path.join(folder, name)).whole)
    .map(({ rid }) => rid);
}
