/**
 * Real tools of others against a running proxy: nghttp2's load generator and python3-h2, a strict peer. Where
 * one is missing its test says so and is skipped; `make hostile-peers-h2` installs them.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { type ProxyProcess, startProxyProcess } from '../../support/proxy-process.ts';
import { LARGE_BYTES, type Origin, openOrigin } from './origin.ts';
import { BARE_ENV, outputOf, programOf } from './peers/debian.ts';

const run = promisify(execFile);
const LIMIT = { timeout: 240_000 };
const PYTHON = '/usr/bin/python3';
const SCRIPT = path.join(import.meta.dirname, 'peers', 'strict-client.py');
const REQUESTS = 2_000;

const h2load = programOf('h2load');
const hasPython = (await outputOf(PYTHON, ['-c', 'import h2'])) !== null;

async function start(t: Parameters<typeof openOrigin>[0]): Promise<{
  proxy: ProxyProcess;
  origin: Origin;
}> {
  const origin = await openOrigin(t);
  const at = `https://127.0.0.1:${origin.port}`;
  const proxy = await startProxyProcess(t, {
    twin: { anthropic: { origin: at, ca: origin.ca }, zai: { origin: at, basePath: '' } },
  });
  return { proxy, origin };
}

test(`h2load: ${REQUESTS} honest requests, 80 at once on 4 connections`, LIMIT, async (t) => {
  if (h2load === null) return t.skip('there is no h2load (Debian: nghttp2-client)');
  const { proxy } = await start(t);
  const url = `http://127.0.0.1:${proxy.port}/v1/models`;
  const args = ['-n', `${REQUESTS}`, '-c', '4', '-m', '20', url];
  const { stdout } = await run(h2load, args, { env: BARE_ENV });
  assert.match(stdout, new RegExp(`${REQUESTS} succeeded, 0 failed, 0 errored, 0 timeout`));
  assert.match(stdout, new RegExp(`status codes: ${REQUESTS} 2xx`));
  const records = await proxy.records(REQUESTS);
  assert.equal(records.length, REQUESTS);
  assert(records.every(({ intact, status }) => intact && status === 200));
  t.diagnostic(/^finished in .*$/m.exec(stdout)?.[0] ?? '');
});

for (const where of ['plain', 'tunnel'] as const) {
  test(`python3-h2, ${where}: a strict peer finds nothing to complain about`, LIMIT, async (t) => {
    if (!hasPython) return t.skip('there is no python3-h2');
    const { proxy, origin } = await start(t);
    const tunnel = where === 'tunnel' ? [proxy.bundlePath, 'api.anthropic.com'] : [];
    const args = [SCRIPT, '127.0.0.1', `${proxy.port}`, ...tunnel];
    const { stdout } = await run(PYTHON, args, { env: BARE_ENV });
    assert.deepEqual(JSON.parse(stdout), {
      get: ['200', 2],
      head: ['200', 0],
      post: ['200', 2],
      trailers: ['200', 2],
      upload: ['200', 2],
      many: [['200', LARGE_BYTES]],
      after: ['200', 2],
    });
    const came = origin.requests.filter((line) => !line.includes('a-slow'));
    assert.deepEqual(came, [
      'GET /case/get',
      'HEAD /case/head',
      'POST /case/post',
      'POST /case/trailers',
      'POST /case/upload',
      'GET /case/after',
    ]);
  });
}
