/**
 * Hostile HTTP/2 as a load: keeps throwing the cases of the catalogue at a proxy, beside whatever else it does.
 * Which case comes next is drawn from a seed; every worker has one connection at a time.
 */
import { play } from './case.ts';
import { CASES, FLOODS } from './catalogue.ts';
import type { Door } from './peer.ts';
import { randomOf } from './random.ts';

export interface HostileLoadOptions {
  readonly host: string;
  readonly port: number;
  /** PEM of the proxy's trust bundle: then half of the cases go through a tunnel; else all are plain. */
  readonly ca?: string;
  /** Host of that tunnel. */
  readonly servername?: string;
  readonly seed: number;
  /** Ends it: cases under way are played to their end, which takes `CASE_MS_MAX` at most. */
  readonly signal: AbortSignal;
  /** Connections at once. */
  readonly concurrency: number;
}

export interface HostileLoadReport {
  /** Cases played, those included whose connection the proxy refused. */
  readonly inputs: number;
  readonly byCase: Record<string, number>;
}

/** What no reaction comes to within this time is given up. */
const CASE_MS_MAX = 5_000;
/** One case in so many is a flood, which takes a hundred times as long. */
const FLOOD_EVERY = 40;

/** Runs until the signal; never rejects for what the proxy does. */
export async function hostileH2Load(options: HostileLoadOptions): Promise<HostileLoadReport> {
  const random = randomOf(options.seed);
  const byCase: Record<string, number> = {};
  let inputs = 0;
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const doors = doorsOf(options);
  const work = async (): Promise<void> => {
    while (!options.signal.aborted) {
      const one = pick(random() * FLOOD_EVERY < 1 ? FLOODS.cases : CASES);
      inputs += 1;
      byCase[one.id] = (byCase[one.id] ?? 0) + 1;
      try {
        await play(one, pick(doors));
      } catch {
        // The proxy takes no connection at present: not this load's affair, and no reason to spin.
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, work));
  return { inputs, byCase };
}

function doorsOf({ host, port, ca, servername = 'api.anthropic.com' }: HostileLoadOptions): Door[] {
  const plain: Door = { host, port, waitMs: CASE_MS_MAX };
  return ca === undefined ? [plain] : [plain, { ...plain, tls: { ca, servername, tunnel: true } }];
}
