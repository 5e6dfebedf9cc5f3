/**
 * An upstream whose connections can die in silence, as in a sleep or behind another network: what comes on
 * them is swallowed, and nobody hears of it. New ones are served.
 */
import { startTwin } from '../../src/twin/index.ts';
import { loopbackCertificate, startFaultUpstream } from './fault-upstream.ts';
import { CHUNKED_HEAD, chunk, LAST_CHUNK, WHOLE } from './faults.ts';
import type { Cleanup } from './home.ts';
import { type ProxyProcess, startProxyProcess } from './proxy-process.ts';

export interface Vanishing {
  readonly proxy: ProxyProcess;
  /** From now on the connections that are open serve nobody. */
  vanish(): void;
  /** Connections so far. */
  connections(): number;
  /** Requests that were swallowed. */
  swallowed(): number;
}

/** A proxy process whose default lane leads to such an upstream. */
export async function startVanishing(t: Cleanup): Promise<Vanishing> {
  const certificate = await loopbackCertificate();
  const twin = await startTwin({ certificate });
  t.after(() => twin.close());
  let living = 0;
  let swallowed = 0;
  const upstream = await startFaultUpstream(t, {
    certificate,
    script: async (visit) => {
      for (;;) {
        await visit.request();
        if (visit.index < living) {
          swallowed += 1;
          return;
        }
        await visit.send(CHUNKED_HEAD + chunk(WHOLE).toString() + LAST_CHUNK);
      }
    },
  });
  const anthropic = { ...twin.anthropic, origin: `https://127.0.0.1:${upstream.port}` };
  const proxy = await startProxyProcess(t, { twin: { anthropic, zai: twin.zai } });
  return {
    proxy,
    vanish() {
      living = upstream.visits.length;
    },
    connections: () => upstream.visits.length,
    swallowed: () => swallowed,
  };
}
