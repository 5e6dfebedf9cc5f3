/**
 * An upstream that can not prove who it is, in an environment that tells Node to believe anybody: refused
 * by name, nothing of the request sent, never asked again in a weaker way; and well again once it can.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import tls from 'node:tls';
import { type MintedServer, mintServer } from '../../src/pki/authority.ts';
import { startTwin } from '../../src/twin/index.ts';
import { loopbackCertificate } from '../support/fault-upstream.ts';
import { type Cleanup, tempHome } from '../support/home.ts';
import { startProxyProcess, type Upstreams } from '../support/proxy-process.ts';
import { exchange, linesOf, until } from '../support/surroundings.ts';

/** What an environment can say that must not matter. */
const CREDULOUS = {
  NODE_TLS_REJECT_UNAUTHORIZED: '0',
  NODE_OPTIONS: '--tls-min-v1.0 --tls-cipher-list=ALL:@SECLEVEL=0',
};
const YEAR_MS = 365 * 24 * 3_600_000;
const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}';

interface Face {
  readonly name: string;
  readonly options: tls.SecureContextOptions;
  /** The code that the client is told. */
  readonly code: string;
  readonly detail: RegExp;
}

function context({ certPem, keyPem }: MintedServer): tls.SecureContextOptions {
  return { cert: certPem, key: keyPem };
}

async function faces(good: MintedServer): Promise<readonly Face[]> {
  const at = (now: Date): Promise<MintedServer> => loopbackCertificate(now);
  const other = await mintServer({ names: ['other.test'], ips: ['127.0.0.2'], now: new Date() });
  const certificate = 'upstream_certificate';
  const foreign = /127\.0\.0\.1: .*(UNABLE_TO|SELF_SIGNED|DEPTH_ZERO)/;
  return [
    {
      name: 'of an unknown authority',
      options: context(await at(new Date())),
      code: certificate,
      detail: foreign,
    },
    {
      name: 'for another name',
      options: context(other),
      code: certificate,
      detail: /127\.0\.0\.1/,
    },
    {
      name: 'expired, of an unknown authority',
      options: context(await at(new Date(Date.now() - 5 * YEAR_MS))),
      code: certificate,
      detail: /127\.0\.0\.1: /,
    },
    {
      name: 'right, but over TLS 1.1',
      options: {
        ...context(good),
        minVersion: 'TLSv1',
        maxVersion: 'TLSv1.1',
        ciphers: 'DEFAULT:@SECLEVEL=0',
      },
      code: 'upstream_tls',
      detail: /127\.0\.0\.1: /,
    },
    {
      name: 'none at all',
      options: {
        ciphers: 'aNULL:@SECLEVEL=0',
        maxVersion: 'TLSv1.2',
      },
      code: certificate,
      detail: /127\.0\.0\.1: /,
    },
  ];
}

/** An upstream whose face changes; what it reads in the clear is counted. */
async function startFaced(t: Cleanup) {
  const state = { options: {} as tls.SecureContextOptions, heard: 0, handshakes: 0 };
  const sockets = new Set<net.Socket>();
  const server = net.createServer((tcp) => {
    state.handshakes += 1;
    sockets.add(tcp);
    tcp.on('error', () => {});
    const secureContext = tls.createSecureContext(state.options);
    const socket = new tls.TLSSocket(tcp, { isServer: true, secureContext });
    socket.on('error', () => tcp.destroy());
    socket.on('data', (bytes: Buffer) => {
      state.heard += bytes.length;
      if (bytes.includes('"messages"')) socket.write(ANSWER);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return { state, port: (server.address() as net.AddressInfo).port };
}

test('whoever can not prove itself gets nothing, whatever the environment says', async (t) => {
  const good = await loopbackCertificate();
  const { state, port } = await startFaced(t);
  const twin = await startTwin({ certificate: good });
  t.after(() => twin.close());
  const anthropic = { origin: `https://127.0.0.1:${port}`, ca: good.caCertPem };
  const proxy = await startProxyProcess(t, {
    twin: { anthropic, zai: twin.zai },
    env: CREDULOUS,
  });
  const all = await faces(good);
  for (const { name, options, code, detail } of all) {
    state.options = options;
    const before = state.handshakes;
    const seen = await exchange(proxy);
    const text = seen.body.toString();
    assert.equal(seen.status, 502, `${name}: ${text}`);
    assert.equal(seen.fields.get('x-lanekeeper-error'), code, `${name}: ${text}`);
    assert.match(text, detail, name);
    assert.equal(state.heard, 0, `${name}: nothing of the request`);
    assert.equal(state.handshakes, before + 1, `${name}: asked once`);
    if (code === 'upstream_certificate') {
      assert.match(text, /clock.*`ca` of the lane/, 'the mend');
      assert.equal(seen.fields.get('x-should-retry'), 'false');
    }
  }
  state.options = context(good);
  assert.equal((await exchange(proxy)).status, 200, 'well again');
  assert(state.heard > 0);
  const records = await proxy.records(all.length + 1);
  assert.deepEqual(
    records.map(({ status, attempts }) => [status, attempts]),
    [...all.map(() => [502, 1]), [200, 1]],
  );
  const anomalies = path.join(proxy.home, 'logs', 'anomalies.jsonl');
  await until('the anomalies', () => linesOf(anomalies).whole.length === all.length);
});

test('roots of NODE_EXTRA_CA_CERTS count, as for any program; without them the upstream is refused', async (t) => {
  const good = await loopbackCertificate();
  const { state, port } = await startFaced(t);
  state.options = context(good);
  const folder = await tempHome(t);
  const roots = path.join(folder, 'company.pem');
  const config = path.join(folder, 'lanekeeper.yaml');
  const anthropic = { upstream: `https://127.0.0.1:${port}`, credentials: 'passthrough' };
  await writeFile(roots, good.caCertPem);
  await writeFile(config, JSON.stringify({ lanes: { anthropic } }));
  for (const [env, status] of [
    [{ NODE_EXTRA_CA_CERTS: roots }, 200],
    [{}, 502],
  ] as const) {
    const args = ['--config', config];
    const proxy = await startProxyProcess(t, { args, env, twin: NOWHERE });
    assert.equal((await exchange(proxy)).status, status);
    await proxy.stop();
  }
});

/** Overruled by the configuration that is named. */
const NOWHERE: Upstreams = {
  anthropic: { origin: 'https://127.0.0.1:1', ca: '' },
  zai: { origin: 'https://127.0.0.1:1', basePath: '' },
};
