/** Texts from outside that reach the terminal: names in a ledger, keys of a file, values of variables. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand, startCommand } from '../../test/support/command.ts';
import { tempHome } from '../../test/support/home.ts';
import fc from '../../test/support/properties.ts';
import { jsonText, onTerminal, printable } from './output.ts';

/** Clears the screen, sets the title, the same by the one-byte CSI, and turns the writing direction. */
const STEERING = '\u001b[2J\u001b]0;pwned\u0007\u009b2J\u007f\u202e';
const STEERS =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

test('no text can steer the terminal; lines and tabs of our own stay', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.doesNotMatch(printable(text), STEERS);
      assert.doesNotMatch(printable(text), /[\n\t]/);
      assert.doesNotMatch(onTerminal(text), STEERS);
    }),
  );
  assert.equal(onTerminal('a\n\tb'), 'a\n\tb');
  assert.equal(printable(STEERING), '?[2J?]0;pwned??2J??');
});

test('JSON on the terminal steers nothing, and says the same', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
      const text = jsonText(value);
      assert.doesNotMatch(text, STEERS);
      assert.equal(JSON.stringify(JSON.parse(text)), JSON.stringify(value));
    }),
  );
});

test('a refused configuration shows its keys without what would steer', async (t) => {
  const home = await tempHome(t);
  const key = JSON.stringify(STEERING);
  writeFileSync(join(home, 'lanekeeper.yaml'), `${key}: 1\nlanes: { ${key}: {} }\n`);
  for (const args of [['env', '1'], ['doctor'], ['doctor', '--json']]) {
    const { code, stdout, stderr } = await runCommand(args, { home });
    assert.equal(code, args[0] === 'env' ? 78 : 1);
    assert.match(stdout + stderr, /pwned/);
    assert.doesNotMatch(stdout + stderr, STEERS, args.join(' '));
  }
});

test('what tail and cost say of a ledger steers nothing, as text and as JSON', async (t) => {
  const home = await tempHome(t);
  const hostile = {
    ...{
      ts: Date.now() / 1000,
      rid: 'r',
      lane: `l${STEERING}`,
      upstream: 'u',
      decision: `d${STEERING}`,
    },
    ...{
      model: `m${STEERING}`,
      model_sent: null,
      model_served: STEERING,
      op: 'stream',
      status: 200,
    },
    ...{ err_type: null, h2: false, header_mode: null, latency_ms: 1, ttfb_ms: 1, input_tokens: 1 },
    ...{
      output_tokens: 1,
      cache_read_tokens: null,
      cache_write_tokens: null,
      retry: false,
      attempts: 1,
    },
    ...{ backoff_ms: 0, bytes_up: 1, bytes_down: 1, sse: 'complete', sse_events: 1, intact: true },
    ...{ agent: 'main', session: null, path: `/${STEERING}`, request_id: STEERING },
  };
  const line = `${JSON.stringify(hostile)}\n`;
  const ledger = join(home, 'logs', 'usage.jsonl');
  mkdirSync(join(home, 'logs'));
  writeFileSync(ledger, line);
  for (const args of [
    ['cost'],
    ['cost', '--json'],
    ['summarize'],
    ['verify', 'routing', '--json'],
  ]) {
    const { stdout, stderr } = await runCommand(args, { home });
    assert.notEqual(stdout, '', args.join(' '));
    assert.doesNotMatch(stdout + stderr, STEERS, args.join(' '));
  }
  for (const args of [['tail'], ['tail', '--json']]) {
    const tail = startCommand(args, { home });
    // Nothing tells when the following has begun.
    const writing = setInterval(() => writeFileSync(ledger, line, { flag: 'a' }), 50);
    const said = await tail.printed('pwned');
    clearInterval(writing);
    tail.child.kill('SIGINT');
    await tail.done;
    assert.doesNotMatch(said, STEERS, args.join(' '));
  }
});
