import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';

import type { UsageRecord } from '../ledger/record.ts';
import { lineOf } from './commands/tail.ts';
import { PACKAGE_ROOT } from './package-info.ts';

const RECORD: UsageRecord = {
  ts: 1_700_000_000.123,
  rid: 'r1',
  lane: 'zai',
  upstream: 'zai',
  decision: 'subagent',
  model: 'claude-haiku-5-5',
  model_sent: 'glm-4.5-air',
  model_served: 'glm-4.5-air',
  op: 'stream',
  status: 200,
  err_type: null,
  h2: false,
  header_mode: 'x-api-key',
  latency_ms: 1234,
  ttfb_ms: 250,
  input_tokens: 12,
  output_tokens: 345,
  cache_read_tokens: null,
  cache_write_tokens: null,
  retry: false,
  attempts: 1,
  backoff_ms: 0,
  bytes_up: 10,
  bytes_down: 20,
  sse: 'complete',
  sse_events: 9,
  intact: true,
  agent: 'subagent',
  session: null,
  path: '/v1/messages',
  request_id: null,
};

test('a line says lane, reason, models, outcome, times and tokens', () => {
  assert.match(
    lineOf(RECORD),
    /^\d\d:\d\d:\d\d {2}zai {8}subagent {6}claude-haiku-5-5 > glm-4\.5-air {2}200 stream complete {2}1\.23 s \(head 0\.25 s\) {2}12 in 345 out$/,
  );
});

test('what went wrong stands in the line, and nothing can steer the terminal', () => {
  const line = lineOf({
    ...RECORD,
    model: 'evil\u001b[2J\r\n\u009b1m',
    model_sent: null,
    status: null,
    err_type: 'net',
    sse: 'cut',
    intact: false,
    retry: true,
    attempts: 2,
  });
  assert.match(line, /--- stream cut error net not intact attempt 2/);
  assert.match(line, /evil\?\[2J\?\?\?1m/);
});

test('tail follows the ledger with its filters and ends with Ctrl-C', async (t) => {
  const home = mkdtempSync(join(tmpdir(), 'lk-tail-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const ledger = join(home, 'logs', 'usage.jsonl');
  mkdirSync(join(home, 'logs'));
  const args = ['tail', '--home', home, '--lane', 'zai', '--errors', '--json'];
  const child = spawn(join(PACKAGE_ROOT, 'bin', 'lanekeeper'), args, {
    cwd: home,
    env: { PATH: process.env['PATH'] ?? '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const add = (different: Partial<UsageRecord>) =>
    appendFileSync(ledger, `${JSON.stringify({ ...RECORD, ...different })}\n`);
  // Records of before the start are not followed; written until one is seen, since nothing tells
  // when the following has begun.
  const writing = setInterval(() => {
    add({ rid: 'fine' });
    add({ rid: 'elsewhere', lane: 'anthropic', err_type: '5xx' });
    add({ rid: 'failed', err_type: '429' });
  }, 50);
  t.after(() => clearInterval(writing));
  const { value } = await lines.next();
  clearInterval(writing);
  assert.equal((JSON.parse(String(value)) as UsageRecord).rid, 'failed');
  const closed = once(child, 'close');
  child.kill('SIGINT');
  const [code] = await closed;
  assert.equal(code, 130);
});
