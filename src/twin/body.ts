/**
 * Reading the JSON body of a messages request: open, as the API is (unknown fields pass), and sure of
 * what it uses.
 */

/** A JSON object of unknown content. */
export type Json = { readonly [key: string]: unknown };

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The body as an object, or why it is none. */
export function parseBody(body: Buffer): { json: Json } | { problem: string } {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    return { problem: 'The request body is not valid JSON' };
  }
  return isObject(value) ? { json: value } : { problem: 'The request body must be a JSON object' };
}

/** What a conversation asks for now. */
export interface Turn {
  /** Text of the last message that a user wrote, without injected reminders. */
  readonly prompt: string;
  /** How many times tools were used since that prompt: 0 for its first answer. */
  readonly round: number;
}

/**
 * Finds the prompt in force: the last user message with text of its own and no tool result. Claude
 * Code adds `<system-reminder>` blocks and messages of the role `system`: these are no prompts.
 */
export function readTurn(messages: readonly unknown[]): Turn {
  let round = 0;
  for (let i = messages.length - 1; i >= 0; i -= 1) {
    const message = messages[i];
    if (!isObject(message)) continue;
    if (message['role'] === 'assistant' && hasBlock(message['content'], 'tool_use')) round += 1;
    if (message['role'] !== 'user' || hasBlock(message['content'], 'tool_result')) continue;
    const prompt = textOf(message['content'])
      .replaceAll(/<system-reminder>[\s\S]*?<\/system-reminder>/g, '')
      .trim();
    if (prompt !== '') return { prompt, round };
  }
  return { prompt: '', round };
}

function hasBlock(content: unknown, type: string): boolean {
  return (
    Array.isArray(content) && content.some((block) => isObject(block) && block['type'] === type)
  );
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  const texts: string[] = [];
  for (const block of content) {
    if (isObject(block) && typeof block['text'] === 'string') texts.push(block['text']);
  }
  return texts.join('\n');
}
