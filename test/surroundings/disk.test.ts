/**
 * A full disk below the home: traffic goes on untouched, what can not be written waits within bounds
 * and is counted where it is lost, and both are said once; commands that write leave no half file.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readdirSync, unlinkSync, writeSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import type { ServedStatus } from '../../src/admin/types.ts';
import type { Cleanup } from '../support/home.ts';
import { LAUNCHER, type ProxyProcess, startProxyProcess } from '../support/proxy-process.ts';
import {
  exchange,
  hear,
  insideOf,
  linesOf,
  onSmallDisk,
  until,
  wholeExchanges,
  withoutDisks,
} from '../support/surroundings.ts';

const SIZE = '768k';

interface Disk {
  readonly proxy: ProxyProcess;
  readonly said: () => string;
  /** Takes all the room there is. */
  fill(): void;
  free(): void;
  ledger(): ReturnType<typeof linesOf>;
  /** A command that sees the same disk. */
  command(...args: string[]): { code: number | null; stdout: string; stderr: string };
}

async function startOnDisk(t: Cleanup): Promise<Disk> {
  const launcher = await onSmallDisk(t, SIZE);
  const proxy = await startProxyProcess(t, { launcher, twinApart: true });
  const filler = insideOf(proxy, path.join(proxy.home, 'filler'));
  const piece = Buffer.alloc(4096);
  return {
    proxy,
    said: hear(proxy),
    fill() {
      const file = openSync(filler, 'w');
      try {
        for (;;) writeSync(file, piece);
      } catch (error) {
        assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
      } finally {
        closeSync(file);
      }
    },
    free: () => unlinkSync(filler),
    ledger: () => linesOf(insideOf(proxy, path.join(proxy.home, 'logs', 'usage.jsonl'))),
    command(...args) {
      const target = ['--target', String(proxy.child.pid), '--mount'];
      const user = process.getuid?.() === 0 ? [] : ['--user', '--preserve-credentials'];
      const env = {
        PATH: process.env['PATH'] ?? '',
        HOME: proxy.home,
        LANEKEEPER_HOME: proxy.home,
      };
      const all = [...target, ...user, '--', LAUNCHER, ...args];
      const { status, stdout, stderr } = spawnSync('nsenter', all, { env, encoding: 'utf8' });
      return { code: status, stdout, stderr };
    },
  };
}

function times(text: string, part: string): number {
  return text.split(part).length - 1;
}

describe('a full disk', { skip: withoutDisks() }, () => {
  test('the ledger waits for room, says so once, and goes on without a torn or merged record', async (t) => {
    const { proxy, said, fill, free, ledger, command } = await startOnDisk(t);
    await wholeExchanges(proxy, 3);
    await until('three records', () => ledger().whole.length === 3);
    fill();
    // More than the rest of the last page holds: one record is cut in its middle.
    await wholeExchanges(proxy, 20);
    await until('the fault', () => said().includes('can not be written (ENOSPC)'));
    const status = JSON.parse(command('status', '--json').stdout) as ServedStatus;
    assert.match(status.ledger.fault ?? '', /usage\.jsonl can not be written \(ENOSPC\)/);
    assert.equal(status.ledger.dropped, 0, 'what there is room for in memory waits');
    free();
    await until('all records', () => ledger().whole.length === 23);
    await until('the end of the fault', () => said().includes('is written again'));
    await wholeExchanges(proxy, 1);
    await until('the next record', () => ledger().whole.length === 24);
    const { whole, damaged } = ledger();
    assert.equal(new Set(whole.map(({ rid }) => rid)).size, 24, 'each exchange once');
    assert(damaged <= 1, 'what was written of the cut record stands on a line of its own');
    assert.equal(times(said(), 'can not be written'), 1, said());
    assert.match(said(), /usage\.jsonl is written again; lines lost meanwhile: 0/);
    const summary = command('summarize');
    assert.equal(summary.code, 0, summary.stderr);
    assert.match(summary.stdout, /24 exchanges/);
  });

  test('what is lost at the end is said, with its number', async (t) => {
    const { proxy, said, fill, ledger } = await startOnDisk(t);
    await wholeExchanges(proxy, 1);
    await until('one record', () => ledger().whole.length === 1);
    fill();
    await wholeExchanges(proxy, 15);
    await until('the fault', () => said().includes('can not be written (ENOSPC)'));
    const { code, output } = await proxy.stop();
    assert.equal(code, 0);
    const lost = /usage\.jsonl could not be written to its end; lines lost: (\d+)/.exec(output);
    assert(lost !== null && Number(lost[1]) > 0 && Number(lost[1]) <= 15, output);
  });

  test('commands that write say which file and why, and leave no half of one', async (t) => {
    const { proxy, fill, command, ledger } = await startOnDisk(t);
    await wholeExchanges(proxy, 2);
    await until('two records', () => ledger().whole.length === 2);
    fill();
    const home = insideOf(proxy, proxy.home);
    const before = filesBelow(home);
    for (const args of [['summarize'], ['report'], ['handoff'], ['bundle'], ['versions']]) {
      const { code, stderr } = command(...args);
      assert.equal(code, 1, `${args}: ${stderr}`);
      assert.match(stderr, /^lanekeeper: \/.+: the disk is full \(ENOSPC\); make room/m, `${args}`);
      assert.deepEqual(filesBelow(home), before, `${args} leaves nothing`);
    }
    assert.equal((await exchange(proxy)).whole, true);
  });
});

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
}
