/**
 * What the commands print: results on stdout, everything said about them on stderr.
 */
import { steeringEscaped, withoutSteering } from '../core/steering.ts';

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

/** A text that came from outside, safe to print: it stays on its line and steers nothing. */
export function printable(text: string): string {
  return withoutSteering(text, () => '?');
}

/** The same for a text of several lines: its line ends and tabs stay. */
export function onTerminal(text: string): string {
  return withoutSteering(text, (control) => (control === '\n' || control === '\t' ? control : '?'));
}

/** JSON that steers no terminal either. */
export function jsonText(value: unknown, indent = 0): string {
  return steeringEscaped(JSON.stringify(value, null, indent));
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
