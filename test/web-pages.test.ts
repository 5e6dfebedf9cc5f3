/**
 * A web page in the person's browser can not drive the proxy: neither by what browsers are known to send,
 * as a table, nor with all that a real one lets a page try.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { ERROR_HEADER } from '../src/core/errors.ts';
import { startBrowser } from './support/browser.ts';
import { rawConnect } from './support/raw-client.ts';
import { type Rig, startRig } from './support/rig.ts';
import { ATTEMPTS, HOSTILE_PAGE, REBOUND_ATTEMPTS } from './support/web-page.ts';
import { type Wiretap, wiretap } from './support/wiretap.ts';

const LIMIT = { timeout: 120_000 };
const BODY = JSON.stringify({ model: 'claude-haiku-5-5', max_tokens: 1, messages: [] });
/** A name that a page was loaded under and that now leads to loopback. */
const REBOUND = 'rebound.example';

/** What marks a request of a page, by the browser and the way it is made. */
const SIGNS: readonly (readonly [name: string, method: string, lines: readonly string[]])[] = [
  ...(['same-origin', 'same-site', 'cross-site'] as const).flatMap((site) =>
    (
      [
        ['fetch', 'POST', 'cors', 'empty'],
        ['fetch', 'POST', 'no-cors', 'empty'],
        ['form', 'POST', 'navigate', 'document'],
        ['frame', 'GET', 'navigate', 'iframe'],
        ['image', 'GET', 'no-cors', 'image'],
        ['script', 'GET', 'no-cors', 'script'],
        ['events', 'GET', 'cors', 'empty'],
        ['socket', 'GET', 'websocket', 'websocket'],
      ] as const
    ).map(([way, method, mode, dest]): [string, string, string[]] => [
      `${way} ${site}`,
      method,
      [`Sec-Fetch-Site: ${site}`, `Sec-Fetch-Mode: ${mode}`, `Sec-Fetch-Dest: ${dest}`],
    ]),
  ),
  // Browsers that know no Sec-Fetch, or do not send it here.
  ['old fetch', 'POST', ['Origin: https://evil.example', 'Content-Type: text/plain']],
  ['old form', 'POST', ['Origin: https://evil.example', 'Upgrade-Insecure-Requests: 1']],
  ['sandboxed', 'POST', ['Origin: null', 'Content-Type: text/plain;charset=UTF-8']],
  ['no referrer', 'POST', ['Origin: null', 'Sec-Fetch-Site: cross-site']],
  ['local page', 'POST', ['Origin: http://localhost:3000', 'Sec-Fetch-Site: same-site']],
  ['file', 'POST', ['Origin: file://']],
  ['extension', 'POST', ['Origin: chrome-extension://abcdefghijklmnop', 'Sec-Fetch-Site: none']],
  ['odd case', 'POST', ['oRIGIN: https://evil.example']],
  ['empty', 'POST', ['Origin: ']],
  [
    'preflight',
    'OPTIONS',
    [
      'Origin: https://evil.example',
      'Access-Control-Request-Method: POST',
      'Access-Control-Request-Headers: content-type,x-api-key,x-lanekeeper-token',
    ],
  ],
  [
    'preflight of a private network',
    'OPTIONS',
    [
      'Origin: https://evil.example',
      'Access-Control-Request-Method: POST',
      'Access-Control-Request-Private-Network: true',
      'Access-Control-Request-Local-Network: true',
    ],
  ],
  [
    'preflight that would be answered here',
    'OPTIONS',
    ['Origin: https://evil.example', 'Access-Control-Request-Method: POST', 'Max-Forwards: 0'],
  ],
  [
    'socket',
    'GET',
    [
      'Origin: https://evil.example',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ],
  ],
];

/** The status of an answer and what it grants to pages. */
async function send(
  to: { readonly port: number },
  method: string,
  lines: readonly string[],
): Promise<{ status: string; grants: string[] }> {
  const client = await rawConnect({ to: { host: '127.0.0.1', port: to.port } });
  const framing = method === 'POST' ? [`Content-Length: ${BODY.length}`] : [];
  const head = [`${method} /v1/messages HTTP/1.1`, ...lines, ...framing];
  await client.send(`${head.join('\r\n')}\r\n\r\n${method === 'POST' ? BODY : ''}`);
  const answer = await client.readAnswer(method);
  client.destroy();
  const code = answer.fields.find(([name]) => name.toLowerCase() === ERROR_HEADER)?.[1] ?? '';
  const grants = answer.fields
    .filter(([name]) => /^(access-control-|cross-origin-resource-policy)/i.test(name))
    .map(([name, value]) => `${name}: ${value}`);
  return { status: `${answer.status} ${code}`, grants };
}

/** Nothing of what was refused went further. */
async function assertNothingPassed(rig: Rig): Promise<void> {
  assert.equal(rig.twin.anthropic.requests().length + rig.twin.zai.requests().length, 0);
  assert.deepEqual(await rig.records(0), []);
}

test(
  'every kind of request that a page can make is refused, with a token and without',
  LIMIT,
  async (t) => {
    const token = 'fake-token-canary-0123456789';
    const open = await startRig(t, { env: { FORCE_HAIKU_TO_ZAI: '1' } });
    const guarded = await startRig(t, {
      env: { FORCE_HAIKU_TO_ZAI: '1', LANEKEEPER_TOKEN: token },
    });
    for (const rig of [open, guarded]) {
      // What a page might have learnt does not help it.
      const login = rig === guarded ? [`X-Lanekeeper-Token: ${token}`] : [];
      for (const [name, method, lines] of SIGNS) {
        const host = `Host: 127.0.0.1:${rig.proxy.port}`;
        const { status, grants } = await send(rig.proxy, method, [host, ...login, ...lines]);
        assert.equal(status, '403 foreign_origin', `${name}: ${lines.join(' | ')}`);
        assert.deepEqual(grants, [], name);
      }
      await assertNothingPassed(rig);
    }
    // A page under a name that was bound to loopback is of the same origin: no sign but its Host.
    for (const host of [REBOUND, `${REBOUND}:${open.proxy.port}`, `localhost.${REBOUND}`]) {
      for (const method of ['GET', 'POST', 'OPTIONS']) {
        const { status, grants } = await send(open.proxy, method, [`Host: ${host}`]);
        assert.equal(status, '403 foreign_host', host);
        assert.deepEqual(grants, []);
      }
    }
    await assertNothingPassed(open);
  },
);

/**
 * One port for both ends of a name that is bound anew: the page comes from the stranger's server, and what
 * the page then asks of its own origin comes to the proxy.
 */
async function startRebinding(t: TestContext, to: Wiretap): Promise<number> {
  const sockets = new Set<net.Socket>();
  const keep = (socket: net.Socket): void => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  };
  const server = net.createServer((client) => {
    keep(client);
    client.once('data', (first) => {
      if (first.toString('latin1').startsWith('GET / ')) {
        const head = ['HTTP/1.1 200 OK', 'Content-Type: text/html', 'Connection: close'];
        client.end(`${head.join('\r\n')}\r\n\r\n${HOSTILE_PAGE}`);
        return;
      }
      const proxy = net.connect(to.port, to.host);
      keep(proxy);
      proxy.write(first);
      client.pipe(proxy).pipe(client);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

/** The origin that a hostile page comes from. */
async function startSite(t: TestContext): Promise<string> {
  const server = http.createServer((_request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end(HOSTILE_PAGE);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** Status lines of all that was answered, and whatever was granted to pages. */
function answersOf(wire: Wiretap): { statuses: string[]; grants: string[] } {
  const text = wire
    .answered()
    .map((bytes) => bytes.toString('latin1'))
    .join('\n');
  return {
    statuses: text.match(/^HTTP\/1\.1 \d{3}/gm) ?? [],
    grants: text.match(/^access-control-[^\r\n]*/gim) ?? [],
  };
}

function requestsOf(wire: Wiretap): string[] {
  const text = wire.sent().map((bytes) => bytes.toString('latin1'));
  return text.join('\n').match(/[A-Z]+ \/v1\S* HTTP\/1\.1/g) ?? [];
}

test(
  'a page in a real browser reaches no upstream, whatever it tries, and can read no answer',
  LIMIT,
  async (t) => {
    const browser = await startBrowser(t, ['EXCLUDE 127.0.0.1', 'EXCLUDE localhost']);
    if (typeof browser === 'string') return t.skip(browser);
    const rig = await startRig(t, { env: { FORCE_HAIKU_TO_ZAI: '1' } });
    const wire = await wiretap(t, { host: '127.0.0.1', port: rig.proxy.port });
    const page = await browser.newPage();
    const site = await startSite(t);
    const byAddress = Object.entries(ATTEMPTS);
    const byName = byAddress.filter(([name]) => /^(?:simple|no-cors|form of text)$/.test(name));
    for (const [gateway, attempts] of [
      [wire.url, byAddress],
      [`http://localhost:${wire.port}`, byName],
    ] as const) {
      for (const [name, attempt] of attempts) {
        await page.goto(site);
        const before = requestsOf(wire).length;
        const told = await page.evaluate(
          `(${attempt})(${JSON.stringify(gateway)}, ${JSON.stringify(BODY)})`,
        );
        assert.match(String(told), /^(?:refused|opaque|nothing)/, `${name} could read: ${told}`);
        // Else the test would be about nothing.
        assert(requestsOf(wire).length > before, `${name} sent nothing`);
      }
    }
    const { statuses, grants } = answersOf(wire);
    assert.equal(byName.length, 3);
    assert(statuses.length >= byAddress.length + byName.length);
    assert.deepEqual([...new Set(statuses)], ['HTTP/1.1 403']);
    assert.deepEqual(grants, []);
    await assertNothingPassed(rig);
  },
);

test(
  'a page whose name was bound to loopback, being of the same origin, is refused too',
  LIMIT,
  async (t) => {
    const browser = await startBrowser(t, [`MAP ${REBOUND} 127.0.0.1`, 'EXCLUDE 127.0.0.1']);
    if (typeof browser === 'string') return t.skip(browser);
    const rig = await startRig(t, { env: { FORCE_HAIKU_TO_ZAI: '1' } });
    const wire = await wiretap(t, { host: '127.0.0.1', port: rig.proxy.port });
    const port = await startRebinding(t, wire);
    const page = await browser.newPage();
    await page.goto(`http://${REBOUND}:${port}/`);
    for (const [name, attempt] of Object.entries(REBOUND_ATTEMPTS)) {
      const before = requestsOf(wire).length;
      const told = await page.evaluate(`(${attempt})(${JSON.stringify(BODY)})`);
      assert.match(String(told), /^403 .*foreign_(?:host|origin)/, name);
      assert(requestsOf(wire).length > before, `${name} sent nothing`);
    }
    assert.deepEqual([...new Set(answersOf(wire).statuses)], ['HTTP/1.1 403']);
    await assertNothingPassed(rig);
  },
);
