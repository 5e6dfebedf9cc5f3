/**
 * The ledger as evidence: one record per exchange however it ends, in the fields of the contract, in
 * a file that survives rotation, a torn end and a full disk without ever holding up an exchange.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import http2 from 'node:http2';
import path from 'node:path';
import { describe, test } from 'node:test';
import { LEDGER_BYTES_MAX } from '../src/core/limits.ts';
import type { UsageRecord } from '../src/ledger/record.ts';
import { runCommand, startCommand } from './support/command.ts';
import { startFaultUpstream, type Visit } from './support/fault-upstream.ts';
import { BEGUN, CHUNKED_HEAD, chunk, LAST_CHUNK, WHOLE, withUpstream } from './support/faults.ts';
import { tempHome } from './support/home.ts';
import { readRecords } from './support/proxy-process.ts';
import { rawConnect } from './support/raw-client.ts';
import {
  connectTo,
  exchangeOnce,
  headOf,
  type RequestParts,
  type Shape,
} from './support/raw-exchange.ts';
import { type Rig, startRig } from './support/rig.ts';

const ROOT = path.join(import.meta.dirname, '..');
const SONNET = 'claude-sonnet-5-5';

function messages(kind: string, key: string, model = SONNET): RequestParts {
  const body = { model, max_tokens: 9, stream: true, messages: [{ role: 'user', content: kind }] };
  return { fields: fieldsOf(kind, key), body: Buffer.from(JSON.stringify(body)) };
}

/** The session tells in the ledger which kind an exchange was of. */
function fieldsOf(kind: string, key: string): Record<string, string> {
  return { 'x-api-key': key, 'x-claude-code-session-id': kind, 'content-type': 'application/json' };
}

function sessionOf(kind: string): string {
  return createHash('sha256').update(kind).digest('hex').slice(0, 16);
}

/** Serves one request after the other, each as its session asks. */
async function serveKinds(visit: Visit): Promise<void> {
  for (;;) {
    const { head } = await visit.request();
    const kind = /\r\nx-claude-code-session-id: (\S+)\r\n/i.exec(head)?.[1] ?? '';
    switch (kind) {
      case 'stream':
        await visit.send(
          Buffer.concat([Buffer.from(CHUNKED_HEAD), chunk(WHOLE), Buffer.from(LAST_CHUNK)]),
        );
        break;
      case 'head':
        await visit.send('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n');
        break;
      case 'missing':
        await visit.send('HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno');
        break;
      case 'overloaded':
        await visit.send('HTTP/1.1 529 Overloaded\r\nContent-Length: 2\r\n\r\nno');
        break;
      case 'cut':
        await visit.send(Buffer.concat([Buffer.from(CHUNKED_HEAD), chunk(BEGUN)]));
        visit.end();
        return;
      case 'reset':
        visit.reset();
        return;
      case 'upgrade':
        await visit.send(
          'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n',
        );
        await visit.send(await visit.reader.exactly(4));
        visit.end();
        return;
      case 'leave':
        await visit.send(Buffer.concat([Buffer.from(CHUNKED_HEAD), chunk(BEGUN)]));
        return;
      case 'wait':
        return;
      default:
        await visit.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    }
  }
}

const SHAPES: readonly Shape[] = ['connect', 'gateway', 'h2'];

/** Each kind: how one exchange of it is made, how many, and what its records say. */
interface Kind {
  readonly name: string;
  readonly count: number;
  readonly run: (rig: Rig, index: number) => Promise<unknown>;
  readonly record: Partial<UsageRecord>;
}

function shapeOf(index: number): Shape {
  return SHAPES[index % SHAPES.length] ?? 'gateway';
}

function asking(kind: string): Kind['run'] {
  return (rig, index) =>
    exchangeOnce(
      rig.proxy,
      rig.ca,
      shapeOf(index),
      messages(kind, `sk-ant-fake-${kind}-${index % 4}`),
    );
}

function getting(kind: string, method: string, target: string): Kind['run'] {
  return (rig, index) =>
    exchangeOnce(rig.proxy, rig.ca, shapeOf(index), {
      method,
      path: target,
      fields: fieldsOf(kind, `sk-ant-fake-${kind}-${index % 4}`),
    });
}

/** Leaves in the middle of the answer, or before it once the proxy has reached the upstream. */
function leaving(kind: 'leave' | 'wait', arrived: () => Promise<unknown>): Kind['run'] {
  return async (rig, index) => {
    const request = messages(kind, `sk-ant-fake-${kind}-${index}`);
    const shape = shapeOf(index);
    const there = kind === 'wait' ? arrived() : null;
    if (shape === 'h2') {
      const session = http2.connect(rig.proxy.url);
      session.on('error', () => {});
      const stream = session.request({
        ':method': 'POST',
        ':path': '/v1/messages',
        ...request.fields,
      });
      stream.on('error', () => {});
      const data = new Promise((resolve) => stream.once('data', resolve));
      stream.end(request.body);
      await (kind === 'leave' ? data : there);
      stream.close(http2.constants.NGHTTP2_CANCEL);
      session.close();
      return;
    }
    const connection = await connectTo(rig.proxy, rig.ca, shape);
    await connection.send(headOf(rig.proxy, shape, request));
    await connection.send(request.body ?? '');
    await (kind === 'leave' ? connection.reader.through('half') : there);
    connection.tcp.resetAndDestroy();
  };
}

async function upgrading(rig: Rig, index: number): Promise<void> {
  const connection = await connectTo(rig.proxy, rig.ca, index % 2 === 0 ? 'connect' : 'gateway');
  const host = index % 2 === 0 ? 'api.anthropic.com' : '127.0.0.1';
  await connection.send(
    `GET /v1/ws HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: echo\r\nx-api-key: k\r\nx-claude-code-session-id: upgrade\r\n\r\nping`,
  );
  assert.equal((await connection.readHead()).status, 101);
  assert.equal((await connection.reader.exactly(4)).toString(), 'ping');
  await connection.reader.ending;
  connection.destroy();
}

/** Twenty requests in one write on one connection. */
async function pipelining(rig: Rig): Promise<void> {
  const connection = await connectTo(rig.proxy, rig.ca, 'gateway');
  const one =
    'GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nx-api-key: k\r\nx-claude-code-session-id: pipelined\r\n\r\n';
  await connection.send(one.repeat(20));
  for (let i = 0; i < 20; i += 1) assert.equal((await connection.readAnswer()).status, 200);
  connection.destroy();
}

describe('one record per exchange', () => {
  test('over a mixed run of streams, errors, cuts, aborts, HEAD, upgrades and pipelines', async (t) => {
    const upstream = await startFaultUpstream(t);
    upstream.script = (visit) => serveKinds(visit);
    const rig = await startRig(t, { config: withUpstream(upstream) });
    /** Resolves once another connection has come to the upstream. */
    const arrived = async (): Promise<void> => {
      const { length } = upstream.visits;
      while (upstream.visits.length === length) await new Promise(setImmediate);
    };
    const KINDS: readonly Kind[] = [
      {
        name: 'stream',
        count: 60,
        run: asking('stream'),
        record: { status: 200, sse: 'complete', intact: true, err_type: null, attempts: 1 },
      },
      {
        name: 'json',
        count: 15,
        run: getting('json', 'GET', '/v1/models'),
        record: { status: 200, sse: null, intact: true, err_type: null, decision: 'passthrough' },
      },
      {
        name: 'head',
        count: 15,
        run: getting('head', 'HEAD', '/api/hello'),
        record: { status: 200, sse: null, intact: true, bytes_down: 0 },
      },
      {
        name: 'missing',
        count: 15,
        run: getting('missing', 'GET', '/v1/none?token=not-recorded'),
        record: { status: 404, err_type: '4xx', path: '/v1/none', intact: true },
      },
      {
        name: 'overloaded',
        count: 15,
        run: asking('overloaded'),
        record: { status: 529, err_type: '5xx', intact: true, attempts: 1 },
      },
      {
        name: 'cut',
        count: 15,
        run: asking('cut'),
        record: { status: 200, sse: 'cut', err_type: 'net', intact: false },
      },
      {
        name: 'reset',
        count: 12,
        run: asking('reset'),
        record: { status: 502, sse: null, err_type: 'net', intact: false },
      },
      {
        name: 'upgrade',
        count: 10,
        run: upgrading,
        record: { status: 101, sse: null, err_type: null, bytes_up: 4, bytes_down: 4 },
      },
      {
        name: 'leave',
        count: 15,
        run: leaving('leave', arrived),
        record: { status: 200, sse: 'client_gone', intact: false, err_type: null },
      },
      {
        name: 'wait',
        count: 9,
        run: leaving('wait', arrived),
        record: { status: null, sse: null, intact: false, err_type: null, bytes_down: 0 },
      },
      {
        name: 'pipelined',
        count: 20,
        run: (all, index) => (index === 0 ? pipelining(all) : Promise.resolve()),
        record: { status: 200, intact: true, attempts: 1 },
      },
    ];
    // Refused by the edge: no exchanges, and so no records.
    for (const origin of ['https://a.example', 'null']) {
      const fields = { ...fieldsOf('refused', 'k'), Origin: origin };
      const seen = await exchangeOnce(rig.proxy, rig.ca, 'gateway', {
        ...messages('refused', 'k'),
        fields,
      });
      assert.equal(seen.status, 403);
    }
    const lanes = KINDS.filter(({ name }) => name !== 'wait').map(async ({ count, run }) => {
      for (let index = 0; index < count; index += 1) await run(rig, index);
    });
    await Promise.all(lanes);
    const wait = KINDS.find(({ name }) => name === 'wait');
    for (let index = 0; index < (wait?.count ?? 0); index += 1) await wait?.run(rig, index);

    const total = KINDS.reduce((sum, { count }) => sum + count, 0);
    const records = await rig.records(total);
    assert.equal(records.length, total);
    assert.equal(new Set(records.map(({ rid }) => rid)).size, total, 'every id once');
    for (const { name, count, record: expected } of KINDS) {
      const found = records.filter(({ session }) => session === sessionOf(name));
      assert.equal(found.length, count, name);
      for (const record of found) {
        const names = Object.keys(expected) as (keyof UsageRecord)[];
        const actual = Object.fromEntries(names.map((field) => [field, record[field]]));
        assert.deepEqual(actual, expected, name);
      }
    }
    const status = rig.proxy.control.status();
    assert.deepEqual([status.exchanges.total, status.exchanges.open], [total, 0]);
    assert.deepEqual([status.ledger.written, status.ledger.dropped], [total, 0]);
    assertContract(readFileSync(path.join(rig.home, 'logs', 'usage.jsonl'), 'utf8'));
    const anomalies = await rig.anomalies();
    const kinds = new Set(anomalies.map(({ kind }) => kind));
    assert.deepEqual([...kinds].sort(), ['stream_incomplete', 'upstream_failure']);
  });
});

/** The fields of a record in their order, as docs/contract.md has them. */
function contractFields(): string[] {
  const contract = readFileSync(path.join(ROOT, 'docs', 'contract.md'), 'utf8');
  const section = contract.slice(
    contract.indexOf('## Ledger record'),
    contract.indexOf('## Session record'),
  );
  return [...section.matchAll(/^\| (`.+?) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`(\w+)`/g)].map(([, name = '']) => name),
  );
}

const DECISION = /^(forced_model|subagent|rule:[a-z0-9_-]+|default|paused|passthrough|fallback)$/;
const ONE_OF: Readonly<Record<string, readonly unknown[]>> = {
  op: ['stream', 'nonstream'],
  err_type: [null, '401', '429', '5xx', '4xx', 'net', 'timeout'],
  sse: [null, 'complete', 'upstream_error', 'cut', 'stalled', 'client_gone'],
  agent: [null, 'main', 'subagent'],
  header_mode: [null, 'x-api-key', 'authorization'],
};

/** Every line has exactly the fields of the contract in its order, and values of its sets. */
function assertContract(text: string): void {
  const fields = contractFields();
  assert(fields.length > 30, fields.join());
  for (const line of text.trimEnd().split('\n')) {
    const record = JSON.parse(line) as Record<string, unknown>;
    assert.deepEqual(Object.keys(record), fields);
    assert.match(String(record['decision']), DECISION);
    for (const [name, values] of Object.entries(ONE_OF))
      assert(values.includes(record[name]), name);
    assert.match(String(record['session']), /^([0-9a-f]{16}|null)$/);
    assert.match(line, /^\{"ts":\d+(\.\d{1,3})?,/);
  }
}

/** Looks again and again, a turn of the event loop apart; the test's own timeout is the bound. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}

describe('the files of the ledger', () => {
  const usage = (home: string): string => path.join(home, 'logs', 'usage.jsonl');
  const hello = (rig: Rig) =>
    exchangeOnce(rig.proxy, rig.ca, 'gateway', { method: 'GET', path: '/api/hello' });

  /** A rig whose home has a ledger already. */
  function prepared(
    t: Parameters<typeof startRig>[0],
    prepare: (logs: string) => void,
  ): Promise<Rig> {
    return startRig(t, {
      config: (config) => {
        const logs = path.join(config.home, 'logs');
        mkdirSync(logs, { recursive: true, mode: 0o700 });
        prepare(logs);
        return config;
      },
    });
  }

  test('a file of full size is rotated before the next record; both are private', async (t) => {
    const line = `${JSON.stringify({ rid: 'old', filling: 'x'.repeat(1_000) })}\n`;
    const rig = await prepared(t, (logs) => {
      const lines = Math.ceil(LEDGER_BYTES_MAX / line.length);
      writeFileSync(path.join(logs, 'usage.jsonl'), Buffer.alloc(lines * line.length, line), {
        mode: 0o600,
      });
    });
    const { size } = statSync(usage(rig.home));
    assert.equal((await hello(rig)).status, 200);
    await until(() => {
      const now = statSync(usage(rig.home), { throwIfNoEntry: false })?.size ?? 0;
      return now > 0 && now < size;
    });
    const [record, ...others] = await rig.records(1);
    assert.equal(others.length, 0);
    assert.equal(record?.path, '/api/hello');
    const files = readdirSync(path.join(rig.home, 'logs')).filter((name) =>
      name.startsWith('usage'),
    );
    assert.equal(files.length, 2);
    for (const file of files) {
      assert.match(file, /^usage(-\d{8}T\d{9}Z)?\.jsonl$/);
      assert.equal(statSync(path.join(rig.home, 'logs', file)).mode & 0o777, 0o600);
    }
  });

  test('a torn last line is closed at the start, kept, and said', async (t) => {
    const torn = '{"ts":1,"rid":"torn","lane":"anth';
    const rig = await prepared(t, (logs) => {
      writeFileSync(path.join(logs, 'usage.jsonl'), `{"rid":"whole"}\n${torn}`, { mode: 0o600 });
    });
    assert.equal((await hello(rig)).status, 200);
    await until(() => readFileSync(usage(rig.home), 'utf8').includes('/api/hello'));
    const lines = readFileSync(usage(rig.home), 'utf8').split('\n');
    assert.deepEqual(lines.slice(0, 2), ['{"rid":"whole"}', `${torn}!`]);
    assert.equal((JSON.parse(lines[2] ?? '') as UsageRecord).path, '/api/hello');
    assert.deepEqual(lines.slice(3), ['']);
    const anomalies = await rig.anomalies();
    assert.deepEqual(
      anomalies.map(({ kind, code }) => [kind, code]),
      [['internal', 'torn_line']],
    );
  });

  test('MITM_FILTER_CHAIN: only /v1/messages is recorded, anomalies always', async (t) => {
    const rig = await startRig(t, {
      env: { MITM_FILTER_CHAIN: '1', FORCE_HAIKU_TO_ZAI: '1' },
      twin: { zaiCountTokens: false },
    });
    assert.equal((await hello(rig)).status, 200);
    const haiku = messages('filtered', 'sk-ant-fake-filter', 'claude-haiku-5-5');
    const counted = await exchangeOnce(rig.proxy, rig.ca, 'gateway', {
      ...haiku,
      path: '/v1/messages/count_tokens',
    });
    assert.equal(counted.status, 200);
    assert.equal((await exchangeOnce(rig.proxy, rig.ca, 'gateway', haiku)).status, 200);
    const records = await rig.records(1);
    assert.deepEqual(
      records.map(({ path: target }) => target),
      ['/v1/messages'],
    );
    assert.deepEqual(
      (await rig.anomalies()).map(({ kind }) => kind),
      ['fallback'],
    );
    assert.equal(rig.proxy.control.status().exchanges.total, 3);
  });

  const noDevice = existsSync('/dev/full') ? false : 'no /dev/full here';
  test('a full disk stops nothing, is told once, and what waited is written when there is room', {
    skip: noDevice,
  }, async (t) => {
    const home = await tempHome(t);
    mkdirSync(path.join(home, 'logs'), { mode: 0o700 });
    symlinkSync('/dev/full', usage(home));
    const started = startCommand(['start', '--twin', '--port', '0'], { home });
    t.after(() => void started.child.kill('SIGKILL'));
    const port = Number(/:(\d+)\n/.exec(await started.printed('\n'))?.[1]);
    for (let i = 0; i < 5; i += 1) {
      const connection = await rawConnect({ to: { host: '127.0.0.1', port } });
      await connection.send('GET /api/hello HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
      assert.equal((await connection.readAnswer()).status, 200);
      connection.destroy();
    }
    await started.said('can not be written (ENOSPC)');
    const status = await runCommand(['status', '--json'], { home });
    const { ledger } = JSON.parse(status.stdout) as { ledger: { fault: string; written: number } };
    assert.match(ledger.fault, /usage\.jsonl can not be written \(ENOSPC\)/);
    assert.equal(ledger.written, 0);
    rmSync(usage(home));
    const records = await readRecords(home, 5);
    assert.equal(new Set(records.map(({ rid }) => rid)).size, 5);
    started.child.kill('SIGTERM');
    const { code, stderr } = await started.done;
    assert.equal(code, 0);
    assert.equal(stderr.split('ENOSPC').length - 1, 1, stderr);
  });

  test('a home that can not be written is told at the start, and the proxy serves', async (t) => {
    const rig = await prepared(t, (logs) => {
      rmSync(logs, { recursive: true });
      writeFileSync(logs, 'a file where the folder should be');
    });
    for (let i = 0; i < 3; i += 1) assert.equal((await hello(rig)).status, 200);
    const { ledger, exchanges } = rig.proxy.control.status();
    assert.equal(exchanges.total, 3);
    assert.match(ledger.fault ?? '', /can not be written \((ENOTDIR|EEXIST)\)/);
    const faults = rig.warnings.filter(({ event }) => event === 'ledger');
    assert.equal(faults.length, 2, 'once for each of the two files');
  });
});
