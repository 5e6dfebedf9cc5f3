/**
 * Every hostile answer of the catalogue, from a real upstream through the proxy to a real client: what
 * the client gets, whether a part could be taken for the whole, whether the upstream's connection is
 * used again; and that the next ordinary request gets its own answer. Down a lane, and by the plain
 * forward proxy (`http://` in the target), which is another reader of answers.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { rawConnect } from '../support/raw-client.ts';
import { exchangeOnce, readAll, type Seen } from '../support/raw-exchange.ts';
import { ANSWER_CASES, ANSWER_GROUPS } from './answer-cases.ts';
import { sharedPlace } from './place.ts';
import { OK } from './recorder.ts';
import type { HostileAnswer } from './types.ts';

const place = sharedPlace();

type Shape = 'gateway' | 'connect' | 'forward';

async function ask(shape: Shape, method: string, path: string): Promise<Seen> {
  const { proxy, ca } = place().rig;
  if (shape !== 'forward') return exchangeOnce(proxy, ca, shape, { method, path });
  const connection = await rawConnect({ to: { host: '127.0.0.1', port: proxy.port } });
  const host = `127.0.0.1:${place().recorder.port}`;
  const lines = [`${method} http://${host}${path} HTTP/1.1`, `Host: ${host}`, 'Connection: close'];
  await connection.send(`${lines.join('\r\n')}\r\n\r\n`);
  const all = await connection.reader.rest();
  const seen = readAll(all, await connection.reader.ending, method);
  connection.destroy();
  return seen;
}

async function askOrdinary(shape: Shape): Promise<void> {
  place().recorder.reply = () => ({ pieces: [OK], fin: false });
  const next = await ask(shape, 'GET', '/v1/ordinary');
  assert.deepEqual([next.status, next.body.toString(), next.whole], [200, 'ok', true]);
}

async function run(hostile: HostileAnswer, shape: Shape): Promise<void> {
  const { recorder } = place();
  // Leaves exactly one idle connection, which the case takes.
  await askOrdinary(shape);
  const opened = recorder.opened();
  recorder.reply = () => ({ pieces: hostile.pieces, fin: hostile.fin === true });
  const method = hostile.method ?? 'GET';
  const seen = await ask(shape, method, '/v1/hostile');
  const expected = hostile.seen;
  assert.equal(seen.status, expected.status);
  assert.equal(seen.fields.get('x-lanekeeper-error') ?? null, expected.code ?? null);
  assert.equal(seen.whole, expected.whole, 'whole by its own framing');
  if (expected.body !== undefined) assertBody(seen.body.toString('latin1'), expected);
  await askOrdinary(shape);
  // The forward proxy opens one for each request.
  const fresh = shape === 'forward' ? 2 : Number(!expected.reused);
  assert.equal(recorder.opened() - opened, fresh, 'new upstream connections');
}

/** A cut chunked body may end within its framing: what is there of it must be the beginning. */
function assertBody(got: string, { body = '', whole }: HostileAnswer['seen']): void {
  if (whole) assert.equal(got, body);
  else assert(got.startsWith(body), got);
}

test('the names of the catalogue are unique', () => {
  const names = ANSWER_CASES.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
});

for (const { title, cases } of ANSWER_GROUPS) {
  for (const shape of ['gateway', 'connect', 'forward'] as const) {
    describe(`${title} (${shape})`, () => {
      for (const hostile of cases) test(hostile.name, () => run(hostile, shape));
    });
  }
}

test('one record for each exchange', async () => {
  const count = 2 * 3 * ANSWER_CASES.length;
  const records = await place().rig.records(count);
  assert.equal(records.length, count);
  assert.equal(place().rig.proxy.control.status().exchanges.open, 0);
});
