/**
 * What the record of an event stream says, held against the stream itself: its health, its events, its
 * tokens. The tap reads beside the bytes; this reads what was sent, once, when all is over.
 */
import type { UsageRecord } from '../src/ledger/record.ts';
import type { Story } from './story.ts';
import { wireValue } from './wire-reader.ts';

/** What the scripts' first event says. */
const INPUT_TOKENS = 3;

/** What is wrong with a record, whatever became of its exchange; null where nothing is. */
export function recordFault(story: Story, record: UsageRecord): string | null {
  if (record.path !== story.plan.target.replace(/\?.*$/s, '')) return `says path ${record.path}`;
  return story.got.status === 408 ? null : streamFault(story, record);
}

function streamFault(story: Story, record: UsageRecord): string | null {
  const { plan, got } = story;
  const script = story.arrivals.at(-1)?.script;
  if (script === null || script === undefined || got.local !== null) return null;
  const isStream = wireValue(script.fields, 'content-type') === 'text/event-stream';
  const isRead = plan.isRouted && plan.framing !== 'none' && record.status === script.status;
  if (!isRead) return null;
  if ((record.sse !== null) !== isStream) return `calls its stream ${record.sse}`;
  const isPlain = wireValue(script.fields, 'content-encoding') === undefined;
  if (!isStream || !isPlain || got.end !== 'clean' || plan.method === 'HEAD') return null;
  const given = script.payload.toString('latin1', 0, got.payloadBytes);
  // An event counts from its empty line on.
  const text = given.slice(0, given.lastIndexOf('\n\n') + 2);
  const health = text.includes('event: message_stop') ? 'complete' : 'cut';
  if (record.sse !== health) return `calls a stream ${record.sse} that is ${health}`;
  const isBegun = text.includes('message_start');
  if (isBegun && record.input_tokens !== INPUT_TOKENS) {
    return `counts ${record.input_tokens} tokens of ${INPUT_TOKENS}`;
  }
  const events = text.split('\n\n').length - 1;
  if (record.sse_events !== events) return `counts ${record.sse_events} of ${events} events`;
  return null;
}
