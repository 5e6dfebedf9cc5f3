/**
 * Faults at every byte: one exchange, run again and again, and each time one end breaks off one byte
 * later, by each of the ways in which it can.
 */
import type { Forced, Knobs } from './knobs.ts';
import { type SeedResult, simulateSeed } from './simulate.ts';

/** One exchange and nothing beside it; what goes wrong is what is forced. */
const ALONE: Partial<Knobs> = {
  connections: 1,
  requestsPerConnection: 1,
  spanMs: 1,
  clientFaults: 0,
  upstreamFaults: 0,
  dialFaults: 0,
  slowReaders: 0,
  largeBodies: 0,
  refusals: 0,
  switches: 0,
  observer: 'well',
  ending: 'none',
  strangers: 0,
};

/** Longer exchanges are passed over: a sweep takes as many runs as there are bytes, ten times. */
const BYTES_MAX = 1_200;

/** The exchange of a seed with one fault, or with none. */
export function alone(seed: number, forced: Forced, isTracing = false): SeedResult {
  return simulateSeed(seed, { knobs: { ...ALONE, forced }, isTracing });
}

/** One run of a sweep. */
export interface Swept {
  readonly forced: Forced;
  readonly result: SeedResult;
}

/** All faults at one byte of the request and of the answer. */
function faultsAt(byte: number, request: number, answer: number): Forced[] {
  const faults: Forced[] = [];
  for (const how of ['fin', 'reset', 'stall'] as const) {
    if (byte <= answer) faults.push({ cut: { at: byte, how } });
    if (byte < request) faults.push({ trap: { atByte: byte, how } });
  }
  for (const how of ['fin', 'close', 'reset', 'stall'] as const) {
    if (byte < request) faults.push({ leaving: { behind: 'sent', bytes: byte, how } });
    if (byte > 0 && byte <= answer) faults.push({ leaving: { behind: 'got', bytes: byte, how } });
  }
  return faults;
}

/** The results of a sweep over one seed's exchange; none where it is none that can be swept. */
export function* sweepSeed(seed: number): Generator<Swept> {
  const whole = alone(seed, {});
  const story = whole.stories[0];
  const script = story?.arrivals[0]?.script;
  yield { forced: {}, result: whole };
  if (story === undefined || script === null || script === undefined) return;
  const request = story.plan.wire.length;
  const answer = script.wire.length;
  const bytes = Math.max(request, answer);
  if (bytes > BYTES_MAX || story.door === 'port') return;
  for (let byte = 0; byte <= bytes; byte += 1) {
    for (const forced of faultsAt(byte, request, answer)) {
      yield { forced, result: alone(seed, forced) };
    }
  }
}
