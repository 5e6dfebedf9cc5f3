/** Scales of charts: where a value lies, and which values an axis names. */

export interface Scale {
  /** The place of a value, in the units of the range. */
  at(value: number): number;
  readonly ticks: readonly number[];
}

/** From 0 to at least `max`, with three to six round ticks. */
export function linearScale(max: number, from: number, to: number): Scale {
  const step = roundStep(Math.max(max, 1) / 4);
  const top = Math.ceil(Math.max(max, 1) / step) * step;
  const ticks = Array.from({ length: Math.round(top / step) + 1 }, (_, index) => index * step);
  return { at: (value) => from + (value / top) * (to - from), ticks };
}

/** Powers of ten around the values; what is below 0.1 lies at 0.1. */
export function logScale(values: readonly number[], from: number, to: number): Scale {
  const log = (value: number): number => Math.log10(Math.max(value, 0.1));
  const logs = values.map(log);
  const low = Math.floor(logs.reduce((a, b) => Math.min(a, b), logs[0] ?? 0));
  const high = Math.max(low + 1, Math.ceil(logs.reduce((a, b) => Math.max(a, b), low)));
  const ticks = Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index));
  return { at: (value) => from + ((log(value) - low) / (high - low)) * (to - from), ticks };
}

/** Places of equal steps of time that are named, and their names, in UTC. */
export function timeTicks(
  fromSeconds: number,
  stepSeconds: number,
  steps: number,
  max: number,
): { readonly step: number; readonly label: string }[] {
  const every = Math.ceil(steps / max);
  const days = stepSeconds * every >= 86_400;
  const ticks: { step: number; label: string }[] = [];
  let day = '';
  for (let step = 0; step < steps; step += every) {
    const iso = new Date((fromSeconds + step * stepSeconds) * 1000).toISOString();
    const date = iso.slice(5, 10);
    const time = iso.slice(11, stepSeconds < 60 ? 19 : 16);
    // The day where it changes, the hour elsewhere.
    ticks.push({ step, label: days || date !== day ? date : time });
    day = date;
  }
  return ticks;
}

/** 1, 2 or 5 times a power of ten, at least 1. */
function roundStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10;
  return Math.max(1, step * power);
}
