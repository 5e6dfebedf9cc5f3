/**
 * What the commands print: results on stdout, everything said about them on stderr.
 */

/** Prints one line (or several) of a result. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Prints a result as JSON, indented. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** Says something about what happens, on stderr. */
export function say(text: string): void {
  process.stderr.write(`lanekeeper: ${text}\n`);
}

/** Characters that would steer a terminal: C0, DEL and C1. */
const CONTROLS = /[\u0000-\u001f\u007f-\u009f]/g;

/** A text that came from outside, safe to print: what would steer the terminal becomes `?`. */
export function printable(text: string): string {
  return text.replace(CONTROLS, '?');
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
