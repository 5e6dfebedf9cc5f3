/** A proxy that hostile HTTP/2 is thrown at, with its doors, before an upstream that keeps what reaches it. */
import assert from 'node:assert/strict';
import http from 'node:http';
import type { Cleanup } from '../../support/home.ts';
import {
  leadLane,
  type RecordingUpstream,
  recordingUpstream,
  replyOf,
  valuesOf,
} from '../../support/recording-upstream.ts';
import { type Rig, startRig } from '../../support/rig.ts';
import type { Door } from './peer.ts';

const WAIT_MS = 20_000;
const HOST = 'api.anthropic.com';

export interface House {
  readonly rig: Rig;
  readonly upstream: RecordingUpstream;
  /** HTTP/2 with prior knowledge on the plain port. */
  readonly plain: Door;
  /** HTTP/2 by ALPN, inside the tunnel to an intercepted host. */
  readonly tunnel: Door;
}

export async function openHouse(context: Cleanup): Promise<House> {
  const upstream = await recordingUpstream(context);
  upstream.reply = () => replyOf('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  const rig = await startRig(context, {
    config: (config) => leadLane({ ...config, routes: [] }, 'anthropic', upstream),
  });
  const plain: Door = { host: '127.0.0.1', port: rig.proxy.port, waitMs: WAIT_MS };
  const tunnel: Door = { ...plain, tls: { ca: rig.ca, servername: HOST, tunnel: true } };
  return { rig, upstream, plain, tunnel };
}

/** An honest request on a connection of its own: the status. */
export function honest(port: number, path = '/v1/models'): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode ?? 0));
      response.once('error', reject);
    });
    request.once('error', reject);
  });
}

/** Nothing is left open by what is over: waits for that, and fails where it does not come. */
export async function assertQuiet({ rig }: House): Promise<void> {
  const until = Date.now() + WAIT_MS;
  for (;;) {
    const { exchanges, connections } = rig.proxy.control.status();
    if (exchanges.open === 0 && connections === 0) return;
    assert(Date.now() < until, `open: ${exchanges.open} exchanges, ${connections} connections`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Nothing that was hidden in a request has come out as a request or a field of its own. */
export function assertNothingSmuggled({ upstream }: House): void {
  for (const { start, fields } of upstream.requests) {
    assert.match(start, /^[A-Z]+ \/(?:case|attack|v1)\/[\w.-]+ HTTP\/1\.1$/);
    for (const name of ['x-injected', 'upgrade', 'proxy-connection', 'te']) {
      assert.deepEqual(valuesOf(fields, name), [], `${name} in ${start}`);
    }
    assert.equal(valuesOf(fields, 'host').length, 1);
    const framings = valuesOf(fields, 'content-length').concat(
      valuesOf(fields, 'transfer-encoding'),
    );
    assert(framings.length <= 1, `${start} has two framings`);
  }
}
