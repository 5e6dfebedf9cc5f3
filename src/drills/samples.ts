/**
 * Looks at the proxy about once a second while a drill runs, in bounded memory: a long drill keeps
 * fewer looks, evenly spread.
 */
import { DRILL_SAMPLE_MS, DRILL_SAMPLES_MAX } from '../core/limits.ts';
import { fitTrend, type Reading, type Trend } from './trend.ts';
import type { ProxyView, Sample } from './types.ts';

export interface Sampler {
  /** What was kept, in its order. */
  samples(): readonly Sample[];
  /** Resolves when no look is under way any more. */
  stop(): Promise<void>;
}

/**
 * The heap is judged by its lows: between two collections it grows by what is thrown away, and what a
 * collection leaves is what is kept. So long back the lowest reading is looked for, and over so many.
 */
const LOWS_S = 60;
const LOWS_READINGS_MIN = 20;

/** What is watched, and from which growth a minute on it counts as a leak. */
const WATCHED = [
  { name: 'rss', unit: 'MB', boundPerMin: 1, of: (one: Sample) => one.rssBytes / 1e6 },
  { name: 'heap', unit: 'MB', boundPerMin: 1, of: (one: Sample) => one.heapBytes / 1e6 },
  { name: 'sockets', unit: '', boundPerMin: 0.5, of: (one: Sample) => one.sockets },
  { name: 'handles', unit: '', boundPerMin: 0.5, of: (one: Sample) => one.handles },
] as const;

/** How one quantity of the proxy went. */
export interface WatchedTrend extends Trend {
  readonly name: (typeof WATCHED)[number]['name'];
  readonly unit: string;
}

/**
 * Begins to look. Looks never overlap; one that fails is left out.
 *
 * @param keptMax looks kept, at least 2
 */
export function startSampler(
  look: ProxyView['look'],
  everyMs = DRILL_SAMPLE_MS,
  keptMax = DRILL_SAMPLES_MAX,
): Sampler {
  const started = performance.now();
  let kept: Sample[] = [];
  let stride = 1;
  let ticks = 0;
  let underWay: Promise<void> | null = null;
  const take = async (): Promise<void> => {
    const seen = await look().catch(() => null);
    if (seen === null) return;
    kept.push({ s: (performance.now() - started) / 1000, ...seen });
    if (kept.length < keptMax) return;
    kept = kept.filter((_, index) => index % 2 === 0);
    stride *= 2;
  };
  const tick = (): void => {
    ticks += 1;
    if (underWay !== null || ticks % stride !== 0) return;
    underWay = take().finally(() => {
      underWay = null;
    });
  };
  tick();
  const timer = setInterval(tick, everyMs);
  return {
    samples: () => kept,
    stop: async () => {
      clearInterval(timer);
      await underWay;
    },
  };
}

/** The trends of all that was watched and seen. */
export function trendsOf(samples: readonly Sample[]): WatchedTrend[] {
  const trends: WatchedTrend[] = [];
  for (const { name, unit, boundPerMin, of } of WATCHED) {
    const readings = samples.flatMap((one) => {
      const value = of(one);
      return value === null ? [] : [{ s: one.s, value }];
    });
    const trend = fitTrend(name === 'heap' ? lowsOf(readings) : readings, boundPerMin);
    if (trend !== null) trends.push({ name, unit, ...trend });
  }
  return trends;
}

/** For each reading the lowest of those shortly before it. */
function lowsOf(readings: readonly Reading[]): Reading[] {
  return readings.map(({ s }, index) => {
    let low = Number.POSITIVE_INFINITY;
    for (let i = index; i >= 0; i -= 1) {
      const one = readings[i];
      if (one === undefined) break;
      if (s - one.s > LOWS_S && index - i >= LOWS_READINGS_MIN) break;
      low = Math.min(low, one.value);
    }
    return { s, value: low };
  });
}
