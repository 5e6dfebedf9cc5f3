/**
 * Headers of a tar archive: POSIX ustar (IEEE Std 1003.1, pax, "ustar Interchange Format"), regular files
 * alone, which every tar reads. Owners are left out, so that an archive tells nothing of who made it.
 */
import assert from 'node:assert';

/** A file as its header describes it. */
export interface TarEntry {
  /** With `/` between folders; neither absolute nor with `..`. */
  readonly name: string;
  readonly bytes: number;
  /** Unix seconds. */
  readonly changed: number;
}

const BLOCK_BYTES = 512;
const NAME_BYTES_MAX = 100;
const PREFIX_BYTES_MAX = 155;
/** Eleven octal digits. */
const SIZE_MAX = 0o77777777777;
const CHECKSUM_AT = 148;

/**
 * The header of a file; its bytes follow, then `tarPadding`.
 *
 * @throws RangeError where the name or the size has no room in the format
 */
export function tarHeader({ name, bytes, changed }: TarEntry): Buffer {
  if (bytes > SIZE_MAX) throw new RangeError(`${name} is too large for a tar archive`);
  const [prefix, rest] = splitName(name);
  const header = Buffer.alloc(BLOCK_BYTES);
  header.write(rest, 0, 'utf8');
  header.write(octal(0o600, 8), 100, 'latin1');
  header.write(octal(0, 8), 108, 'latin1');
  header.write(octal(0, 8), 116, 'latin1');
  header.write(octal(bytes, 12), 124, 'latin1');
  header.write(octal(Math.max(0, Math.floor(changed)), 12), 136, 'latin1');
  // The checksum is counted as if spaces stood in its place.
  header.write(' '.repeat(8), CHECKSUM_AT, 'latin1');
  header.write('0', 156, 'latin1');
  header.write('ustar\u000000', 257, 'latin1');
  header.write(prefix, 345, 'utf8');
  let sum = 0;
  for (const byte of header) sum += byte;
  header.write(`${octal(sum, 7)} `, CHECKSUM_AT, 'latin1');
  return header;
}

/** What fills the last block of a file. */
export function tarPadding(bytes: number): Buffer {
  return Buffer.alloc((BLOCK_BYTES - (bytes % BLOCK_BYTES)) % BLOCK_BYTES);
}

/** What ends an archive. */
export function tarEnd(): Buffer {
  return Buffer.alloc(2 * BLOCK_BYTES);
}

/** A number in octal, with zeros before it and a NUL behind it, so many bytes in all. */
function octal(value: number, bytes: number): string {
  return `${value.toString(8).padStart(bytes - 1, '0')}\u0000`;
}

/** A long name stands in two fields, parted at a slash. */
function splitName(name: string): [prefix: string, rest: string] {
  assert(!name.startsWith('/') && !name.split('/').includes('..'), 'a name stays in its archive');
  if (Buffer.byteLength(name) <= NAME_BYTES_MAX) return ['', name];
  for (let at = name.indexOf('/'); at > 0; at = name.indexOf('/', at + 1)) {
    const [prefix, rest] = [name.slice(0, at), name.slice(at + 1)];
    const fits = Buffer.byteLength(prefix) <= PREFIX_BYTES_MAX;
    if (fits && Buffer.byteLength(rest) <= NAME_BYTES_MAX) return [prefix, rest];
  }
  throw new RangeError(`${name} is too long a name for a tar archive`);
}
