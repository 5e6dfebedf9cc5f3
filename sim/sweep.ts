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

/** What a sweep over a seed's exchange would be about; null where it is none that can be swept. */
export interface Sweepable {
  /** Of the request and of the answer on the wire. */
  readonly request: number;
  readonly answer: number;
  /** How the answer is framed. */
  readonly framing: string;
}

export function sweepable(whole: SeedResult): Sweepable | null {
  const story = whole.stories[0];
  const script = story?.arrivals[0]?.script;
  if (story === undefined || script === null || script === undefined) return null;
  const request = story.plan.wire.length;
  const answer = script.wire.length;
  const isShort = Math.max(request, answer) <= BYTES_MAX;
  return isShort && story.door !== 'port' ? { request, answer, framing: script.framing } : null;
}

/** The runs of a sweep over one seed's exchange, the undisturbed one first. */
export function* sweepSeed(seed: number): Generator<Swept> {
  const whole = alone(seed, {});
  yield { forced: {}, result: whole };
  const about = sweepable(whole);
  if (about === null) return;
  const { request, answer } = about;
  for (let byte = 0; byte <= Math.max(request, answer); byte += 1) {
    for (const forced of faultsAt(byte, request, answer)) {
      yield { forced, result: alone(seed, forced) };
    }
  }
}
