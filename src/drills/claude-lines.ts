/**
 * What Claude Code prints with `--output-format stream-json`: one JSON object a line. Only what a
 * drill needs is read: the first sign of an answer, and the report at the end of a turn.
 */
import { AGENT_LINE_CHARS_MAX } from '../core/limits.ts';

/** What a line tells. */
export type AgentEvent =
  /** An answer begins to come. */
  | { readonly kind: 'began' }
  /** The turn is over. */
  | {
      readonly kind: 'ended';
      /** What was shown: the answer, or why there is none. */
      readonly text: string;
      readonly failed: boolean;
      /** Of the error answer that made it fail; null where there was none. */
      readonly status: number | null;
    }
  | { readonly kind: 'other' };

/** Reads a line. @returns null where it is not of the protocol */
export function readEvent(line: string): AgentEvent | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  if (!isObject(value) || typeof value['type'] !== 'string') return null;
  if (value['type'] === 'stream_event') {
    const event = value['event'];
    const starts = isObject(event) && event['type'] === 'message_start';
    return { kind: starts ? 'began' : 'other' };
  }
  if (value['type'] !== 'result') return { kind: 'other' };
  const { result, is_error: isError, subtype, api_error_status: status } = value;
  return {
    kind: 'ended',
    text: typeof result === 'string' ? result : '',
    failed: isError === true || subtype !== 'success',
    status: typeof status === 'number' ? status : null,
  };
}

/** Cuts text into lines, whatever the pieces it comes in. */
export interface LineCutter {
  /** @returns the lines that are whole now, or null where one is longer than may be */
  push(text: string): readonly string[] | null;
}

/** An empty one. */
export function createLineCutter(charsMax: number = AGENT_LINE_CHARS_MAX): LineCutter {
  let partial = '';
  return {
    push: (text) => {
      const lines = (partial + text).split('\n');
      partial = lines.pop() ?? '';
      if (partial.length > charsMax) return null;
      return lines.filter((line) => line.trim() !== '');
    },
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
