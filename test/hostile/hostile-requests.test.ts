/**
 * Every hostile request of the catalogue, over real sockets, on the plain port and inside of the TLS
 * of the intercepted host: what the client is told, what reaches the upstream, what the ledger says;
 * and that the next ordinary request is served as if nothing had been.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type RecordedRequest, valuesOf } from '../support/recording-upstream.ts';
import { converse } from './converse.ts';
import { type Entry, sharedPlace } from './place.ts';
import { REQUEST_CASES, REQUEST_GROUPS } from './requests.ts';
import type { HostileRequest, Reached } from './types.ts';

const PATIENCE_MS = 30_000;
const ORDINARY = 'GET /v1/ordinary HTTP/1.1';

const place = sharedPlace();
let records = 0;

/** The bytes of a request as this program writes it. */
function sizeOf({ start, fields, wire }: RecordedRequest): number {
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`);
  return `${start}\r\n${lines.join('')}\r\n`.length + wire.length;
}

function assertReached(request: RecordedRequest | undefined, expected: Reached): void {
  assert(request !== undefined, `${expected.start} reached nobody`);
  assert.equal(request.start, expected.start);
  assert.equal(request.payload.toString('latin1'), expected.body ?? '');
  const lines = request.fields.map(([name, value]) => `${name}: ${value}`);
  for (const line of expected.lines ?? []) assert(lines.includes(line), `${line} in ${lines}`);
  for (const name of expected.without ?? []) assert.deepEqual(valuesOf(request.fields, name), []);
  const lengths = valuesOf(request.fields, 'content-length').length;
  assert(lengths + valuesOf(request.fields, 'transfer-encoding').length <= 1, 'one framing');
  assert.equal(valuesOf(request.fields, 'host').length, 1);
}

async function ask(): Promise<void> {
  const connection = await place().open('plain');
  const request = `${ORDINARY}\r\nHost: ${place().hostOf('plain')}\r\n\r\n`;
  const seen = await converse(connection, request, false, {
    answers: 1,
    end: false,
    ms: PATIENCE_MS,
  });
  connection.destroy();
  assert.deepEqual(seen.statuses, [200], 'the next ordinary request is served');
  records += 1;
}

async function run(hostile: HostileRequest, entry: Entry): Promise<void> {
  const { recorder, rig } = place();
  recorder.clear();
  const { answered, reaches } = hostile;
  const connection = await place().open(entry);
  const to = { host: place().hostOf(entry), port: rig.proxy.port };
  const seen = await converse(connection, hostile.bytes(to), hostile.fin === true, {
    answers: answered.statuses.length,
    end: answered.closes,
    ms: PATIENCE_MS,
  });
  assert.deepEqual(seen.statuses, answered.statuses);
  assert.equal(seen.code, answered.code ?? null);
  assert.equal(seen.closed, answered.closes, 'the end of the connection');
  if (!answered.closes) {
    const again = `${ORDINARY}\r\nHost: ${to.host}\r\n\r\n`;
    const next = await converse(connection, again, false, {
      answers: 1,
      end: false,
      ms: PATIENCE_MS,
    });
    assert.deepEqual(next.statuses, [200], 'the connection is as good as before');
    records += 1;
  }
  connection.destroy();
  records += hostile.records;
  await ask();
  const ordinary = answered.closes ? 1 : 2;
  const expected = reaches.kind === 'whole' ? reaches.requests : [];
  const reached = recorder.requests.slice(0, recorder.requests.length - ordinary);
  assert.deepEqual(
    reached.map(({ start }) => start),
    expected.map(({ start }) => start),
  );
  for (const [index, each] of expected.entries()) assertReached(reached[index], each);
  for (const each of recorder.requests.slice(-ordinary)) assert.equal(each.start, ORDINARY);
  if (reaches.kind !== 'part') {
    const whole = recorder.requests.reduce((sum, request) => sum + sizeOf(request), 0);
    assert.equal(recorder.bytes(), whole, 'no byte beside whole requests');
  }
}

test('the names of the catalogue are unique', () => {
  const names = REQUEST_CASES.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
});

for (const { title, cases } of REQUEST_GROUPS) {
  for (const entry of ['plain', 'tls'] as const) {
    describe(`${title} (${entry})`, () => {
      for (const hostile of cases) {
        if (entry === 'tls' && hostile.plainOnly === true) continue;
        test(hostile.name, () => run(hostile, entry));
      }
    });
  }
}

test('one record for each exchange that began, and none besides', async () => {
  const all = await place().rig.records(records);
  assert.equal(all.length, records);
  const { connections, exchanges } = place().rig.proxy.control.status();
  assert.equal(exchanges.open, 0);
  assert(connections <= 1, `${connections} connections are open`);
});
