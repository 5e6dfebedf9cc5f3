/** What the targets of ours that do the whole job share: the note of what was used. */
import { openSync, writeSync } from 'node:fs';

/** Appends a line an exchange, as JSON. */
export function usageNotes(file: string): (model: string, usage: unknown) => void {
  const notes = openSync(file, 'a');
  return (model, usage) => {
    writeSync(notes, `${JSON.stringify({ model, usage })}\n`);
  };
}

/** The last usage of an answer, or of those of its events that were kept. */
export function usageIn(text: string): unknown {
  const from = text.lastIndexOf('"usage":');
  const end = text.indexOf('}', from);
  return from < 0 || end < 0 ? null : JSON.parse(text.slice(from + '"usage":'.length, end + 1));
}
