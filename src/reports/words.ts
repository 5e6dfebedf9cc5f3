/** Numbers as people read them, tables, and texts from outside. */

/** With commas between thousands. */
export function counted(count: number): string {
  return count.toLocaleString('en-US');
}

/** A large count in few characters, for an axis. */
export function compact(count: number): string {
  return count.toLocaleString('en-US', { notation: 'compact', maximumFractionDigits: 1 });
}

/** A count and its noun. */
export function plural(count: number, noun: string): string {
  return `${counted(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** A share in percent, one decimal; a share of nothing is a dash. */
export function share(part: number, whole: number): string {
  return whole === 0 ? '-' : `${((100 * part) / whole).toFixed(1)} %`;
}

/** Milliseconds as ms below a second, above as seconds. */
export function duration(ms: number | undefined): string {
  if (ms === undefined) return '-';
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(ms >= 100_000 || ms % 1_000 === 0 ? 0 : 2)} s`;
  return `${ms.toFixed(ms >= 100 || ms === Math.trunc(ms) ? 0 : 1)} ms`;
}

/** Bytes in decimal units. */
export function bytes(count: number): string {
  if (count >= 1e9) return `${(count / 1e9).toFixed(2)} GB`;
  if (count >= 1e6) return `${(count / 1e6).toFixed(1)} MB`;
  if (count >= 1e3) return `${(count / 1e3).toFixed(1)} kB`;
  return `${count} B`;
}

/** Dollars, with as many decimals as a small amount needs to be one. */
export function dollars(amount: number): string {
  const size = Math.abs(amount);
  const decimals = size === 0 || size >= 100 ? 2 : size >= 0.01 ? 4 : 6;
  const digits = size.toLocaleString('en-US', {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  });
  return `${amount < 0 ? '-' : ''}$${digits}`;
}

/** Rows as columns, two spaces between them; all but the first two are right-aligned. */
export function textTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    }
  }
  const pad = (cell: string, column: number): string =>
    column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  return rows.map((row) => row.map(pad).join('  ').trimEnd()).join('\n');
}

/** A Markdown table; every column but the first is right-aligned. */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, index) => (index === 0 ? '---' : '---:'));
  return [head, rule, ...rows].map(line).join('\n');
}

/** What steers a terminal or a text: C0, DEL, C1, line separators, and marks that turn its direction. */
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const MARKUP = /[\\`*_[\]<>|#&~]/g;

/** A text from outside, safe on a terminal: it stays on its line and steers nothing. */
export function plainText(text: string): string {
  return text.replace(CONTROLS, '?');
}

/** The same in Markdown, where besides nothing in it is markup. */
export function markdownText(text: string): string {
  return plainText(text).replace(MARKUP, '\\$&');
}
