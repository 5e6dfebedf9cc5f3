/**
 * A JSON parser written plainly from RFC 8259, as an oracle: strict, with duplicate keys kept. It
 * shares nothing with the program, nor with `JSON.parse`, which Node 26.10 spoils for the rest of the
 * process once it has read a key that is one backslash.
 */
import type { Node } from '../../../src/core/json/testing/texts.ts';

export type { Node } from '../../../src/core/json/testing/texts.ts';

/** The value of a JSON text, or null where it is not valid. */
export function parseTree(text: string): Node | null {
  const parser = new Parser(text);
  try {
    return parser.whole();
  } catch (error) {
    if (error instanceof NotJson) return null;
    throw error;
  }
}

/** The same of bytes; a byte order mark at their front is passed over. */
export function treeOf(bytes: Buffer): Node | null {
  const text = bytes.toString('utf8');
  return parseTree(text.startsWith('\ufeff') ? text.slice(1) : text);
}

/** The member of an object that `JSON.parse` would give for this key: the last. */
export function lastMember(node: Node | null | undefined, key: string): Node | undefined {
  if (node?.t !== 'object') return undefined;
  return node.members.findLast(([name]) => name === key)?.[1];
}

/** How many containers are open at once at the deepest place. */
export function depthOf(node: Node): number {
  if (node.t === 'array') return 1 + Math.max(0, ...node.entries.map(depthOf));
  if (node.t === 'object')
    return 1 + Math.max(0, ...node.members.map(([, value]) => depthOf(value)));
  return 0;
}

class NotJson extends Error {}

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};
const LITERAL = /(?:true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)/y;

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): Node {
    const node = this.#value();
    this.#space();
    if (this.#at !== this.#text.length) throw new NotJson();
    return node;
  }

  #value(): Node {
    this.#space();
    switch (this.#text[this.#at]) {
      case '"':
        return { t: 'string', value: this.#string() };
      case '[':
        return { t: 'array', entries: this.#list(']', () => this.#value()) };
      case '{':
        return { t: 'object', members: this.#list('}', () => this.#member()) };
      default:
        return { t: 'literal', text: this.#literal() };
    }
  }

  #member(): [string, Node] {
    this.#space();
    const key = this.#string();
    this.#space();
    this.#expect(':');
    return [key, this.#value()];
  }

  #list<T>(closing: string, item: () => T): T[] {
    this.#at += 1;
    const items: T[] = [];
    this.#space();
    if (this.#text[this.#at] === closing) {
      this.#at += 1;
      return items;
    }
    for (;;) {
      items.push(item());
      this.#space();
      if (this.#text[this.#at] === closing) break;
      this.#expect(',');
    }
    this.#at += 1;
    return items;
  }

  #string(): string {
    this.#expect('"');
    let value = '';
    for (;;) {
      const unit = this.#text[this.#at];
      if (unit === undefined || unit < ' ') throw new NotJson();
      this.#at += 1;
      if (unit === '"') return value;
      value += unit === '\\' ? this.#escape() : unit;
    }
  }

  #escape(): string {
    const letter = this.#text[this.#at] ?? '';
    this.#at += 1;
    if (letter !== 'u') {
      const meant = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
      if (meant === undefined) throw new NotJson();
      return meant;
    }
    const hex = this.#text.slice(this.#at, this.#at + 4);
    if (!/^[0-9a-fA-F]{4}$/.test(hex)) throw new NotJson();
    this.#at += 4;
    return String.fromCharCode(Number.parseInt(hex, 16));
  }

  #literal(): string {
    LITERAL.lastIndex = this.#at;
    const text = LITERAL.exec(this.#text)?.[0];
    if (text === undefined) throw new NotJson();
    this.#at += text.length;
    return text;
  }

  #expect(character: string): void {
    if (this.#text[this.#at] !== character) throw new NotJson();
    this.#at += 1;
  }

  #space(): void {
    while (' \t\n\r'.includes(this.#text[this.#at] ?? 'x')) this.#at += 1;
  }
}
