/**
 * HPACK for tests (RFC 7541): an encoder that says exactly what it is told to, valid or not, and a decoder
 * that reads what a peer answers. Names and values are latin1, a byte a character.
 */

export type Line = readonly [name: string, value: string];

/** An integer of `bits` bits of prefix, with the bits above it given (section 5.1). */
export function integer(value: number, bits: number, above = 0): Buffer {
  const most = 2 ** bits - 1;
  if (value < most) return Buffer.from([above | value]);
  const bytes = [above | most];
  let rest = value - most;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** A string without Huffman coding (section 5.2). */
export function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  return Buffer.concat([integer(bytes.length, 7), bytes]);
}

/** A string of bytes that are declared to be Huffman coded. */
export function huffmanBytes(bytes: Buffer): Buffer {
  return Buffer.concat([integer(bytes.length, 7, 0x80), bytes]);
}

/** An indexed field (section 6.1). */
export function indexed(index: number): Buffer {
  return integer(index, 7, 0x80);
}

/** A literal that is never indexed (section 6.2.3). */
export function literal(name: string, value: string): Buffer {
  return Buffer.concat([integer(0, 4, 0x10), text(name), text(value)]);
}

/** A literal that enters the dynamic table (section 6.2.1). */
export function kept(name: string, value: string): Buffer {
  return Buffer.concat([integer(0, 6, 0x40), text(name), text(value)]);
}

/** A literal whose name is that of an entry (section 6.2.2). */
export function namedBy(index: number, value: string): Buffer {
  return Buffer.concat([integer(index, 4), text(value)]);
}

/** A change of the size of the dynamic table (section 6.3). */
export function tableSize(bytes: number): Buffer {
  return integer(bytes, 5, 0x20);
}

/** Literals, in this order. */
export function block(lines: readonly Line[]): Buffer {
  return Buffer.concat(lines.map(([name, value]) => literal(name, value)));
}

/** A string in Huffman code, of printable ASCII only (section 5.2). */
export function huffman(value: string): Buffer {
  let bits = '';
  for (const character of value) {
    const code = CODE_OF.get(character.charCodeAt(0));
    if (code === undefined) throw new RangeError('only printable ASCII is encoded here');
    bits += code;
  }
  bits = bits.padEnd(Math.ceil(bits.length / 8) * 8, '1');
  const bytes = bits.match(/.{8}/g)?.map((byte) => Number.parseInt(byte, 2)) ?? [];
  return huffmanBytes(Buffer.from(bytes));
}

/** Reads header blocks of one connection, in their order. Throws at what RFC 7541 does not allow. */
export class HpackDecoder {
  #table: Line[] = [];
  #sizeMax = 4096;

  decode(bytes: Buffer): Line[] {
    const lines: Line[] = [];
    const from = new Cursor(bytes);
    while (from.left > 0) {
      const first = from.peek();
      if (first >= 0x80) {
        lines.push(this.#entry(from.integer(7)));
      } else if (first >= 0x40) {
        const line = this.#literal(from, 6);
        this.#table.unshift(line);
        this.#evict();
        lines.push(line);
      } else if (first >= 0x20) {
        this.#sizeMax = from.integer(5);
        this.#evict();
      } else {
        lines.push(this.#literal(from, 4));
      }
    }
    return lines;
  }

  #literal(from: Cursor, bits: number): Line {
    const index = from.integer(bits);
    const name = index === 0 ? from.text() : this.#entry(index)[0];
    return [name, from.text()];
  }

  #entry(index: number): Line {
    const line =
      index <= STATIC.length ? STATIC[index - 1] : this.#table[index - STATIC.length - 1];
    if (line === undefined) throw new RangeError(`no entry ${index}`);
    return line;
  }

  #evict(): void {
    let size = 0;
    const first = this.#table.findIndex(([name, value]) => {
      size += name.length + value.length + 32;
      return size > this.#sizeMax;
    });
    if (first >= 0) this.#table.length = first;
  }
}

class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  peek(): number {
    return this.#bytes.readUInt8(this.#at);
  }

  integer(bits: number): number {
    const most = 2 ** bits - 1;
    let value = this.#byte() & most;
    if (value < most) return value;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#byte();
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  }

  text(): string {
    const isHuffman = this.peek() >= 0x80;
    const length = this.integer(7);
    if (length > this.left) throw new RangeError('a string beyond the block');
    const bytes = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return isHuffman ? fromHuffman(bytes) : bytes.toString('latin1');
  }

  #byte(): number {
    const byte = this.peek();
    this.#at += 1;
    return byte;
  }
}

function fromHuffman(bytes: Buffer): string {
  let value = '';
  let code = '';
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit -= 1) {
      code += (byte >> bit) & 1;
      const symbol = SYMBOL_OF.get(code);
      if (symbol === undefined) continue;
      value += String.fromCharCode(symbol);
      code = '';
    }
  }
  if (code.length > 7 || code.includes('0')) throw new RangeError('padding of a Huffman string');
  return value;
}

/**
 * Symbols of the Huffman code by the length of their code in bits (RFC 7541 appendix B): the code is
 * canonical, so that lengths are all it takes. Printable ASCII, and NUL where it takes a code between them.
 */
const BY_LENGTH: ReadonlyMap<number, string> = new Map([
  [5, '012aceiost'],
  [6, ' %-./3456789=A_bdfghlmnpru'],
  [7, ':BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz'],
  [8, '&*,;XZ'],
  [10, '!"()?'],
  [11, "'+|"],
  [12, '#>'],
  [13, '\0$@[]~'],
  [14, '^}'],
  [15, '<`{'],
  [19, '\\'],
]);

function canonical(): Map<number, string> {
  const codes = new Map<number, string>();
  let next = 0;
  let before = 0;
  for (const [length, symbols] of BY_LENGTH) {
    next *= 2 ** (length - before);
    before = length;
    for (const symbol of symbols) {
      codes.set(symbol.charCodeAt(0), next.toString(2).padStart(length, '0'));
      next += 1;
    }
  }
  return codes;
}

const CODE_OF: ReadonlyMap<number, string> = canonical();
const SYMBOL_OF: ReadonlyMap<string, number> = new Map(
  [...CODE_OF].map(([symbol, code]) => [code, symbol]),
);

/** The static table (RFC 7541 appendix A). */
const STATIC: readonly Line[] = `:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`
  .split('\n')
  .map((line): Line => {
    const space = line.indexOf(' ');
    return space < 0 ? [line, ''] : [line.slice(0, space), line.slice(space + 1)];
  });
