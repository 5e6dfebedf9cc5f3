/**
 * Random walks between a client and an upstream of HTTP/2: the process lives, every exchange ends with one
 * record, and no client's connection is left. HOSTILE_WALKS=5000 makes it a longer one.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leadLane } from '../../support/recording-upstream.ts';
import { startRig } from '../../support/rig.ts';
import type { Door } from './peer.ts';
import { openRawServer } from './raw-server.ts';
import { walk, wanderingUpstream } from './walk.ts';

const WALKS = Number(process.env['HOSTILE_WALKS'] ?? 160);
const AT_ONCE = 4;
const QUIET_MS_MAX = 60_000;
/** Upstreams that fall silent are given up soon. */
const TIMEOUTS = { connectMs: 5_000, tlsMs: 5_000, headMs: 1_500, idleMs: 1_500 };

for (const where of ['plain', 'tunnel'] as const) {
  test(`${WALKS} random walks, ${where}`, { timeout: 900_000 }, async (t) => {
    const upstream = await openRawServer(t);
    const rig = await startRig(t, {
      config: (config) =>
        leadLane(
          { ...config, routes: [], http2: 'always', timeouts: TIMEOUTS },
          'anthropic',
          upstream,
        ),
    });
    const plain: Door = { host: '127.0.0.1', port: rig.proxy.port, waitMs: 20_000 };
    const tls = { ca: rig.ca, servername: 'api.anthropic.com', tunnel: true };
    const door = where === 'plain' ? plain : { ...plain, tls };
    upstream.script = wanderingUpstream(9113);
    let seed = 0;
    const work = async (): Promise<void> => {
      while (seed < WALKS) {
        seed += 1;
        await walk(seed, door);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));

    const until = Date.now() + QUIET_MS_MAX;
    for (;;) {
      const { exchanges, connections } = rig.proxy.control.status();
      if (exchanges.open === 0 && connections === 0) break;
      const left = `${exchanges.open} exchanges, ${connections} connections`;
      assert(Date.now() < until, `left open: ${left}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const { total } = rig.proxy.control.status().exchanges;
    const records = await rig.records(total);
    assert.equal(records.length, total);
    assert.equal(new Set(records.map(({ rid }) => rid)).size, total);
    t.diagnostic(`${total} exchanges`);
  });
}
