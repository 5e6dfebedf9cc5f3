/**
 * The real Claude Code through the whole, as a client: it shows what it shows on a direct line, ends
 * as it ends there, waits no longer, and leaves nothing behind.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { suite, test } from 'node:test';
import { promisify } from 'node:util';
import {
  ask,
  assertWhole,
  CONTROL_PATHS,
  directLine,
  entranceOf,
  leading,
  messages,
  type Outcome,
  resultOf,
} from './support/ask.ts';
import { type ClaudeRun, runClaude, skipReason, startClaude } from './support/claude.ts';
import { tempHome } from './support/home.ts';
import { LAUNCHER, readRecords, startProxyProcess } from './support/proxy-process.ts';
import { startRig } from './support/rig.ts';
import { FAKE_API_KEY } from './support/sdk.ts';
import { wiretap } from './support/wiretap.ts';

const skip = skipReason() ?? false;
/** What a run in a fresh HOME may cost beyond a direct one, ms. */
const FIRST_RUN_MS_MAX = 2_000;
const TURNS = 12;

suite('Claude Code as a client', { skip, concurrency: 2 }, () => {
  test('/context shows what it shows on a direct line: its counts all come back right', async (t) => {
    const direct = await directLine(t);
    const rig = await startRig(t);
    const there = await ask(t, direct, { prompt: '/context' });
    const here = await ask(t, entranceOf(rig), { prompt: '/context' });
    assert.equal(resultOf(here), resultOf(there));
    const counted = await rig.records(rig.twin.anthropic.requests().length);
    const counts = counted.filter((record) => record.path === '/v1/messages/count_tokens');
    assert(counts.length >= 20, `${counts.length} counts`);
    assert(counts.every(({ status, intact }) => status === 200 && intact));
    assert.equal(counted.length, direct.anthropic.requests().length);
  });

  test('/context on a zai that does not count falls back to anthropic', async (t) => {
    const env = { FORCE_HAIKU_TO_ZAI: '1' };
    const rig = await startRig(t, { env, twin: { zaiCountTokens: false } });
    assert.match(String(resultOf(await ask(t, entranceOf(rig), { prompt: '/context' }))), /Tokens/);
    const records = await rig.records(22);
    const counts = records.filter((record) => record.path === '/v1/messages/count_tokens');
    assert(counts.length >= 20, `${counts.length} counts`);
    for (const { lane, decision, status } of counts) {
      assert.deepEqual([lane, decision, status], ['anthropic', 'fallback', 200]);
    }
  });

  test('a stream-json process takes all its turns through one tunnel and one upstream connection', async (t) => {
    const rig = await startRig(t);
    const wire = await wiretap(t, { host: '127.0.0.1', port: rig.proxy.port });
    const { child, done } = await startClaude({
      home: await tempHome(t),
      env: leading('mitm', { ...entranceOf(rig), url: wire.url }),
      args: [
        ...['-p', '--model', 'haiku', '--verbose'],
        ...['--input-format', 'stream-json', '--output-format', 'stream-json'],
      ],
    });
    const results: unknown[] = [];
    const say = (): void => {
      const content = `[twin: say turn ${results.length}]`;
      child.stdin?.write(
        `${JSON.stringify({ type: 'user', message: { role: 'user', content } })}\n`,
      );
    };
    let partial = '';
    t.after(() => child.kill('SIGKILL'));
    child.stdout?.on('data', (text: string) => {
      const lines = `${partial}${text}`.split('\n');
      partial = lines.pop() ?? '';
      for (const line of lines) {
        const event = JSON.parse(line) as { type: string; result?: unknown };
        if (event.type !== 'result') continue;
        results.push(event.result);
        if (results.length < TURNS) say();
        else child.stdin?.end();
      }
    });
    say();
    const run = await done;
    assert.equal(run.code, 0, run.stderr);
    assert.deepEqual(
      results,
      Array.from({ length: TURNS }, (_, turn) => `turn ${turn}`),
    );
    const connects = wire.sent().filter((bytes) => bytes.toString('latin1').startsWith('CONNECT '));
    assert.equal(connects.length, 1 + CONTROL_PATHS.length);
    const arrived = messages(rig.twin.anthropic);
    assert.equal(arrived.length, TURNS);
    assert.equal(new Set(arrived.map(({ connection }) => connection)).size, 1);
    assertWhole(await rig.records(TURNS + CONTROL_PATHS.length));
  });

  test('a stream that fails is asked for again by the client, and ends well', async (t) => {
    const proxy = await startProxyProcess(t);
    const prompt = '[twin: status 529 times=1][twin: say after the failure]';
    assert.equal(resultOf(await ask(t, proxy, { prompt })), 'after the failure');
    const tries = (await proxy.records(4)).filter((record) => record.path === '/v1/messages');
    assert.deepEqual(
      tries.map(({ status, err_type, attempts }) => [status, err_type, attempts]),
      [
        [529, '5xx', 1],
        [200, null, 1],
      ],
    );
  });

  test('an error of the upstream is shown in its own words', async (t) => {
    const direct = await directLine(t);
    const proxy = await startProxyProcess(t);
    const prompt = '[twin: status 400]';
    const there = await ask(t, direct, { prompt });
    const here = await ask(t, proxy, { prompt });
    assert.equal(here.code, 1);
    const said = ({ stdout }: ClaudeRun): unknown =>
      String((JSON.parse(stdout) as Outcome).result).replace(/req_\w+/, 'ID');
    assert.equal(said(here), said(there));
  });

  test('interrupted, it leaves the upstream at once, and the ledger says so', async (t) => {
    const rig = await startRig(t);
    const { child, done } = await startClaude({
      home: await tempHome(t),
      env: leading('mitm', entranceOf(rig)),
      args: [
        ...['-p', '[twin: gap 20][twin: events 5000]', '--model', 'haiku'],
        ...['--output-format', 'stream-json', '--include-partial-messages', '--verbose'],
      ],
    });
    t.after(() => child.kill('SIGKILL'));
    child.stdin?.end();
    await new Promise<void>((resolve) => {
      let shown = '';
      child.stdout?.on('data', (text: string) => {
        shown += text;
        if (shown.includes('content_block_delta')) resolve();
      });
      child.once('close', () => resolve());
    });
    child.kill('SIGINT');
    const { answer } = await rig.twin.anthropic.waitFor(({ aborted }) => aborted);
    assert(answer.bytes > 0 && !answer.ended);
    await done;
    const stream = (await rig.records(3)).find((record) => record.path === '/v1/messages');
    assert.equal(stream?.sse, 'client_gone');
    assert.equal(stream?.intact, false);
  });

  test('neither prompt nor answer nor key is written anywhere under the home', async (t) => {
    const proxy = await startProxyProcess(t, { env: { FORCE_HAIKU_TO_ZAI: '1' } });
    const canaries = ['canary-of-the-prompt', 'canary-of-the-answer', FAKE_API_KEY, 'twin-zai-key'];
    const prompt = `${canaries[0]} [twin: say ${canaries[1]}]`;
    for (const model of ['haiku', 'sonnet']) {
      assert.equal(resultOf(await ask(t, proxy, { model, prompt })), canaries[1]);
    }
    await proxy.records(6);
    const { code, output } = await proxy.stop();
    assert.equal(code, 0);
    const files = await filesUnder(proxy.home);
    assert(files.some((file) => file.endsWith('usage.jsonl')));
    const texts = await Promise.all(files.map((file) => readFile(file, 'latin1')));
    for (const canary of canaries) {
      assert(!output.includes(canary), `${canary} was printed`);
      assert.deepEqual(
        files.filter((_, index) => texts[index]?.includes(canary)),
        [],
      );
    }
  });

  test('lanekeeper run sets everything for it, passes its status on and leaves nothing behind', async (t) => {
    const home = await tempHome(t);
    const run = (prompt: string): Promise<ClaudeRun> =>
      runClaude({
        home,
        via: [LAUNCHER, 'run', '--twin', '--home', home, '--'],
        // A base URL of the user's own, where nobody listens: `run` takes it away.
        env: { ANTHROPIC_BASE_URL: 'http://127.0.0.1:9', MITM_PORT: '0', FORCE_HAIKU_TO_ZAI: '1' },
        args: ['-p', prompt, '--model', 'haiku', '--output-format', 'json'],
      });
    assert.equal(resultOf(await run('hello')), 'ok from zai');
    assert.equal((await run('[twin: status 400]')).code, 1);
    assert.deepEqual(await readdir(path.join(home, 'run')), []);
    const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'args=']);
    assert.deepEqual(
      stdout.split('\n').filter((line) => line.includes(home)),
      [],
    );
    const decisions = (await readRecords(home, 6)).map(({ decision }) => decision).toSorted();
    assert.deepEqual(new Set(decisions), new Set(['forced_model', 'passthrough']));
  });
});

test('a first run in a fresh HOME is no slower than 2 s beyond the direct one', {
  skip,
}, async (t) => {
  const direct = await directLine(t);
  const proxy = await startProxyProcess(t);
  const times = { direct: [] as number[], proxied: [] as number[] };
  for (let round = 0; round < 3; round += 1) {
    const there = await ask(t, direct);
    const here = await ask(t, proxy);
    assert.equal(resultOf(there), 'ok from anthropic');
    assert.equal(resultOf(here), 'ok from anthropic');
    times.direct.push(there.ms);
    times.proxied.push(here.ms);
  }
  const [before, after] = [median(times.direct), median(times.proxied)];
  t.diagnostic(`direct ${Math.round(before)} ms, through the proxy ${Math.round(after)} ms`);
  assert(after - before < FIRST_RUN_MS_MAX);
});

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function filesUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
}
