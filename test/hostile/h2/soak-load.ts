/** The hostile HTTP/2 of this folder as a load that `soak.ts` joins. */
import type { HostileLoad, HostileTarget } from '../load-types.ts';
import { hostileH2Load } from './load.ts';

/** A connection of HTTP/2 does as much as several of HTTP/1.1, and its floods far more. */
const ATTACKERS_SHARE = 4;

/** What it must come to is judged by the catalogue's own tests: here it has to be borne. */
export const HTTP2_LOAD: HostileLoad = {
  name: 'HTTP/2',
  async run({ port, ca }: HostileTarget, { seed, concurrency, stop }) {
    const { inputs, byCase } = await hostileH2Load({
      host: '127.0.0.1',
      port,
      ca,
      seed,
      signal: stop,
      concurrency: Math.ceil(concurrency / ATTACKERS_SHARE),
    });
    return { inputs, kinds: byCase, surprises: [] };
  },
};
