/**
 * `listen: { token: auto }`: the port serves who can read the home, and nobody else on the machine. The
 * token reaches clients by their environment, and is on no command line and in nothing that is written.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { ownTokenPath } from '../src/config/own-token.ts';
import { headerOf, startTwin } from '../src/twin/index.ts';
import { ask, messages, resultOf } from './support/ask.ts';
import { skipReason } from './support/claude.ts';
import { runCommand, startCommand } from './support/command.ts';
import { tempHome } from './support/home.ts';
import { startProxyProcess } from './support/proxy-process.ts';
import { askHaiku } from './support/trust.ts';

const LIMIT = { timeout: 60_000 };
const AUTO = 'listen: { token: auto, port: 0 }\n';
/** Prints the proxy that it was given, and stays until it is ended. */
const HOLD = 'echo "$HTTPS_PROXY"; exec sleep 600';

function tokenOf(home: string): string {
  return readFileSync(ownTokenPath(home), 'utf8').trimEnd();
}

/** Everything that is written below a home, but the token itself. */
function writtenIn(home: string): string {
  const texts: string[] = [];
  for (const entry of readdirSync(home, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    if (entry.isFile() && file !== ownTokenPath(home)) texts.push(readFileSync(file, 'latin1'));
  }
  return texts.join('\n');
}

/** The command lines of every process of this machine that can be read, where the system shows them. */
function commandLines(): string {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => {
        try {
          return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        } catch {
          // It has ended meanwhile, or is not ours.
          return '';
        }
      })
      .join('\n');
  } catch {
    return '';
  }
}

test(
  'two commands of run share a proxy and its token, and nobody else gets through',
  LIMIT,
  async (t) => {
    const home = await tempHome(t);
    writeFileSync(path.join(home, 'lanekeeper.yaml'), AUTO);
    const start = () =>
      startCommand(['run', '--twin', '--home', home, '--', 'sh', '-c', HOLD], { home });
    const commands = [start(), start()];
    t.after(async () => {
      for (const { child } of commands) child.kill('SIGTERM');
      for (const { done } of commands) await done;
    });
    const given = await Promise.all(commands.map(({ printed }) => printed('\n')));
    const urls = given.map((text) => new URL(text.trim()));
    const token = tokenOf(home);
    const [url] = urls;
    assert(url !== undefined);
    assert.deepEqual(
      urls.map(({ href, password }) => [href, password]),
      [url, url].map(({ href }) => [href, token]),
    );

    const proxy = { port: Number(url.port) };
    const stranger = await askHaiku(proxy);
    assert.equal(stranger.status, 407);
    assert.match(stranger.headers['proxy-authenticate'] ?? '', /^Basic /);
    assert.equal((await askHaiku(proxy, { 'x-lanekeeper-token': `${token}0` })).status, 407);
    assert.equal((await askHaiku(proxy, { 'x-lanekeeper-token': token })).status, 200);
    const basic = Buffer.from(`${url.username}:${url.password}`).toString('base64');
    assert.equal((await askHaiku(proxy, { 'proxy-authorization': `Basic ${basic}` })).status, 200);

    const seen = commandLines();
    assert(process.platform !== 'linux' || seen.includes('--leased'), 'the proxy is among them');
    const said = [writtenIn(home), seen];
    for (const args of [['status'], ['status', '--json'], ['doctor', '--json'], ['versions']]) {
      const { code, stdout, stderr } = await runCommand(args, { home });
      assert.equal(code, 0, `${args.join(' ')}: ${stdout}${stderr}`);
      said.push(stdout, stderr);
    }
    for (const text of said) assert(!text.includes(token));
    // The one place where it is asked for: the lines that a shell evaluates.
    const lines = await runCommand(['env'], { home });
    assert(lines.stdout.includes(`HTTPS_PROXY='${url.href.replace(/\/$/, '')}'`), lines.stdout);
    assert(!lines.stderr.includes(token));
  },
);

test(
  'start with a token of its own serves clients that have it, and reload keeps it',
  LIMIT,
  async (t) => {
    const twin = await startTwin();
    t.after(() => twin.close());
    const proxy = await startGuarded(t, twin);
    const token = tokenOf(proxy.home);
    assert.equal((await askHaiku(proxy)).status, 407);
    assert.equal((await askHaiku(proxy, { 'x-lanekeeper-token': token })).status, 200);
    const reloaded = await runCommand(['reload'], { home: proxy.home });
    assert.match(reloaded.stdout, /nothing changed/);
    const restarted = await runCommand(['reload', '--restart'], { home: proxy.home });
    assert.equal(restarted.code, 0, restarted.stderr);
    assert.equal((await askHaiku(proxy, { 'x-lanekeeper-token': token })).status, 200);
    assert.equal((await askHaiku(proxy)).status, 407);
    // Renewed while it runs: whoever had the former one is out.
    rmSync(ownTokenPath(proxy.home));
    const renewed = await runCommand(['reload'], { home: proxy.home });
    assert.match(renewed.stdout, /listen\.token/);
    assert.equal((await askHaiku(proxy, { 'x-lanekeeper-token': token })).status, 407);
    const fresh = tokenOf(proxy.home);
    assert.equal((await askHaiku(proxy, { 'x-lanekeeper-token': fresh })).status, 200);
    const { output } = await proxy.stop();
    const written = output + writtenIn(proxy.home);
    for (const one of [token, fresh]) assert(!written.includes(one));
  },
);

/** A proxy whose home makes its own token, before a twin. */
function startGuarded(t: TestContext, twin: Awaited<ReturnType<typeof startTwin>>) {
  return startProxyProcess(t, { twin, listen: { token: 'auto' } });
}

test('Claude Code presents the token, intercepted and in gateway mode, and no upstream sees it', {
  ...LIMIT,
  skip: skipReason() ?? false,
}, async (t) => {
  const twin = await startTwin();
  t.after(() => twin.close());
  const proxy = await startGuarded(t, twin);
  const token = tokenOf(proxy.home);
  const login = new URL(proxy.url);
  login.username = 'lanekeeper';
  login.password = token;
  const entrance = { url: login.href, bundlePath: proxy.bundlePath };
  assert.equal(resultOf(await ask(t, entrance)), 'ok from anthropic');
  const env = { ANTHROPIC_CUSTOM_HEADERS: `x-lanekeeper-token: ${token}` };
  const gateway = await ask(t, proxy, { shape: 'gateway', env });
  assert.equal(resultOf(gateway), 'ok from anthropic');
  assert.equal(messages(twin.anthropic).length, 2);
  for (const { rawHeaders } of twin.anthropic.requests()) {
    assert.equal(headerOf(rawHeaders, 'x-lanekeeper-token'), undefined);
    assert.equal(headerOf(rawHeaders, 'proxy-authorization'), undefined);
    assert(!rawHeaders.join('\n').includes(token));
  }
  assert(!(await proxy.stop()).output.includes(token));
  assert(!writtenIn(proxy.home).includes(token));
});
