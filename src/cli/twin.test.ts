/** `twin --faults`: a plan in force from the start, or refused like any bad configuration. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand, startCommand } from '../../test/support/command.ts';
import { tempHome } from '../../test/support/home.ts';

test('a plan that is wrong ends with 78, the line and the mend', async (t) => {
  const home = await tempHome(t);
  writeFileSync(join(home, 'faults.yaml'), 'rules:\n  - fault: { kind: html, statuss: 500 }\n');
  const { code, stderr } = await runCommand(['twin', '--faults', 'faults.yaml'], { home });
  assert.equal(code, 78);
  assert.match(stderr, /faults\.yaml:2 rules\[0\]\.fault\.statuss: unknown setting/);
  assert.match(stderr, /mend: known here: kind, status/);
  const missing = await runCommand(['twin', '--faults', 'none.yaml'], { home });
  assert.equal(missing.code, 78);
  assert.match(missing.stderr, /none\.yaml can not be read \(ENOENT\)/);
});

test('a plan in JSON is in force from the start', async (t) => {
  const home = await tempHome(t);
  writeFileSync(join(home, 'faults.json'), '{"seed":4,"rules":[{"fault":{"kind":"html"}}]}');
  const command = startCommand(['twin', '--faults', 'faults.json'], { home });
  const said = await command.printed('twin zai-key');
  const [, origin = ''] = /^twin anthropic (\S+)$/m.exec(said) ?? [];
  const ca = readFileSync(join(home, 'run', 'twin-ca.pem'));
  const agent = new Agent({ ca });
  const report = await new Promise<string>((resolve, reject) => {
    get(`${origin}/__twin/faults`, { agent }, (answer) => {
      answer.setEncoding('utf8').once('data', resolve);
    }).once('error', reject);
  });
  assert.match(report, /^\{"seed":4,"rules":\[\{"match":\{\},"fault":\{"kind":"html"\}/);
  command.child.kill('SIGTERM');
  assert.equal((await command.done).code, 0);
});
