/**
 * Where tunnels may lead, as configured: the whole program, and a server on loopback that must not be
 * reached where private destinations are refused.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../support/command.ts';
import { tempHome } from '../support/home.ts';
import { startProxyProcess } from '../support/proxy-process.ts';
import { rawConnect } from '../support/raw-client.ts';
import { startRig } from '../support/rig.ts';
import { converse } from './converse.ts';
import { startRecorder } from './recorder.ts';

const PATIENCE = { answers: 1, end: false, ms: 30_000 };

/** Status and code of a CONNECT, and of a plain request, to each spelling of a server on loopback. */
async function ask(proxyPort: number, port: number): Promise<string[]> {
  const seen: string[] = [];
  for (const host of ['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]']) {
    const target = `${host}:${port}`;
    for (const head of [
      `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\nGET /v1/in HTTP/1.1\r\nHost: a\r\n\r\n`,
      `GET http://${target}/v1/in HTTP/1.1\r\nHost: ${target}\r\n\r\n`,
    ]) {
      const connection = await rawConnect({ to: { host: '127.0.0.1', port: proxyPort } });
      const { bytes, code } = await converse(connection, head, false, PATIENCE);
      seen.push(`${bytes.toString('latin1', 9, 12)} ${code ?? ''}`.trim());
      connection.destroy();
    }
  }
  return seen;
}

test('a server on loopback is reached by default', async (t) => {
  const recorder = await startRecorder(t);
  const rig = await startRig(t);
  assert.deepEqual(await ask(rig.proxy.port, recorder.port), Array(6).fill('200'));
});

test('with tunnels.private: refuse nobody reaches it, and not a connection is made', async (t) => {
  const recorder = await startRecorder(t);
  const rig = await startRig(t, {
    config: (config) => ({ ...config, tunnels: { private: 'refuse', metadata: 'refuse' } }),
  });
  const refused = Array(6).fill('403 blocked_by_policy');
  assert.deepEqual(await ask(rig.proxy.port, recorder.port), refused);
  assert.equal(recorder.opened(), 0);
});

test('the file says so, and a word that it does not know is an error that names the line', async (t) => {
  const home = await tempHome(t);
  const file = path.join(home, 'lanekeeper.yaml');
  writeFileSync(file, 'tunnels:\n  private: never\n');
  const { code, stderr } = await runCommand(['start', '--port', '0'], { home });
  assert.equal(code, 78);
  assert.match(stderr, /lanekeeper\.yaml:2 tunnels\.private/);
  writeFileSync(file, 'tunnels: { private: refuse }\n');
  const recorder = await startRecorder(t);
  const proxy = await startProxyProcess(t, { args: ['--config', file] });
  const refused = Array(6).fill('403 blocked_by_policy');
  assert.deepEqual(await ask(proxy.port, recorder.port), refused);
  assert.equal(recorder.opened(), 0);
});
