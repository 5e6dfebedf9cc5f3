/**
 * For tests: bytes that are HTTP/1.1, or nearly so. A grammar that knows where readers disagree makes
 * whole messages; a mutator then breaks some of them. Everything follows from a seed.
 */
import {
  CODINGS,
  CONNECTIONS,
  EXTENSIONS,
  HOSTS,
  LENGTHS,
  METHODS,
  NAMES,
  ODD_CODINGS,
  ODD_CONNECTIONS,
  ODD_EXTENSIONS,
  ODD_HOSTS,
  ODD_LENGTHS,
  ODD_METHODS,
  ODD_NAMES,
  ODD_REASONS,
  ODD_STATUSES,
  ODD_TARGETS,
  ODD_VALUES,
  ODD_VERSIONS,
  REASONS,
  SIZES,
  SPLICES,
  STATUSES,
  TARGETS,
  VALUES,
  VERSIONS,
} from './vocabulary.ts';

/** A seeded source of choices. */
export interface Random {
  /** An integer from 0 to below `limit`. */
  int(limit: number): number;
  pick<T>(list: readonly T[]): T;
  /** True once in `n` times. */
  once(n: number): boolean;
}

/** Makes a source of choices (splitmix32). */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const int = (limit: number): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) % limit;
  };
  return {
    int,
    pick: (list) => list[int(list.length)] as (typeof list)[number],
    once: (n) => int(n) === 0,
  };
}

/** One to three requests in a row, often broken somewhere. */
export function generateRequests(random: Random): Buffer {
  let bytes = '';
  for (let i = 0, count = 1 + random.int(3); i < count; i += 1) bytes += request(random);
  return Buffer.from(mutated(bytes, random), 'latin1');
}

/** An answer, with interim ones before it at times, often broken somewhere. */
export function generateResponse(random: Random): {
  readonly method: string;
  readonly bytes: Buffer;
} {
  const method = random.pick(['GET', 'GET', 'POST', 'HEAD', 'CONNECT']);
  let bytes = '';
  while (random.once(8)) bytes += response(random, random.pick(['100', '102', '103', '199']));
  bytes += response(random, odd(random, 30, STATUSES, ODD_STATUSES));
  if (random.once(30)) bytes += response(random, '200');
  return { method, bytes: Buffer.from(mutated(bytes, random), 'latin1') };
}

/** Now and then (once in `n`) one of the odd ones. */
function odd(
  random: Random,
  n: number,
  usual: readonly string[],
  unusual: readonly string[],
): string {
  return random.pick(random.once(n) ? unusual : usual);
}

function request(random: Random): string {
  const method = odd(random, 40, METHODS, ODD_METHODS);
  const target =
    method === 'CONNECT' && !random.once(3)
      ? random.pick(['a.test:443', '[::1]:443', 'a.test', 'a-b_c.test:1'])
      : odd(random, 25, TARGETS, ODD_TARGETS);
  const start = `${method} ${target} ${odd(random, 40, VERSIONS, ODD_VERSIONS)}\r\n`;
  const lines = random.once(40) ? [] : [field(random, 'Host', HOSTS, ODD_HOSTS)];
  if (random.once(40)) lines.push(field(random, 'host', HOSTS, ODD_HOSTS));
  if (random.once(12)) lines.push(`Upgrade: ${random.pick(['websocket', 'h2c', ''])}\r\n`);
  if (random.once(15))
    lines.push(`Expect: ${random.pick(['100-continue', '100-Continue', 'x'])}\r\n`);
  const empty = random.once(20) ? '\r\n' : '';
  return empty + start + rest(random, lines, method !== 'GET' && method !== 'CONNECT');
}

function response(random: Random, status: string): string {
  const reason = random.once(10) ? '' : ` ${odd(random, 30, REASONS, ODD_REASONS)}`;
  const start = `${odd(random, 40, VERSIONS, ODD_VERSIONS)} ${status}${reason}\r\n`;
  const lines: string[] = [];
  if (status === '101' && !random.once(3)) {
    lines.push('Upgrade: websocket\r\n', 'Connection: upgrade\r\n');
  }
  return start + rest(random, lines, !status.startsWith('1') && status !== '204');
}

/** Fields, the empty line and a body that fits them, mostly. */
function rest(random: Random, lines: string[], hasBody: boolean): string {
  for (let i = random.int(4); i > 0; i -= 1) {
    lines.push(field(random, odd(random, 40, NAMES, ODD_NAMES), VALUES, ODD_VALUES));
  }
  if (random.once(6)) lines.push(field(random, 'Connection', CONNECTIONS, ODD_CONNECTIONS));
  let body = '';
  if (hasBody ? !random.once(4) : random.once(8)) {
    if (random.once(2)) {
      lines.push(field(random, 'Transfer-Encoding', CODINGS, ODD_CODINGS));
      body = chunks(random);
    } else {
      const length = random.pick(LENGTHS);
      lines.push(field(random, 'Content-Length', [length], ODD_LENGTHS));
      body = payload(random, Number(length));
    }
    if (random.once(25)) lines.push(field(random, 'Content-Length', LENGTHS, ODD_LENGTHS));
    if (random.once(25)) lines.push(field(random, 'Transfer-Encoding', CODINGS, ODD_CODINGS));
  } else if (random.once(6)) {
    body = payload(random, random.int(20));
  }
  for (let i = lines.length - 1; i > 0; i -= 1) {
    const j = random.int(i + 1);
    const line = lines[i] as string;
    lines[i] = lines[j] as string;
    lines[j] = line;
  }
  return `${lines.join('')}\r\n${body}`;
}

function field(
  random: Random,
  name: string,
  usual: readonly string[],
  unusual: readonly string[],
): string {
  const spelt = random.once(4) ? name.toLowerCase() : name;
  const colon = random.pick([': ', ': ', ':', ':\t', ':  ']);
  return `${spelt}${colon}${odd(random, 30, usual, unusual)}\r\n`;
}

function chunks(random: Random): string {
  let bytes = '';
  for (let i = random.int(4); i > 0; i -= 1) {
    const data = payload(random, 1 + random.int(20));
    const digits = data.length.toString(16);
    let size = random.once(3) ? digits.toUpperCase() : digits;
    if (random.once(10)) size = size.padStart(1 + random.int(18), '0');
    if (random.once(40)) size = random.pick(SIZES);
    const extension = random.once(6) ? odd(random, 3, EXTENSIONS, ODD_EXTENSIONS) : '';
    bytes += `${size}${extension}\r\n${data}${random.once(40) ? random.pick(['\n', '', 'x\r\n', '\r']) : '\r\n'}`;
  }
  bytes += `${random.once(15) ? '000' : '0'}${random.once(15) ? random.pick(EXTENSIONS) : ''}\r\n`;
  if (random.once(4)) {
    const name = odd(
      random,
      4,
      ['X-T', 'x-checksum'],
      ['Content-Length', 'Host', 'transfer-encoding', 'X T'],
    );
    bytes += field(random, name, VALUES, ODD_VALUES);
  }
  return `${bytes}\r\n`;
}

function payload(random: Random, length: number): string {
  const alphabet = ['a', 'b', '\r', '\n', '\0', '\xff', '0', ':', ' '];
  let text = '';
  while (text.length < length) text += random.pick(alphabet);
  return text;
}

/** Most are left as they are; the others get one to three edits. */
function mutated(bytes: string, random: Random): string {
  if (!random.once(4)) return bytes;
  let text = bytes;
  for (let i = 1 + random.int(3); i > 0; i -= 1) {
    const at = random.int(text.length + 1);
    const end = Math.min(text.length, at + 1 + random.int(4));
    switch (random.int(6)) {
      case 0:
        text = text.slice(0, at) + random.pick(SPLICES) + text.slice(at);
        break;
      case 1:
        text = text.slice(0, at) + text.slice(end);
        break;
      case 2:
        text = text.slice(0, at) + String.fromCharCode(random.int(256)) + text.slice(at + 1);
        break;
      case 3:
        text = text.slice(0, at);
        break;
      case 4:
        text = text.slice(0, end) + text.slice(at);
        break;
      default:
        text = replaceAt(
          text,
          random,
          '\r\n',
          random.pick(['\n', '\r', '\r\r\n', '\r\n ', '\n\r']),
        );
    }
  }
  return text;
}

function replaceAt(text: string, random: Random, what: string, by: string): string {
  const at = text.indexOf(what, random.int(text.length + 1));
  return at < 0 ? text : text.slice(0, at) + by + text.slice(at + what.length);
}
