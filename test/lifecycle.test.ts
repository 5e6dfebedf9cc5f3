/**
 * The program as people run it: processes of `bin/lanekeeper`, their signals and exit codes, and the
 * commands that speak to a running proxy while streams pass through it.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { describe, test } from 'node:test';
import { isRunning } from '../src/admin/client.ts';
import type { ServedStatus } from '../src/admin/types.ts';
import type { UsageRecord } from '../src/ledger/record.ts';
import { startTwin, TWIN_ZAI_KEY } from '../src/twin/index.ts';
import { type CommandResult, runCommand, startCommand } from './support/command.ts';
import { loopbackCertificate, startFaultUpstream } from './support/fault-upstream.ts';
import { type Cleanup, tempHome } from './support/home.ts';
import { type ProxyProcess, readRecords, startProxyProcess } from './support/proxy-process.ts';
import { type RawConnection, rawConnect } from './support/raw-client.ts';
import { readAll, type Seen } from './support/raw-exchange.ts';

const ROOT = path.join(import.meta.dirname, '..');
const HAIKU = 'claude-haiku-5-5';
const SONNET = 'claude-sonnet-5-5';

/** Sends one request in gateway mode; `Connection: close`, so that its end is the connection's. */
async function ask(
  proxy: Pick<ProxyProcess, 'port'>,
  model: string,
  prompt = 'hello',
): Promise<RawConnection> {
  const connection = await rawConnect({ to: { host: '127.0.0.1', port: proxy.port } });
  const body = JSON.stringify({
    model,
    max_tokens: 99,
    stream: true,
    messages: [{ role: 'user', content: prompt }],
  });
  const head = [
    'POST /v1/messages HTTP/1.1',
    'Host: 127.0.0.1',
    'x-api-key: sk-ant-api03-fake-lifecycle',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  await connection.send(`${head.join('\r\n')}\r\n\r\n${body}`);
  return connection;
}

async function answerOf(connection: RawConnection): Promise<Seen> {
  const all = await connection.reader.rest();
  return readAll(all, await connection.reader.ending, 'POST');
}

const HEAD =
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
const BEGUN =
  'event: message_start\ndata: {"type":"message_start","message":{"id":"m","usage":{}}}\n\n';
const STOP = 'event: message_stop\ndata: {"type":"message_stop"}\n\n';

function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

/** A stream that is under way and ends when told to. */
interface HeldStream {
  /** Lets the upstream send the rest. */
  release(): void;
  answer(): Promise<Seen>;
}

interface Held {
  readonly proxy: ProxyProcess;
  /** Opens a stream on the default lane; its first event is here. */
  open(): Promise<HeldStream>;
}

/** A proxy process whose default lane holds its streams open; zai is a twin. */
async function startHeld(t: Cleanup): Promise<Held> {
  const certificate = await loopbackCertificate();
  const twin = await startTwin({ certificate });
  t.after(() => twin.close());
  let released = Promise.withResolvers<void>();
  const upstream = await startFaultUpstream(t, {
    certificate,
    script: async (visit) => {
      const { promise } = released;
      await visit.request();
      await visit.send(HEAD + chunk(BEGUN));
      await promise;
      await visit.send(`${chunk(STOP)}0\r\n\r\n`);
    },
  });
  const anthropic = { ...twin.anthropic, origin: `https://127.0.0.1:${upstream.port}` };
  const proxy = await startProxyProcess(t, {
    twin: { ...twin, anthropic },
    env: { ZAI_API_KEY: TWIN_ZAI_KEY },
  });
  return {
    proxy,
    async open() {
      released = Promise.withResolvers();
      const { resolve } = released;
      const connection = await ask(proxy, SONNET);
      const begun = await connection.reader.through('message_start');
      return {
        release: resolve,
        async answer() {
          const rest = await connection.reader.rest();
          return readAll(Buffer.concat([begun, rest]), await connection.reader.ending, 'POST');
        },
      };
    },
  };
}

async function exchange(proxy: ProxyProcess, model: string, count: number): Promise<UsageRecord> {
  const seen = await answerOf(await ask(proxy, model));
  assert.equal(seen.whole, true);
  const record = (await proxy.records(count)).at(-1);
  assert(record !== undefined);
  return record;
}

/** Resolves once nobody listens on the port. */
async function refused(port: number): Promise<void> {
  for (;;) {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => {});
    const code = await Promise.race([
      once(socket, 'connect').then(
        () => null,
        (error: NodeJS.ErrnoException) => error.code,
      ),
    ]);
    socket.destroy();
    if (code === 'ECONNREFUSED') return;
  }
}

function command(proxy: { home: string }, ...args: string[]): Promise<CommandResult> {
  return runCommand(args, { home: proxy.home });
}

function assertDone({ code, stderr }: CommandResult): void {
  assert.equal(code, 0, stderr);
}

describe('the end of a proxy', () => {
  test('start prints exactly one line, and SIGTERM ends it with 0', async (t) => {
    const home = await tempHome(t);
    const started = startCommand(['start', '--twin', '--port', '0'], { home });
    t.after(() => void started.child.kill('SIGKILL'));
    const line = await started.printed('\n');
    assert.match(line, /^lanekeeper listening on http:\/\/127\.0\.0\.1:\d+\n$/);
    started.child.kill('SIGTERM');
    const { code, stdout } = await started.done;
    assert.deepEqual([code, stdout], [0, line]);
  });

  for (const how of ['SIGTERM', 'drain'] as const) {
    test(`${how}: streams run to their end, nothing new is accepted, exit 0`, async (t) => {
      const { proxy, open } = await startHeld(t);
      const stream = await open();
      const exit = once(proxy.child, 'exit');
      if (how === 'drain') assertDone(await command(proxy, 'drain'));
      else proxy.child.kill('SIGTERM');
      await refused(proxy.port);
      assert.equal(proxy.child.exitCode, null, 'it waits for its stream');
      stream.release();
      const seen = await stream.answer();
      assert.deepEqual([seen.status, seen.whole, seen.body.toString()], [200, true, BEGUN + STOP]);
      assert.deepEqual(await exit, [0, null]);
      const records = await readRecords(proxy.home, 1);
      assert.deepEqual(
        records.map(({ sse, intact }) => [sse, intact]),
        [['complete', true]],
      );
      assert.equal(await isRunning(proxy.home), false);
      const after = await command(proxy, 'status');
      assert.equal(after.code, 1);
      assert.match(after.stderr, /no proxy is running for .*; start one with lanekeeper start/);
    });
  }

  test('a second SIGTERM ends it at once: the stream is cut, not ended, and recorded', async (t) => {
    const { proxy, open } = await startHeld(t);
    const stream = await open();
    const exit = once(proxy.child, 'exit');
    proxy.child.kill('SIGTERM');
    await refused(proxy.port);
    proxy.child.kill('SIGTERM');
    const seen = await stream.answer();
    assert.deepEqual([seen.status, seen.whole], [200, false]);
    assert.deepEqual(await exit, [130, null]);
    const [record, ...others] = await readRecords(proxy.home, 1);
    assert.deepEqual(others, []);
    assert.deepEqual([record?.status, record?.intact], [200, false]);
    assert.notEqual(record?.sse, 'complete');
  });
});

describe('what a running proxy is told', () => {
  test('reload and SIGHUP move routes; an open stream stays where it is and whole', async (t) => {
    const { proxy, open } = await startHeld(t);
    const file = path.join(proxy.home, 'lanekeeper.yaml');
    const base = readFileSync(file, 'utf8');
    const stream = await open();
    const routes = [{ name: 'all', when: { model: '*sonnet*' }, lane: 'zai' }];
    writeFileSync(file, JSON.stringify({ ...JSON.parse(base), routes }));
    const reloaded = await command(proxy, 'reload');
    assertDone(reloaded);
    assert.match(reloaded.stdout, /^reloaded: .*routes/);
    assert.equal((await exchange(proxy, SONNET, 1)).lane, 'zai');
    stream.release();
    assert.equal((await stream.answer()).whole, true);
    writeFileSync(file, base);
    proxy.child.kill('SIGHUP');
    await said(proxy, 'reloaded: routes');
    const back = await open();
    back.release();
    assert.equal((await back.answer()).whole, true);
    const records = await proxy.records(3);
    assert.deepEqual(
      records.map(({ lane, decision, sse, intact }) => [lane, decision, sse, intact]),
      [
        ['zai', 'rule:all', 'complete', true],
        ['anthropic', 'default', 'complete', true],
        ['anthropic', 'default', 'complete', true],
      ],
    );
  });

  test('a new file that is bad is refused by name, and the old one stays in force', async (t) => {
    const twin = await startTwin();
    t.after(() => twin.close());
    const proxy = await startProxyProcess(t, { twin, env: { ZAI_API_KEY: TWIN_ZAI_KEY } });
    const file = path.join(proxy.home, 'lanekeeper.yaml');
    const base = JSON.parse(readFileSync(file, 'utf8')) as object;
    const routes = [{ name: 'all', when: { modle: '*sonnet*' }, lane: 'zai' }];
    writeFileSync(file, `${JSON.stringify({ ...base, routes }, null, 1)}\n`);
    const refusal = await command(proxy, 'reload');
    assert.equal(refusal.code, 78, refusal.stderr);
    assert.equal(refusal.stdout, '');
    assert.match(refusal.stderr, /lanekeeper\.yaml:\d+ routes\[0\]\.when\.modle: unknown setting/);
    assert.match(refusal.stderr, /model/);
    proxy.child.kill('SIGHUP');
    await said(proxy, 'not reloaded, the former configuration stays');
    assert.equal((await exchange(proxy, SONNET, 1)).lane, 'anthropic');
  });

  test('pause, resume and force change the next exchange', async (t) => {
    const proxy = await startProxyProcess(t);
    const steps = [
      [[], 'default', 'anthropic'],
      [['force', 'on'], 'forced_model', 'zai'],
      [['pause'], 'paused', 'anthropic'],
      [['resume'], 'forced_model', 'zai'],
      [['force', 'off'], 'default', 'anthropic'],
    ] as const;
    for (const [index, [args, decision, lane]] of steps.entries()) {
      if (args.length > 0) assertDone(await command(proxy, ...args));
      const record = await exchange(proxy, HAIKU, index + 1);
      assert.deepEqual([record.decision, record.lane], [decision, lane], args.join(' '));
    }
  });

  test('force without a zai lane is refused with the mend', async (t) => {
    const twin = await startTwin();
    t.after(() => twin.close());
    const proxy = await startProxyProcess(t, { twin });
    const { code, stderr } = await command(proxy, 'force', 'on');
    assert.equal(code, 1);
    assert.match(stderr, /ZAI_API_KEY/);
    assert.equal((await exchange(proxy, HAIKU, 1)).lane, 'anthropic');
  });

  test('tee needs ENABLE_BODY_TEE; samples are redacted, private, and end with tee off', async (t) => {
    const plain = await startProxyProcess(t);
    const refusal = await command(plain, 'tee', 'on');
    assert.equal(refusal.code, 1);
    assert.match(refusal.stderr, /ENABLE_BODY_TEE=1/);
    const proxy = await startProxyProcess(t, { env: { ENABLE_BODY_TEE: '1' } });
    const file = path.join(proxy.home, 'logs', 'body-samples.jsonl');
    assertDone(await command(proxy, 'tee', 'on'));
    const secrets = ['sk-ant-api03-fake-in-a-prompt-0123456789', 'somebody@example.com'];
    await answerOf(await ask(proxy, SONNET, `my key ${secrets.join(' ')} and so on`));
    await proxy.records(1);
    assertDone(await command(proxy, 'tee', 'off'));
    await answerOf(await ask(proxy, SONNET, 'not sampled any more'));
    await proxy.records(2);
    const samples = readFileSync(file, 'utf8');
    const lines = samples
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      lines.map(({ direction, lane }) => [direction, lane]),
      [
        ['request', 'anthropic'],
        ['response', 'anthropic'],
      ],
    );
    assert.match(lines[0].body, /my key \[redacted\] \[redacted\] and so on/);
    for (const secret of secrets) assert(!samples.includes(secret));
    assert.equal(statSync(file).mode & 0o777, 0o600);
  });
});

/** Waits for a text in all that a proxy has printed. */
async function said(proxy: ProxyProcess, text: string): Promise<void> {
  let heard = '';
  const { stderr } = proxy.child;
  assert(stderr !== null);
  while (!heard.includes(text)) heard += String((await once(stderr, 'data'))[0]);
}

describe('what a running proxy tells', () => {
  test('status --json has the fields of its type, and counts', async (t) => {
    const proxy = await startProxyProcess(t, { env: { ZAI_API_KEY: TWIN_ZAI_KEY } });
    await exchange(proxy, SONNET, 1);
    const { stdout, code } = await command(proxy, 'status', '--json');
    assert.equal(code, 0);
    const status = JSON.parse(stdout) as ServedStatus;
    const types = readFileSync(path.join(ROOT, 'src', 'admin', 'types.ts'), 'utf8');
    const fieldsOf = (name: string): string[] => {
      const block =
        new RegExp(`interface ${name}[^{]*\\{\\n(.*?)\\n\\}`, 's').exec(types)?.[1] ?? '';
      return [...block.matchAll(/^ {2}readonly (\w+)(?=:)/gm)].map(([, field = '']) => field);
    };
    const [lane] = status.lanes;
    for (const [value, name] of [
      [status, 'StatusReport'],
      [status, 'ServedStatus'],
      [lane, 'LaneStatus'],
      [status.ledger, 'LedgerStatus'],
    ] as const) {
      const fields = fieldsOf(name);
      assert.notEqual(fields.length, 0, name);
      for (const field of fields) assert(Object.hasOwn(value ?? {}, field), `${name}.${field}`);
    }
    assert.deepEqual(
      [status.listen.port, status.home, status.twin, status.pid, status.paused, status.draining],
      [proxy.port, proxy.home, true, proxy.child.pid, false, false],
    );
    assert.deepEqual([lane?.name, lane?.exchanges, lane?.errors], ['anthropic', 1, 0]);
    assert.deepEqual([status.exchanges.total, status.exchanges.open], [1, 0]);
    assert(!stdout.includes(TWIN_ZAI_KEY));
    const people = await command(proxy, 'status');
    assertDone(people);
    assert.match(people.stdout, /anthropic \(default\)/);
  });

  test('tail --json prints each exchange as it stands in the ledger, and Ctrl-C ends it', async (t) => {
    const proxy = await startProxyProcess(t);
    const tail = startCommand(['tail', '--json'], { home: proxy.home });
    t.after(() => void tail.child.kill('SIGKILL'));
    const heard = tail.printed('\n');
    // Nothing says when it has begun to follow: exchanges are made until it has seen one.
    let count = 0;
    let line: string | null = null;
    heard.then((text) => {
      line = text.slice(0, text.indexOf('\n'));
    });
    while (line === null) {
      count += 1;
      await exchange(proxy, SONNET, count);
    }
    const records = await proxy.records(count);
    const shown = JSON.parse(line) as UsageRecord;
    assert.deepEqual(
      shown,
      records.find(({ rid }) => rid === shown.rid),
    );
    tail.child.kill('SIGINT');
    assert.equal((await tail.done).code, 130);
  });

  test('doctor finds a healthy set-up healthy, the trust proved end to end', async (t) => {
    const proxy = await startProxyProcess(t);
    const { code, stdout } = await command(proxy, 'doctor', '--json');
    assert.equal(code, 0, stdout);
    const { ok, findings } = JSON.parse(stdout) as {
      ok: boolean;
      findings: { check: string; level: string; mend: string | null }[];
    };
    assert.equal(ok, true);
    assert.equal(findings.find(({ check }) => check === 'trust')?.level, 'ok');
    for (const { level, mend } of findings) if (level !== 'ok') assert.notEqual(mend, null);
    // The proof leaves nothing: no exchange, no record.
    const status = JSON.parse((await command(proxy, 'status', '--json')).stdout) as ServedStatus;
    assert.equal(status.exchanges.total, 0);
  });
});

describe('commands that need no proxy', () => {
  test('every command of the contract has --help', async (t) => {
    const home = await tempHome(t);
    const contract = readFileSync(path.join(ROOT, 'docs', 'contract.md'), 'utf8');
    const table = contract.slice(
      contract.indexOf('## Commands'),
      contract.indexOf('## Environment'),
    );
    const names = [...table.matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`(\w+)/g)].map(([, name = '']) => name),
    );
    assert(names.length >= 16, names.join());
    const asked = [...names.map((name) => [name]), ['ca', 'show'], ['ca', 'rotate'], []];
    // A few at a time: each is a process.
    for (let i = 0; i < asked.length; i += 4) {
      await Promise.all(
        asked.slice(i, i + 4).map(async (name) => {
          const { code, stdout } = await runCommand([...name, '--help'], { home });
          assert.equal(code, 0, name.join(' '));
          assert.match(stdout, new RegExp(`^Usage: lanekeeper ?${name.join(' ')}`), name.join(' '));
          assert.match(stdout, /--home <dir>/);
        }),
      );
    }
    assert.deepEqual(readdirSync(home), []);
  });

  test('wrong usage is 2, a bad configuration 78, and neither prints anything on stdout', async (t) => {
    const home = await tempHome(t);
    writeFileSync(path.join(home, 'bad.yaml'), 'lanse: {}\n');
    for (const [args, expected, text] of [
      [['nonsense'], 2, /unknown command/],
      [['start', '--nonsense'], 2, /unknown option/],
      [['start', '--port', 'many'], 2, /port/],
      [['force', 'perhaps'], 2, /on, off/],
      [['run'], 2, /command/],
      [['start', '--config', 'bad.yaml'], 78, /bad\.yaml:1 lanse: unknown setting\n.*lanes/],
      [['start', '--config', 'none.yaml'], 78, /none\.yaml/],
    ] as const) {
      const { code, stdout, stderr } = await runCommand(args, { home });
      assert.equal(code, expected, `${args.join(' ')}: ${stderr}`);
      assert.equal(stdout, '');
      assert.match(stderr, text);
    }
  });

  test('ca: path makes it, show names it, rotate keeps the former, remove takes it away', async (t) => {
    const home = await tempHome(t);
    const bundle = path.join(home, 'ca', 'ca-cert.pem');
    const made = await runCommand(['ca', 'path'], { home });
    assert.equal(made.stdout, `${bundle}\n`);
    const certificates = (): number => readFileSync(bundle, 'utf8').split('BEGIN CERT').length - 1;
    assert.equal(certificates(), 1);
    const shown = await runCommand(['ca', 'show', '--json'], { home });
    const facts = JSON.parse(shown.stdout) as { hosts: string[]; fingerprint256: string };
    assert.deepEqual(facts.hosts, ['api.anthropic.com']);
    const rotated = await runCommand(['ca', 'rotate', '--json'], { home });
    assertDone(rotated);
    assert.notEqual(JSON.parse(rotated.stdout).fingerprint256, facts.fingerprint256);
    assert.equal(certificates(), 2);
    assert.equal(statSync(path.join(home, 'ca', 'leaf-key.pem')).mode & 0o777, 0o600);
    assertDone(await runCommand(['ca', 'remove'], { home }));
    assert.equal(existsSync(bundle), false);
  });

  test('env: what it prints sets a shell up, and unsets what leads elsewhere', async (t) => {
    const home = await tempHome(t);
    const { stdout, code } = await runCommand(['env', '8099'], { home });
    assert.equal(code, 0);
    const { spawnSync } = await import('node:child_process');
    const shell = spawnSync('sh', ['-c', `${stdout}\nenv`], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'] ?? '', ANTHROPIC_BASE_URL: 'http://elsewhere' },
    });
    assert.match(shell.stdout, /^HTTPS_PROXY=http:\/\/127\.0\.0\.1:8099$/m);
    assert.match(shell.stdout, new RegExp(`^NODE_EXTRA_CA_CERTS=${home}/ca/ca-cert\\.pem$`, 'm'));
    assert.doesNotMatch(shell.stdout, /ANTHROPIC_BASE_URL/);
  });

  test('versions and completion print; demo proves itself', async (t) => {
    const home = await tempHome(t);
    const versions = await runCommand(['versions', '--json'], { home });
    assertDone(versions);
    const written = JSON.parse(readFileSync(path.join(home, 'VERSIONS.json'), 'utf8'));
    assert.deepEqual(JSON.parse(versions.stdout), written);
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { code, stdout } = await runCommand(['completion', shell], { home });
      assert.equal(code, 0);
      assert.match(stdout, /lanekeeper/);
    }
    const demo = await runCommand(['demo', '--json'], { home });
    assert.equal(demo.code, 0, `${demo.stdout}${demo.stderr}`);
    assert.equal((JSON.parse(demo.stdout) as { ok: boolean }).ok, true);
    assert.equal(await isRunning(home), false);
  });

  test('run: the status of its command, and nothing left behind', async (t) => {
    const home = await tempHome(t);
    const env = { MITM_PORT: '0' };
    const show = 'echo "$HTTPS_PROXY"; exit 7';
    const ran = await runCommand(['run', '--twin', '--', 'sh', '-c', show], { home, env });
    assert.equal(ran.code, 7, ran.stderr);
    const port = Number(new URL(ran.stdout.trim()).port);
    await refused(port);
    assert.equal(await isRunning(home), false);
    assert.deepEqual(readdirSync(path.join(home, 'run')), []);
  });

  test('a port in use is named, with the mend, and costs nothing of what is there', async (t) => {
    const home = await tempHome(t);
    const other = net.createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    t.after(() => void other.close());
    const { port } = other.address() as net.AddressInfo;
    const { code, stdout, stderr } = await runCommand(['start', '--port', String(port)], { home });
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, new RegExp(`127\\.0\\.0\\.1:${port} is in use.*--port or MITM_PORT`));
    assert.equal(await isRunning(home), false);
  });
});
