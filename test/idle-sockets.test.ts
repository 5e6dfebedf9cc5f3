/**
 * Idle connections that the edge closes at a set time, and a client that comes back after about that
 * time, so that its requests cross the closing: without the proxy it meets broken connections, through
 * it none, and nothing is sent twice.
 *
 * The crossing is made, not hoped for: shortly before the time this process (client, proxy, twin) goes
 * deaf until it is over. Then both timers are due, the twin's and the client's: the one closes, the
 * other sends, and only after that anybody hears anything.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { Fault, Twin } from '../src/twin/index.ts';
import { type RawConnection, rawConnect } from './support/raw-client.ts';
import { connectTo } from './support/raw-exchange.ts';
import { type Rig, startRig } from './support/rig.ts';

const IDLE_MS = 1_200;
/** How long before the time the process goes deaf, and for how long. */
const EARLY_MS = 30;
const DEAF_MS = 60;
const CLIENTS = 3;
const ROUNDS = 3;
const HOST = 'api.anthropic.com';

type Connect = () => Promise<RawConnection>;

async function untilClosing(): Promise<void> {
  await wait(IDLE_MS - EARLY_MS);
  const due = wait(EARLY_MS);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, DEAF_MS);
  await due;
}

function requestOf(name: string): string {
  const body = JSON.stringify({
    model: 'claude-sonnet-5-5',
    max_tokens: 64,
    stream: true,
    messages: [{ role: 'user', content: `[twin: say ${name}]` }],
  });
  const fields = [
    `Host: ${HOST}`,
    'x-api-key: fake-key-of-tests',
    `Content-Length: ${body.length}`,
  ];
  return `POST /v1/messages HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n${body}`;
}

/** Asks once and, after each pause, again; a request that came to nothing is asked anew, as people do. */
async function visit(name: string, connect: Connect): Promise<{ broken: number }> {
  let broken = 0;
  let connection = await connect();
  const ask = async (id: string): Promise<void> => {
    await connection.send(requestOf(id));
    const answer = await connection.readAnswer('POST');
    assert.equal(answer.status, 200);
    const text = answer.body.toString();
    assert(text.includes(id) && text.includes('event: message_stop'), 'the answer is whole');
  };
  for (let round = 0; round <= ROUNDS; round += 1) {
    const id = `${name}-${round}`;
    if (round > 0) await untilClosing();
    try {
      await ask(id);
    } catch (cause) {
      if (cause instanceof assert.AssertionError) throw cause;
      broken += 1;
      connection.destroy();
      connection = await connect();
      await ask(id);
    }
  }
  connection.destroy();
  return { broken };
}

async function visits(how: string, connect: Connect): Promise<number> {
  const names = Array.from({ length: CLIENTS }, (_, index) => `${how}-${index}`);
  const seen = await Promise.all(names.map((name) => visit(name, connect)));
  return seen.reduce((sum, { broken }) => sum + broken, 0);
}

function countOf(twin: Twin, how: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { body } of twin.anthropic.requests()) {
    const id = new RegExp(`${how}-\\d-\\d`).exec(body.toString())?.[0];
    if (id !== undefined) counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return counts;
}

async function assertUnharmed(rig: Rig): Promise<void> {
  const throughBroken = await visits('through', () => connectTo(rig.proxy, rig.ca, 'connect'));
  assert.equal(throughBroken, 0, 'through the proxy no connection breaks');
  const counts = countOf(rig.twin, 'through');
  assert.equal(counts.size, CLIENTS * (ROUNDS + 1));
  assert(
    [...counts.values()].every((count) => count === 1),
    'nothing came twice',
  );
  const records = await rig.records(counts.size);
  assert.equal(records.length, counts.size);
  for (const { status, sse, intact, err_type, attempts } of records) {
    assert.deepEqual([status, sse, intact, err_type], [200, 'complete', true, null]);
    assert.equal(attempts, 1, 'no attempt met a dead connection');
  }
}

async function startWith(t: TestContext, fault: Fault, env = {}): Promise<Rig> {
  const rig = await startRig(t, { env });
  await rig.twin.setFaults({ rules: [{ fault }] });
  return rig;
}

for (const how of ['fin', 'reset'] as const) {
  test(`idle connections that end by ${how}: broken without the proxy, none through it`, async (t) => {
    const rig = await startWith(t, { kind: 'idle_close', ms: IDLE_MS, how });
    const { anthropic } = rig.twin;
    const broken = await visits('direct', () =>
      rawConnect({ to: anthropic, tls: { ca: anthropic.ca, servername: 'localhost' } }),
    );
    assert.equal(
      broken,
      CLIENTS * ROUNDS,
      'without the proxy every crossing is a broken connection',
    );
    await assertUnharmed(rig);
  });

  test(`idle HTTP/2 sessions that end by ${how}: no client of HTTP/1.1 hears of it`, async (t) => {
    const fault = { kind: 'idle_close', ms: IDLE_MS, how } as const;
    const rig = await startWith(t, fault, { MITM_HTTP2: '1' });
    await assertUnharmed(rig);
    assert(rig.twin.anthropic.requests().every(({ protocol }) => protocol === 'h2'));
  });
}
