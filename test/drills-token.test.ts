/** Drills against a running proxy that wants a token: each client presents it, whichever way it goes. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { ownTokenPath } from '../src/config/own-token.ts';
import { startTwin } from '../src/twin/index.ts';
import { ensureClaude, skipReason } from './support/claude.ts';
import { drill, failing } from './support/drill.ts';
import { startProxyProcess } from './support/proxy-process.ts';
import { FAKE_API_KEY } from './support/sdk.ts';

const LIMIT = { timeout: 120_000 };

/** A proxy that wants a token, before a twin; and the keys that it works with. */
async function startGuarded(t: TestContext) {
  const twin = await startTwin();
  t.after(() => twin.close());
  const env = { ZAI_API_KEY: twin.zai.key ?? '', FORCE_HAIKU_TO_ZAI: '1' };
  const proxy = await startProxyProcess(t, { twin, env, listen: { token: 'auto' } });
  return { proxy, env: { ...env, ANTHROPIC_API_KEY: FAKE_API_KEY } };
}

async function assertDrilled(
  { proxy, env }: Awaited<ReturnType<typeof startGuarded>>,
  args: readonly string[],
): Promise<void> {
  const { value, stdout, stderr } = await drill(
    proxy.home,
    ['burst', '--count', '2', ...args],
    env,
  );
  const name = args.join(' ');
  assert.deepEqual(failing(value), [], `${name}: ${stderr}`);
  assert.deepEqual([value.exchanges, value.whole, value.errors], [2, 2, {}], name);
  const token = readFileSync(ownTokenPath(proxy.home), 'utf8').trimEnd();
  assert(!(stdout + stderr).includes(token), name);
  const session = path.join(proxy.home, 'results', 'SESSION.json');
  assert(!readFileSync(session, 'utf8').includes(token), name);
}

test('the built-in client and the SDK, by CONNECT and in gateway mode', LIMIT, async (t) => {
  const guarded = await startGuarded(t);
  for (const args of [[], ['--gateway'], ['--client', 'sdk'], ['--client', 'sdk', '--gateway']]) {
    await assertDrilled(guarded, args);
  }
});

test('Claude Code, by CONNECT and in gateway mode', {
  ...LIMIT,
  skip: skipReason() ?? false,
}, async (t) => {
  const guarded = await startGuarded(t);
  const claude = ['--client', 'claude', '--claude', await ensureClaude()];
  for (const args of [claude, [...claude, '--gateway']]) await assertDrilled(guarded, args);
});
