/**
 * One turn of Claude Code: what it is asked, and what it has to show in the end.
 *
 * An agent shows text, not bytes. So the twin is asked to say a text that no other turn has, and the
 * agent must show that text, character for character.
 */
import type { DrillRequest, Shape } from './types.ts';

/** A turn to be asked. */
export interface Turn {
  readonly prompt: string;
  /** What must be shown; null where a real model chooses its words. */
  readonly expected: string | null;
}

/** Who reads the prompt, and from where. */
export interface TurnSetting {
  /** The twin answers; else a real model reads the prompt. */
  readonly simulated: boolean;
  /** Absolute path of a file that the agent may read with its own tool. */
  readonly notes: string;
}

/** Words of each kind of answer. */
const WORD_COUNTS: Readonly<Record<Shape, number>> = {
  short: 12,
  medium: 60,
  long: 400,
  tool: 12,
  once: 20,
};
/** Letters of one to four bytes, so that a cut within a letter would show. */
const VOCABULARY = [
  'lane',
  'größe',
  'a\\b',
  'naïve',
  '車線',
  '"so"',
  'ledger',
  '🚦',
  'λόγος',
  '&lt;',
];

/** The turn for a request of a drill. */
export function turnOf(request: DrillRequest, { simulated, notes }: TurnSetting): Turn {
  if (!simulated) return { prompt: request.prompt, expected: null };
  const expected = textOf(request);
  const say = `[twin: say ${expected}]`;
  const read = JSON.stringify({ file_path: notes, limit: 40 });
  const directives =
    request.shape === 'tool'
      ? `[twin: say I look.] [twin: tool Read ${read}] [twin: then] ${say}`
      : say;
  return { prompt: `${directives} (${request.tag})`, expected };
}

/** The number of the request goes first, and turns the order of the words. */
function textOf({ tag, shape }: DrillRequest): string {
  const number = Number(/\d+$/.exec(tag)?.[0] ?? 0);
  const words = Array.from(
    { length: WORD_COUNTS[shape] },
    (_, index) => VOCABULARY[(number + index) % VOCABULARY.length],
  );
  return `${number}: ${words.join(' ')}.`;
}
