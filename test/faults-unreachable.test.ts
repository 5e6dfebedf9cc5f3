/**
 * Upstreams that can not be reached or can not prove who they are: a local error at once, and not a
 * byte of a request to anybody.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import type { Config, LaneConfig } from '../src/config/types.ts';
import { mintServer } from '../src/pki/authority.ts';
import { loopbackCertificate, startFaultUpstream } from './support/fault-upstream.ts';
import { assertOutcome, laneWith, messages, observe, refused } from './support/faults.ts';
import type { Cleanup } from './support/home.ts';
import { exchangeOnce } from './support/raw-exchange.ts';
import { startRig } from './support/rig.ts';

/** What stands at the end of each lane that leads nowhere. */
const UNREACHABLE: readonly {
  readonly lane: string;
  readonly name: string;
  readonly code: string;
  readonly status: number;
}[] = [
  { lane: 'wrongname', name: 'a certificate for another name', code: 'certificate', status: 502 },
  { lane: 'expired', name: 'an expired certificate', code: 'certificate', status: 502 },
  {
    lane: 'foreign',
    name: 'a certificate of an unknown authority',
    code: 'certificate',
    status: 502,
  },
  { lane: 'refused', name: 'a port that nobody listens on', code: 'refused', status: 502 },
  { lane: 'nowhere', name: 'a name that does not exist', code: 'dns', status: 502 },
  { lane: 'plain', name: 'an upstream that speaks no TLS', code: 'tls', status: 502 },
  {
    lane: 'mute',
    name: 'an upstream that never shakes hands',
    code: 'connect_timeout',
    status: 504,
  },
];

const YEARS_AGO = new Date(Date.now() - 3 * 365 * 24 * 60 * 60_000);
const TLS_MS = 200;

/** A TCP server that says this to whoever connects. */
async function plainServer(context: Cleanup, greeting: string): Promise<number> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', () => greeting === '' || socket.end(greeting));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return (server.address() as net.AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A lane to each of the upstreams, by the model that is asked for. */
function leadingTo(
  upstreams: Readonly<Record<string, LaneConfig['upstream']>>,
  timeouts: Partial<Config['timeouts']>,
) {
  return (config: Config): Config => ({
    ...config,
    timeouts: { ...config.timeouts, ...timeouts },
    lanes: new Map([
      ...config.lanes,
      ...Object.entries(upstreams).map(
        ([name, upstream]) => [name, laneWith(config, upstream, name)] as const,
      ),
    ]),
    routes: Object.keys(upstreams).map((name) => ({
      decision: `rule:${name}` as const,
      when: { model: `*${name}*` },
      lane: name,
    })),
  });
}

test('an upstream that can not be reached, or not be trusted, is a local error by HTTP/1.1 and HTTP/2', async (t) => {
  const wrongName = await startFaultUpstream(t, {
    certificate: await mintServer({ names: ['other.test'], ips: ['127.0.0.2'], now: new Date() }),
  });
  const expired = await startFaultUpstream(t, {
    certificate: await loopbackCertificate(YEARS_AGO),
  });
  const foreign = await startFaultUpstream(t);
  const upstreams: Record<string, LaneConfig['upstream']> = {
    wrongname: wrongName.config(),
    expired: expired.config(),
    foreign: foreign.config({ ca: expired.ca }),
    refused: foreign.config({ port: await freePort() }),
    nowhere: foreign.config({ host: 'no-such-host.invalid' }),
    plain: foreign.config({ port: await plainServer(t, 'HTTP/1.1 400 Bad Request\r\n\r\n') }),
    mute: foreign.config({ port: await plainServer(t, '') }),
  };
  const rigs = await Promise.all(
    [{}, { tlsMs: TLS_MS }].map((timeouts) =>
      startRig(t, { config: leadingTo(upstreams, timeouts) }),
    ),
  );
  for (const { lane, name, code, status } of UNREACHABLE) {
    // Only who waits for a silence is short of patience.
    const rig = rigs[lane === 'mute' ? 1 : 0];
    assert(rig !== undefined);
    for (const shape of ['connect', 'h2'] as const) {
      const request = messages(`claude-${lane}-1`, 'sk-ant-api03-fake-unreachable');
      const result = await observe(rig, () => exchangeOnce(rig.proxy, rig.ca, shape, request));
      const err = code === 'connect_timeout' ? 'timeout' : 'net';
      try {
        assertOutcome(
          refused(code, { status, err_type: err, lane, decision: `rule:${lane}`, bytes_up: 0 }),
          result,
        );
      } catch (error) {
        throw new Error(`${name} (${shape})`, { cause: error });
      }
    }
  }
  // Nothing of a request ever reached a server that could not prove itself.
  for (const { visits } of [wrongName, expired, foreign]) {
    for (const { reader } of visits) assert.equal(reader.waiting.length, 0);
  }
});
