/**
 * The bodies of the requests, as an agent makes them: source code in messages and tool descriptions, with the
 * newlines, quotes and umlauts that JSON escapes. The same every time.
 */
import { MODELS, type Model } from './wire.ts';

/** `small` 2 KB; `agent` 200 KB, its model first, as the agent writes it; `large` 1 MB, its model last. */
export type Body = 'small' | 'agent' | 'large';

const WORDS = (
  'const return function await import export interface string number error result value path read write ' +
  'test async map filter config request response stream token model'
).split(' ');

/** Numbers that look random and are the same every time (a linear congruential generator). */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const draw = numbers(7);

function line(): string {
  const words = Array.from({ length: 4 + draw(7) }, () => WORDS[draw(WORDS.length)] ?? '');
  const quoted = draw(3) === 0 ? ` "x${draw(1000)}"` : '';
  const remark = draw(12) === 0 ? ' // naïve, größer ✓' : '';
  return `${'  '.repeat(draw(4))}${words.join(' ')}${quoted}${remark}\n`;
}

/** Text like source code, of so many characters. */
function code(length: number): string {
  let text = '';
  while (text.length < length) text += line();
  return text.slice(0, length);
}

function tools(count: number, length: number): unknown[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `tool_${index}`,
    description: code(length),
    input_schema: {
      type: 'object',
      properties: {
        path: { type: 'string', description: code(120) },
        limit: { type: 'number' },
      },
      required: ['path'],
    },
  }));
}

/** A conversation: a question, then turns of a tool and its result, `length` characters in all. */
function conversation(turns: number, length: number): unknown[] {
  const each = Math.floor(length / turns);
  const messages: unknown[] = [{ role: 'user', content: [{ type: 'text', text: code(each) }] }];
  for (let turn = 1; turn < turns; turn += 1) {
    const id = `toolu_${turn}`;
    const input = { path: `src/file-${turn}.ts`, limit: turn };
    const use = { type: 'tool_use', id, name: `tool_${turn % 16}`, input };
    messages.push(
      { role: 'assistant', content: [{ type: 'text', text: code(80) }, use] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: id, content: code(each) }] },
    );
  }
  return messages;
}

const SMALL = { max_tokens: 1024, messages: [{ role: 'user', content: code(1800) }] };
const AGENT = {
  max_tokens: 32_000,
  system: [{ type: 'text', text: code(12_000) }],
  tools: tools(16, 1500),
  messages: conversation(30, 142_000),
};
const LARGE = {
  messages: conversation(100, 890_000),
  system: [{ type: 'text', text: code(12_000) }],
  tools: tools(30, 2200),
  max_tokens: 32_000,
};

/** The body of a request. */
export function bodyOf(body: Body, model: Model, stream: boolean): Buffer {
  const name = { model: MODELS[model] };
  const metadata = { user_id: 'user_bench' };
  const made = {
    small: { ...name, stream, metadata, ...SMALL },
    agent: { ...name, stream, metadata, ...AGENT },
    large: { ...LARGE, metadata, stream, ...name },
  };
  return Buffer.from(JSON.stringify(made[body]));
}
