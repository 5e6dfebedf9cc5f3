/**
 * Which situations came up in a run: that an invariant held says little where nothing happened. The
 * tests ask for every one of these.
 */
import type { Arrival, Story } from './story.ts';
import { wireValue } from './wire-reader.ts';

export function seenIn(stories: Iterable<Story>): Map<string, number> {
  const seen = new Map<string, number>();
  for (const story of stories) {
    if (story.startedAt === 0) continue;
    for (const what of situations(story)) seen.set(what, (seen.get(what) ?? 0) + 1);
  }
  return seen;
}

function situations(story: Story): string[] {
  const { got, plan, arrivals } = story;
  const all = [`client: ${got.end}`];
  if (got.local !== null) all.push(`error of ours: ${got.local}`);
  if (plan.flaw !== 'none') all.push(`broken request: ${plan.flaw}`);
  if (plan.leak !== 'none') all.push(`credential out of place: ${plan.leak}`);
  if (got.interims > 0) all.push('interim answers');
  for (const kind of story.anomalies) all.push(`anomaly: ${kind}`);
  for (const failure of story.failures) all.push(`failed attempt: ${failure}`);
  for (const record of story.records) all.push(`decision: ${record.decision}`);
  for (const arrival of arrivals) all.push(...situationsAt(arrival));
  const [first, second] = arrivals;
  if (first !== undefined && second !== undefined) {
    const given = first.socket.bytesGiven - first.givenBefore;
    all.push(`sent again: ${given > 0 ? first.script?.status : 'nothing had come back'}`);
  }
  return all;
}

function situationsAt({ script, restedMs, lane }: Arrival): string[] {
  const all = [`lane: ${lane}`];
  if (restedMs !== null) all.push('connection used again');
  if (script === null) return all;
  if (wireValue(script.fields, 'content-encoding') !== undefined) all.push('encoded answer');
  if (script.isUpgrade) all.push('upgrade');
  if (script.cut !== null) all.push(`answer cut: ${script.cut.how}`);
  if (script.flaw !== 'none') all.push(`broken answer: ${script.flaw}`);
  return all;
}
