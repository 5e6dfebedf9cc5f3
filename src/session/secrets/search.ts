/**
 * Searches files for secrets, in memory that does not grow with them, and says where they stand: file
 * and line, never the secret itself. Compressed files are searched as what they hold.
 */
import { createReadStream } from 'node:fs';
import type { Readable, Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { FINDINGS_MAX, SEARCH_PIECE_BYTES } from '../../core/limits.ts';
import type { Finder, ShapeName } from './finder.ts';

/** A secret in a file. */
export interface Finding {
  readonly file: string;
  /** Counted from 1; of a compressed file, the line of what it holds. */
  readonly line: number;
  /** What it is: the name of a secret, or of a shape. */
  readonly what: string;
}

export interface SearchResult {
  readonly files: number;
  readonly bytes: number;
  /** The first of them; see `found`. */
  readonly findings: readonly Finding[];
  readonly found: number;
  /** Files that could not be read to their end, and why. */
  readonly unread: readonly { readonly file: string; readonly reason: string }[];
}

/** A file to be searched. */
export interface Searched {
  /** As it is named in findings. */
  readonly name: string;
  /** What it holds, decompressed: `contentOf`. */
  readonly open: () => Readable;
  /** Shapes that may stand in it. */
  readonly allowed?: readonly ShapeName[];
}

const NEWLINE = 0x0a;

/** Searches files one after the other. One that is gone meanwhile holds nothing. */
export async function searchFiles(
  finder: Finder,
  files: Iterable<Searched>,
): Promise<SearchResult> {
  const findings: Finding[] = [];
  const unread: { file: string; reason: string }[] = [];
  let count = 0;
  let bytes = 0;
  let found = 0;
  for (const { name, open, allowed } of files) {
    const tell = (line: number, what: string): void => {
      found += 1;
      if (findings.length < FINDINGS_MAX) findings.push({ file: name, line, what });
    };
    const search = createSearch(finder, tell, allowed);
    try {
      for await (const piece of open()) {
        bytes += piece.length;
        search.push(piece);
      }
      search.end();
      count += 1;
    } catch (error) {
      const { code = 'unknown' } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT') unread.push({ file: name, reason: code });
    }
  }
  return { files: count, bytes, findings, found, unread };
}

/** What a file holds: decompressed where its name says that it is compressed. */
export function contentOf(path: string): Readable {
  return decompressed(path, createReadStream(path, { highWaterMark: SEARCH_PIECE_BYTES }));
}

/** The same of bytes that come from elsewhere. */
export function decompressed(name: string, bytes: Readable): Readable {
  const through = decompressorFor(name);
  if (through === null) return bytes;
  bytes.on('error', (error) => through.destroy(error));
  through.on('close', () => bytes.destroy());
  return bytes.pipe(through);
}

function decompressorFor(name: string): Transform | null {
  if (/\.t?gz$/.test(name)) return createGunzip();
  return name.endsWith('.zst') ? createZstdDecompress() : null;
}

/** Searches what is pushed, piece by piece, as one text. */
export interface Search {
  push(piece: Buffer): void;
  end(): void;
}

/**
 * A search over one text, however it is cut into pieces.
 *
 * @param tell is told of each finding once: its line, and what it is
 * @param pieceBytes what is searched at once, at least; more where lines or pieces are longer
 */
export function createSearch(
  finder: Finder,
  tell: (line: number, what: string) => void,
  allowed: readonly ShapeName[] = [],
  pieceBytes: number = SEARCH_PIECE_BYTES,
): Search {
  let rest: Buffer[] = [];
  let restBytes = 0;
  let due = pieceBytes;
  let line = 1;
  /** What was told of the line under way, which pieces that overlap would tell twice. */
  let told = new Set<string>();
  const searchLine = (text: string): void => {
    for (const what of finder.in(text, allowed)) {
      if (told.has(what)) continue;
      told.add(what);
      tell(line, what);
    }
  };
  /** Lines are looked at one by one only where something is in them. */
  const searchText = (text: string): void => {
    const suspect = finder.in(text, allowed).length > 0;
    const lines = text.split('\n');
    for (const [index, one] of lines.entries()) {
      if (suspect) searchLine(one);
      if (index === lines.length - 1) break;
      line += 1;
      told = new Set();
    }
  };
  const flush = (): void => {
    const all = Buffer.concat(rest);
    const end = all.lastIndexOf(NEWLINE) + 1;
    // No secret reaches beyond its line; in a line without an end, none beyond the overlap.
    if (end > 0) searchText(all.toString('latin1', 0, end));
    let left = all.subarray(end);
    if (left.length >= pieceBytes + finder.overlap) {
      searchText(left.toString('latin1'));
      left = left.subarray(left.length - finder.overlap);
    }
    rest = [Buffer.from(left)];
    restBytes = left.length;
    due = left.length < pieceBytes ? pieceBytes : pieceBytes + finder.overlap;
  };
  return {
    push: (piece) => {
      rest.push(piece);
      restBytes += piece.length;
      if (restBytes >= due) flush();
    },
    end: () => {
      flush();
      searchText(rest[0]?.toString('latin1') ?? '');
    },
  };
}
