/** Numbers as people read them, and Markdown tables. */

/** With commas between thousands. */
export function counted(count: number): string {
  return count.toLocaleString('en-US');
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
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(ms >= 100_000 ? 0 : 2)} s`;
  return `${ms.toFixed(ms >= 100 ? 0 : 1)} ms`;
}

/** Bytes in decimal units. */
export function bytes(count: number): string {
  if (count >= 1e9) return `${(count / 1e9).toFixed(2)} GB`;
  if (count >= 1e6) return `${(count / 1e6).toFixed(1)} MB`;
  if (count >= 1e3) return `${(count / 1e3).toFixed(1)} kB`;
  return `${count} B`;
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

/** A text from outside as plain words in Markdown: nothing in it is markup, and it stays on its line. */
export function markdownText(text: string): string {
  return text.replace(CONTROLS, '?').replace(MARKUP, '\\$&');
}
