/**
 * `docs/P0-EXIT-CRITERIA.md` under the home: the criteria as the program ships them, and in a marked
 * block the verdicts. What else stands in the file is left as it is.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeWhole } from '../../reports/write.ts';
import { verdictBlock } from './text.ts';
import type { Gate } from './types.ts';

const BEGIN =
  '<!-- gates: begin. Written by lanekeeper gates; what stands between these lines is replaced. -->';
const END = '<!-- gates: end -->';

/**
 * Writes the verdicts.
 *
 * @param template path of the criteria as they are shipped, for a home that has none yet
 * @param now Unix ms
 * @returns the path of the file
 */
export async function updateCriteria(
  home: string,
  template: string,
  gates: readonly Gate[],
  now: number,
): Promise<string> {
  const path = join(home, 'docs', 'P0-EXIT-CRITERIA.md');
  const text = (await textOf(path)) ?? (await textOf(template)) ?? '# P0 exit criteria\n';
  await writeWhole(path, withBlock(text, verdictBlock(gates, now)));
  return path;
}

/** The text with another block in its place, or with a block at its end. */
export function withBlock(text: string, block: string): string {
  const whole = `${BEGIN}\n\n${block}\n\n${END}`;
  const from = text.indexOf('<!-- gates: begin');
  const end = text.indexOf(END, from);
  if (from < 0 || end < 0) return `${text.trimEnd()}\n\n${whole}\n`;
  return text.slice(0, from) + whole + text.slice(end + END.length);
}

async function textOf(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
