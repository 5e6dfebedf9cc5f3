/**
 * HTML and SVG as values: whatever is put into a template is escaped, unless it is markup itself. So a
 * name from the ledger can not become an element, nor turn the direction of the text around it.
 */
import { plainText } from '../words.ts';

/** Text that is markup already. Made by `markup` and `raw` alone. */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

type Part = Markup | string | number | null | readonly Part[];

/** A template whose values are escaped; lists are joined, null is nothing. */
export function markup(strings: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  let text = strings[0] ?? '';
  for (const [index, part] of parts.entries()) {
    text += textOf(part) + (strings[index + 1] ?? '');
  }
  return new Markup(text);
}

/** The program's own text, such as a style sheet, as it is. */
export function raw(text: string): Markup {
  return new Markup(text);
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function textOf(part: Part): string {
  if (part === null) return '';
  if (part instanceof Markup) return part.text;
  if (typeof part === 'object') return part.map(textOf).join('');
  if (typeof part === 'number') return String(Math.round(part * 100) / 100);
  return plainText(part).replace(/[&<>"']/g, (character) => ESCAPES[character] ?? '');
}
