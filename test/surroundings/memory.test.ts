/**
 * A worker whose memory is used up, so that the runtime aborts it: it is replaced, that is on record, and its
 * memory, with credentials in it, does not come to lie on the disk.
 */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { readStatus } from '../../src/admin/client.ts';
import { startProxyProcess } from '../support/proxy-process.ts';
import { type RawConnection, rawConnect } from '../support/raw-client.ts';
import {
  exchange,
  hear,
  launcherThat,
  linesOf,
  until,
  wholeExchanges,
} from '../support/surroundings.ts';

/** Enough for a worker to start with, and for some dozens of streams. */
const HEAP_MB = 24;
const STREAMS_MAX = 4_000;
const BATCH = 25;
/** Fields that each request brings, so that few are enough. */
const FILLING = Array.from({ length: 200 }, (_, i) => `x-filling-${i}: ${'x'.repeat(250)}\r\n`);

test('a heap that is full: the worker is replaced, the proxy serves on, and no core is left', async (t) => {
  const launcher = await launcherThat(t, 'ulimit -c unlimited\nexec "$LAUNCHER" "$@"');
  const env = { NODE_OPTIONS: `--max-old-space-size=${HEAP_MB}` };
  const proxy = await startProxyProcess(t, { launcher, env, twinApart: true });
  const said = hear(proxy);
  await wholeExchanges(proxy, 1);
  const held: RawConnection[] = [];
  t.after(() => {
    for (const connection of held) connection.destroy();
  });
  const isOver = (): boolean => said().includes('another takes its place');
  const stream = async (): Promise<void> => {
    const connection = await rawConnect({ to: { host: '127.0.0.1', port: proxy.port } });
    held.push(connection);
    await connection.send(requestOf('[twin: events 4000] [twin: gap 100]'));
  };
  while (!isOver() && held.length < STREAMS_MAX) {
    await Promise.allSettled(Array.from({ length: BATCH }, stream));
    await until('they are taken', async () => isOver() || (await isIdle(proxy.home)));
  }
  assert.match(said(), /heap out of memory/);
  assert.match(said(), /worker \d+ ended \(SIGABRT\); another takes its place/);
  for (const connection of held) connection.destroy();
  await until('it serves again', async () => {
    return (await exchange(proxy).catch(() => null))?.status === 200;
  });
  await until('it is on record', () => anomalies(proxy.home).includes('worker_lost'));
  assert.equal((await readStatus(proxy.home)).workers_lost >= 1, true);
  assert.deepEqual(
    readdirSync(proxy.home).filter((name) => name.startsWith('core')),
    [],
  );
});

function requestOf(content: string): string {
  const body = JSON.stringify({
    model: 'claude-sonnet-5-5',
    max_tokens: 9,
    stream: true,
    messages: [{ role: 'user', content }],
  });
  const fields = `Host: 127.0.0.1\r\nx-api-key: fake\r\nContent-Length: ${body.length}\r\n`;
  return `POST /v1/messages HTTP/1.1\r\n${fields}${FILLING.join('')}\r\n${body}`;
}

/** Everything that was handed over has begun. */
async function isIdle(home: string): Promise<boolean> {
  const { connections, exchanges } = await readStatus(home).catch(() => NOBODY);
  return connections === exchanges.open;
}

const NOBODY = { connections: 0, exchanges: { open: 0 } };

function anomalies(home: string): unknown[] {
  return linesOf(path.join(home, 'logs', 'anomalies.jsonl')).whole.map(({ code }) => code);
}
