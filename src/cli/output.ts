/**
 * What the commands print: results on stdout, everything said about them on stderr.
 */

/** Prints one line (or several) of a result; what would steer the terminal becomes `?`. */
export function print(text: string): void {
  printExact(onTerminal(text));
}

/** Prints a result that another program takes as it is, such as a shell. */
export function printExact(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Prints a result as JSON, indented. */
export function printJson(value: unknown): void {
  printExact(jsonText(value, 2));
}

/** Says something about what happens, on stderr. */
export function say(text: string): void {
  process.stderr.write(`lanekeeper: ${onTerminal(text)}\n`);
}

/** What steers a terminal or a text: C0, DEL, C1, line separators, and marks that turn its direction. */
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** A text that came from outside, safe to print: it stays on its line and steers nothing. */
export function printable(text: string): string {
  return text.replace(CONTROLS, '?');
}

/** The same for a text of several lines: its line ends and tabs stay. */
export function onTerminal(text: string): string {
  return text.replace(CONTROLS, (control) =>
    control === '\n' || control === '\t' ? control : '?',
  );
}

/** JSON that steers no terminal either: what JSON itself lets stand is escaped too. */
export function jsonText(value: unknown, indent = 0): string {
  const text = JSON.stringify(value, null, indent);
  return text.replace(CONTROLS, (control) =>
    control === '\n' ? control : `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Rows as left-aligned columns, two spaces between them, without trailing space. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    }
  }
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return rows.map(line).join('\n');
}
