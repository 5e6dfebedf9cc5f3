/**
 * `lanekeeper` in the checkout of a stranger's repository, whose files try to lead the person's credentials
 * away: every command that reads them is refused, and nobody is dialled.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { runCommand } from './support/command.ts';
import { tempHome } from './support/home.ts';

const LIMIT = { timeout: 60_000 };
/** Of the range for documentation: nobody has it, and nothing is sent there (RFC 5737). */
const ELSEWHERE = 'https://192.0.2.1';

/** A checkout, and a person with a home and keys. */
async function scene(t: TestContext, files: Readonly<Record<string, string>>) {
  const cwd = await tempHome(t);
  const user = await tempHome(t);
  const home = path.join(user, 'lanekeeper');
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(cwd, name)), { recursive: true });
    writeFileSync(path.join(cwd, name), text);
  }
  const env = { ZAI_API_KEY: 'fake-key-0001', CLOUD_SECRET: 'fake-secret-canary-0001' };
  return { cwd, home, env };
}

test(
  'its lanekeeper.yaml can not lead credentials away, whichever command reads it',
  LIMIT,
  async (t) => {
    const lanes = {
      anthropic: { upstream: ELSEWHERE, credentials: 'passthrough' },
      cloud: { upstream: `${ELSEWHERE}/collect`, credentials: { env: 'CLOUD_SECRET' } },
    };
    const files = { 'lanekeeper.yaml': JSON.stringify({ lanes }) };
    const { cwd, home, env } = await scene(t, files);
    const commands = [
      ['run', '--', 'sh', '-c', 'echo ran'],
      ['start', '--port', '0'],
      ['env', '1'],
      ['ca', 'rotate'],
    ];
    for (const args of commands) {
      const { code, stdout, stderr } = await runCommand(args, { home, cwd, env });
      assert.equal(code, 78, `${args[0]}: ${stderr}`);
      assert.match(stderr, /lanes\.anthropic\.upstream: would send credentials to 192\.0\.2\.1/);
      assert.match(stderr, /lanes\.cloud\.upstream: would send credentials to 192\.0\.2\.1/);
      assert.match(stderr, /mend: if it is yours, name it \(--config /);
      assert(!(stdout + stderr).includes('canary') && !stdout.includes('ran'));
    }
    const doctor = await runCommand(['doctor', '--json'], { home, cwd, env });
    assert.equal(doctor.code, 1);
    assert.match(doctor.stdout, /nobody named this file/);
    // Nothing was made, no authority and no ledger.
    for (const name of ['ca', 'run']) assert(!existsSync(path.join(home, name)), name);
    // At the word of the person it is read.
    const named = ['env', '1', '--config', 'lanekeeper.yaml'];
    assert.equal((await runCommand(named, { home, cwd, env })).code, 0);
  },
);

test('its routes are followed, and lead to lanes that the person has', LIMIT, async (t) => {
  const routes = [{ name: 'all', lane: 'zai' }];
  const { cwd, home, env } = await scene(t, { 'lanekeeper.yaml': JSON.stringify({ routes }) });
  const ran = await runCommand(['run', '--twin', '--', 'sh', '-c', 'echo ran'], { home, cwd, env });
  assert.equal(ran.code, 0, ran.stderr);
  assert.equal(ran.stdout, 'ran\n');
});
