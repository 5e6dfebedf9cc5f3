import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { mintServer } from '../../src/pki/authority.ts';
import { headerOf, type ReceivedRequest, startTwin, type Twin } from '../../src/twin/index.ts';
import { type ClaudeRun, runClaude, skipReason } from './claude.ts';
import { type Cleanup, tempHome } from './home.ts';
import { tunnelProxy } from './tunnel-proxy.ts';

const skip = skipReason() ?? false;

interface Bench {
  readonly twin: Twin;
  run(model: string, prompt: string, ...more: string[]): Promise<ClaudeRun>;
}

async function bench(context: Cleanup): Promise<Bench> {
  const home = await tempHome(context);
  const twin = await startTwin();
  context.after(() => twin.close());
  const ca = path.join(home, 'twin-ca.pem');
  await writeFile(ca, twin.anthropic.ca);
  const env = { ANTHROPIC_BASE_URL: twin.anthropic.origin, NODE_EXTRA_CA_CERTS: ca };
  return {
    twin,
    run: (model, prompt, ...more) =>
      runClaude({
        home,
        env,
        args: ['-p', prompt, '--model', model, '--output-format', 'json', ...more],
      }),
  };
}

function resultOf(run: ClaudeRun): unknown {
  assert.equal(run.code, 0, run.stderr);
  return (JSON.parse(run.stdout) as { result: unknown }).result;
}

function messagesOf(twin: Twin): readonly ReceivedRequest[] {
  return twin.anthropic.requests().filter((request) => request.path.startsWith('/v1/messages?'));
}

function modelOf(request: ReceivedRequest): unknown {
  return (JSON.parse(request.body.toString()) as { model: unknown }).model;
}

test('Claude Code takes the answer of the twin for each model family', { skip }, async (t) => {
  const { twin, run } = await bench(t);
  for (const family of ['haiku', 'sonnet', 'opus']) {
    twin.anthropic.clear();
    assert.equal(resultOf(await run(family, 'hello')), 'ok from anthropic');
    const [request, ...others] = messagesOf(twin);
    assert.equal(others.length, 0);
    assert(request?.answer.ended);
    assert.match(String(modelOf(request)), new RegExp(`^claude-${family}-`));
  }
});

test('a directive makes Claude Code spawn a Haiku subagent, and the main loop ends', {
  skip,
}, async (t) => {
  const { twin, run } = await bench(t);
  const input = JSON.stringify({
    description: 'look around',
    prompt: '[twin: say the subagent was here]',
    subagent_type: 'general-purpose',
    model: 'haiku',
    run_in_background: false,
  });
  const result = resultOf(await run('sonnet', `[twin: tool Agent ${input}]`));
  assert.equal(result, 'done from anthropic');
  const story = messagesOf(twin).map((request) => [
    String(modelOf(request)).split('-')[1],
    headerOf(request.rawHeaders, 'x-claude-code-agent-id') === undefined ? 'main' : 'subagent',
  ]);
  assert.deepEqual(story, [
    ['sonnet', 'main'],
    ['haiku', 'subagent'],
    ['sonnet', 'main'],
  ]);
  const last = messagesOf(twin).at(-1)?.body.toString() ?? '';
  assert(
    last.includes('the subagent was here'),
    'the answer of the subagent reaches the main loop',
  );
});

test('Claude Code runs the tool that a directive names and goes on', { skip }, async (t) => {
  const { run } = await bench(t);
  const bash = '[twin: tool Bash {"command":"echo hi","description":"says hi"}]';
  const prompt = `${bash}[twin: then][twin: say after the tool]`;
  assert.equal(resultOf(await run('haiku', prompt, '--allowedTools', 'Bash')), 'after the tool');
});

test('Claude Code reaches the twin through CONNECT as if it were api.anthropic.com', {
  skip,
}, async (t) => {
  const home = await tempHome(t);
  const host = 'api.anthropic.com';
  const certificate = await mintServer({ names: [host], ips: [], now: new Date() });
  const twin = await startTwin({ certificate });
  t.after(() => twin.close());
  const proxy = await tunnelProxy(t, `${host}:443`, twin.anthropic);
  const ca = path.join(home, 'twin-ca.pem');
  await writeFile(ca, twin.anthropic.ca);
  const env = { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`, NODE_EXTRA_CA_CERTS: ca };
  const args = ['-p', 'hello', '--model', 'haiku', '--output-format', 'json'];
  const run = await runClaude({ home, env, args });
  assert.equal(resultOf(run), 'ok from anthropic');
  const paths = twin.anthropic.requests().map(({ method, path: target }) => `${method} ${target}`);
  assert.deepEqual(paths.toSorted(), [
    'GET /api/claude_code/policy_limits',
    'GET /api/claude_code/settings',
    'POST /v1/messages?beta=true',
  ]);
});

test('the tokens of a context are counted by the twin', { skip }, async (t) => {
  const { twin, run } = await bench(t);
  const { code, stderr } = await run('haiku', '/context');
  assert.equal(code, 0, stderr);
  const counts = twin.anthropic
    .requests()
    .filter((request) => request.path.startsWith('/v1/messages/count_tokens'));
  assert(counts.length > 0);
  assert(counts.every((request) => request.answer.status === 200));
});
