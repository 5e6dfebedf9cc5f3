/**
 * The ways in which a text can be read: as it stands, with the escapes of JSON undone, with those of
 * URLs undone, and one within the other; and what stands in it in base64.
 *
 * Texts here are bytes, one character each (latin1), so that nothing is lost to a wrong encoding.
 */

/** JSON within JSON within a URL: deeper is nobody's accident. */
const DEPTH_MAX = 3;
/** Shorter runs hold no key of a known shape. */
const BASE64_CHARS_MIN = 20;

const JSON_ESCAPES = /\\(?:u[0-9a-fA-F]{4}(?:\\u[0-9a-fA-F]{4})*|["\\/bfnrt])/g;
const URL_ESCAPES = /%[0-9a-fA-F]{2}/g;
/** From where they begin, so that each is tried once. */
const BASE64_RUNS = new RegExp(`(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{${BASE64_CHARS_MIN},}`, 'g');

/** A text as it can be read. */
export interface Reading {
  readonly text: string;
  /** The escapes that were undone, the outermost first; empty for the text as it stands. */
  readonly undone: readonly ('JSON' | 'URL')[];
}

/** The text, and every other text that it becomes where its escapes are undone. */
export function readings(text: string): readonly Reading[] {
  const all: Reading[] = [{ text, undone: [] }];
  let fresh = [...all];
  for (let depth = 0; depth < DEPTH_MAX && fresh.length > 0; depth += 1) {
    const deeper: Reading[] = [];
    for (const one of fresh) {
      for (const read of [
        { text: withoutJsonEscapes(one.text), undone: [...one.undone, 'JSON'] as const },
        { text: withoutUrlEscapes(one.text), undone: [...one.undone, 'URL'] as const },
      ]) {
        if (![...all, ...deeper].some((known) => known.text === read.text)) deeper.push(read);
      }
    }
    all.push(...deeper);
    fresh = deeper;
  }
  return all;
}

/**
 * Everything that could be base64 in a text, decoded. Where a run begins within a longer one nobody
 * knows, so each is read from its first four characters on.
 */
export function decodedBase64(text: string): string {
  const decoded: string[] = [];
  for (const [run] of text.matchAll(BASE64_RUNS)) {
    for (let offset = 0; offset < 4; offset += 1) {
      decoded.push(Buffer.from(run.slice(offset), 'base64').toString('latin1'));
    }
  }
  return decoded.join('\n');
}

/**
 * What of the base64 of a text is the same whatever stands before and behind it, in both alphabets,
 * one for each of the three places where it can begin.
 */
export function base64Spellings(value: string): readonly string[] {
  const bytes = Buffer.from(value, 'latin1');
  const spellings = [0, 1, 2].flatMap((before) => {
    const all = Buffer.concat([Buffer.alloc(before), bytes]);
    // Of each character six bits; only those that are the value's alone are sure.
    const first = Math.ceil((before * 8) / 6);
    const end = Math.floor((all.length * 8) / 6);
    return (['base64', 'base64url'] as const).map((coding) =>
      all.toString(coding).slice(first, end),
    );
  });
  return [...new Set(spellings)];
}

function withoutJsonEscapes(text: string): string {
  return text.includes('\\') ? text.replace(JSON_ESCAPES, unescaped) : text;
}

function unescaped(escaped: string): string {
  const characters = JSON.parse(`"${escaped}"`) as string;
  return Buffer.from(characters, 'utf8').toString('latin1');
}

function withoutUrlEscapes(text: string): string {
  if (!text.includes('%')) return text;
  return text.replace(URL_ESCAPES, (escaped) =>
    String.fromCharCode(Number.parseInt(escaped.slice(1), 16)),
  );
}
