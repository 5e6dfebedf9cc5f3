/**
 * The kept inputs: `corpus/TARGET/NAME`, one input a file, as it is. Files are named by a digest of
 * their bytes; those of a fault that was found and mended begin with `found-`.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { nameOf } from './target.ts';

/** Where the kept inputs lie. */
export const CORPUS = path.join(import.meta.dirname, 'corpus');
export const FOUND = 'found-';

export interface KeptInput {
  readonly file: string;
  readonly bytes: Buffer;
}

/** The kept inputs of a target, by name. */
export function readKept(corpus: string, target: string): KeptInput[] {
  const folder = path.join(corpus, target);
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).sort();
  return names.map((name) => {
    const file = path.join(folder, name);
    return { file, bytes: readFileSync(file) };
  });
}

/** Keeps an input; gives back its file, as a path from the working directory. */
export function keep(corpus: string, target: string, input: Buffer, prefix = ''): string {
  const file = path.join(corpus, target, `${prefix}${nameOf(input)}`);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, input);
  return path.relative(process.cwd(), file);
}

/** Removes the kept inputs of a target, but not those of faults. */
export function forget(corpus: string, target: string): void {
  for (const { file } of readKept(corpus, target)) {
    if (!path.basename(file).startsWith(FOUND)) rmSync(file);
  }
}

/** The target that a file of the corpus belongs to. */
export function targetOf(file: string): string {
  return path.basename(path.dirname(path.resolve(file)));
}
