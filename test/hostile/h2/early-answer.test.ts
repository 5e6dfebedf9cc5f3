/**
 * An upstream of HTTP/2 that answers, or is given up, before a streamed request has ended. The stream is
 * let go of in the midst of what node:http2 is doing: in the wrong way its core ends the process (26.10).
 */
import assert from 'node:assert/strict';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import { leadLane } from '../../support/recording-upstream.ts';
import { type Rig, startRig } from '../../support/rig.ts';
import { SETTING, settings } from './frames.ts';
import { type Asked, openRawServer, type RawServer } from './raw-server.ts';

const LIMIT = { timeout: 60_000 };

async function open(t: TestContext): Promise<{ rig: Rig; upstream: RawServer }> {
  const upstream = await openRawServer(t);
  const rig = await startRig(t, {
    config: (config) => leadLane({ ...config, routes: [], http2: 'always' }, 'anthropic', upstream),
  });
  return { rig, upstream };
}

/** Sends the beginning of a chunked request; what comes until the proxy closes. */
function askWithoutEnd(port: number): Promise<string> {
  const socket = net.connect(port, '127.0.0.1');
  let answer = '';
  socket.write('POST /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n');
  socket.write('4\r\npart\r\n');
  socket.on('error', () => {});
  socket.on('data', (bytes: Buffer) => {
    answer += bytes.toString('latin1');
    if (answer.endsWith('ok') || answer.endsWith('}\n')) socket.end();
  });
  return new Promise((resolve) => {
    socket.once('close', () => resolve(answer));
  });
}

/** Answers once the first of the body has come, so that the stream waits for more of it. */
function afterData(upstream: RawServer, answer: (asked: Asked) => void): void {
  upstream.script = (asked) => {
    const look = setInterval(() => {
      if (!upstream.seen.includes(`DATA ${asked.stream}`)) return;
      clearInterval(look);
      answer(asked);
    }, 5);
  };
}

/** The stream was reset, once. */
async function assertReset(rig: Rig, upstream: RawServer): Promise<void> {
  await rig.records(1);
  const until = Date.now() + LIMIT.timeout / 2;
  const resets = (): string[] => upstream.seen.filter((name) => name.startsWith('RST_STREAM'));
  while (resets().length === 0 && Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.deepEqual(resets(), ['RST_STREAM 1 INTERNAL_ERROR']);
  assert(!upstream.seen.includes('DATA 1 END_STREAM'), 'a part is not said to be the whole');
}

test(
  'a whole answer before the end of the request passes, and the stream is reset',
  LIMIT,
  async (t) => {
    const { rig, upstream } = await open(t);
    afterData(upstream, (asked) => {
      const head = asked.head([
        [':status', '413'],
        ['content-length', '2'],
      ]);
      asked.send(head, asked.body('ok', true));
    });
    assert.match(await askWithoutEnd(rig.proxy.port), /^HTTP\/1\.1 413 [\s\S]*\r\n\r\nok$/);
    await assertReset(rig, upstream);
  },
);

test('an attempt that is given up before the end of the request is reset', LIMIT, async (t) => {
  const { rig, upstream } = await open(t);
  afterData(upstream, (asked) => {
    asked.send(...Array.from({ length: 200 }, () => asked.head([[':status', '103']])));
  });
  assert.match(await askWithoutEnd(rig.proxy.port), /HTTP\/1\.1 502 [\s\S]*upstream_protocol/);
  await assertReset(rig, upstream);
});

test(
  'a request whose end waits for a window is let go of once its answer is whole',
  LIMIT,
  async (t) => {
    const { rig, upstream } = await open(t);
    upstream.opening = [settings([SETTING.INITIAL_WINDOW_SIZE, 0])];
    upstream.script = (asked) => {
      // Later than the SETTINGS, so that the body is held up by them.
      setTimeout(() => {
        asked.send(asked.head([[':status', '200']]), asked.body('ok', true));
      }, 50);
    };
    // The window of a new connection is open until its SETTINGS have come: a body beyond that window.
    const answer = await fetch(`${rig.proxy.url}/v1/models`, {
      method: 'POST',
      body: Buffer.alloc(100_000),
    });
    assert.equal(await answer.text(), 'ok');
    const busy = (): number =>
      rig.proxy.control.status().lanes.reduce((sum, lane) => sum + lane.sockets_busy, 0);
    const idle = (): number =>
      rig.proxy.control.status().lanes.reduce((sum, lane) => sum + lane.sockets_idle, 0);
    const until = Date.now() + LIMIT.timeout / 4;
    const isReset = (): boolean => upstream.seen.includes('RST_STREAM 1 CANCEL');
    while ((idle() === 0 || !isReset()) && Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.deepEqual([busy(), idle()], [0, 1]);
    assert(isReset());
  },
);
