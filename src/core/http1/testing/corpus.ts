/**
 * For tests: reads the kept corpus, `corpus/*.txt`.
 *
 * A case begins with a line `== name`, followed by `method: M` (in files of answers: what was asked)
 * and `verdict: ...`, then its bytes. The bytes are the lines that follow, put together without their
 * line ends; in them `\r`, `\n`, `\t`, `\0`, `\\` and `\xHH` stand for one byte, `\{N:c}` for N times
 * the character c. A line that begins with `#` and what stands before the first case is comment.
 *
 * A verdict is `accept N`: N messages, then a clean end of the connection; or `refuse CODE` or
 * `refuse CODE after N`: N whole messages are read, then the rest is refused.
 */
export interface CorpusCase {
  readonly name: string;
  /** What was asked, in a file of answers; else the empty string. */
  readonly method: string;
  /** How many whole messages are read. */
  readonly messages: number;
  /** The code of the refusal, or null. */
  readonly error: string | null;
  readonly bytes: Buffer;
}

/** Reads a file of the corpus. */
export function parseCorpus(text: string): CorpusCase[] {
  const [, ...blocks] = text.split(/^== /m);
  return blocks.map(parseCase);
}

function parseCase(block: string): CorpusCase {
  const [name = '', ...lines] = block.split('\n').filter((line) => !line.startsWith('#'));
  const method = takeHeader(lines, 'method: ') ?? '';
  const verdict = takeHeader(lines, 'verdict: ') ?? '';
  const parts = /^(?:accept ([0-9]+)|refuse ([a-z_]+)(?: after ([0-9]+))?)$/.exec(verdict);
  if (parts === null) throw new SyntaxError(`case "${name}" has no valid verdict`);
  const [, accepted, error = null, before = '0'] = parts;
  return {
    name,
    method,
    messages: Number(accepted ?? before),
    error,
    bytes: Buffer.from(lines.map(unescaped).join(''), 'latin1'),
  };
}

function takeHeader(lines: string[], prefix: string): string | null {
  if (lines[0]?.startsWith(prefix) !== true) return null;
  return lines.shift()?.slice(prefix.length) ?? null;
}

const SIMPLE: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', '0': '\0' };

function unescaped(line: string): string {
  return line.replace(
    /\\(?:x([0-9a-fA-F]{2})|\{([0-9]+):(.)\}|(.))/g,
    (_, hex?: string, count?: string, repeated?: string, simple?: string) => {
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
      if (count !== undefined) return (repeated ?? '').repeat(Number(count));
      return SIMPLE[simple ?? ''] ?? simple ?? '';
    },
  );
}
