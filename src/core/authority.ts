/**
 * Authorities: `host`, `host:port` and `http://host:port/path`, read strictly (RFC 3986 section
 * 3.2.2, RFC 9110 section 4.2, RFC 9112 sections 3.2.2 and 3.2.3).
 *
 * Narrower than the grammar on purpose, since a host decides where credentials go: names are made of
 * letters, digits, `-`, `_` and `.` (no percent-encoding, no sub-delimiters), what ends in a number
 * must be a plain dotted-quad IPv4 address (`127.1`, `0x7f.1` and `017.0.0.1` mean different hosts to
 * different readers), and an IPv6 address has no zone. Nothing is resolved here.
 */

/** A host and a port. */
export interface Authority {
  /** Lower case, without a trailing dot; an IPv6 address without its brackets. */
  readonly host: string;
  /** 1 to 65535. */
  readonly port: number;
}

/** Parts of an address: four octets, or eight groups of 16 bits. */
export type Groups = readonly number[];

/** An absolute-form request target, taken apart. */
export interface AbsoluteTarget extends Authority {
  readonly scheme: 'http' | 'https';
  /** Path and query, beginning with `/`. */
  readonly path: string;
}

const NAME_CHARS_MAX = 253;
const LABEL_CHARS_MAX = 63;
const PORT_MAX = 65_535;
const LABEL = /^[a-z0-9_-]+$/;
const NUMBER_LIKE = /^(?:[0-9]+|0x[0-9a-f]*)$/;
const PORT = /^[0-9]{1,5}$/;
const OCTET = /^(?:0|[1-9][0-9]{0,2})$/;
const GROUP = /^[0-9a-f]{1,4}$/;
/** Visible ASCII but `#`: a request target has no fragment. */
const PATH = /^[\x21\x22\x24-\x7e]*$/;

let lastValue = '';
let lastHost: Authority | null = null;

/**
 * The value of a Host field (RFC 9110 section 7.2), whose port is 80 where it names none. The last one is
 * remembered: it is asked for more than once a request, and a client repeats it with each.
 */
export function parseHostField(value: string): Authority | null {
  if (value !== lastValue) {
    lastHost = parseAuthority(value, { port: 80 });
    lastValue = value;
  }
  return lastHost;
}

/**
 * Reads `host` or `host:port`; null where it is not valid.
 *
 * @param options.port `required`, or the port where none is given
 */
export function parseAuthority(
  text: string,
  options: { readonly port: 'required' | number },
): Authority | null {
  const colon = portColon(text);
  let port = options.port;
  if (colon >= 0) {
    const digits = text.slice(colon + 1);
    if (!PORT.test(digits)) return null;
    port = Number(digits);
  }
  if (port === 'required' || port < 1 || port > PORT_MAX) return null;
  const host = parseHost(colon >= 0 ? text.slice(0, colon) : text);
  return host === null ? null : { host, port };
}

/** Reads an absolute-form target with an `http` or `https` scheme; null where it is not valid. */
export function parseAbsoluteTarget(target: string): AbsoluteTarget | null {
  const mark = target.indexOf('://');
  if (mark < 0) return null;
  const scheme = target.slice(0, mark).toLowerCase();
  if (scheme !== 'http' && scheme !== 'https') return null;
  const from = mark + 3;
  let end = from;
  while (end < target.length && target[end] !== '/' && target[end] !== '?') end += 1;
  const defaultPort = scheme === 'http' ? 80 : 443;
  const authority = parseAuthority(target.slice(from, end), { port: defaultPort });
  if (authority === null) return null;
  const rest = target.slice(end);
  if (!PATH.test(rest)) return null;
  return { scheme, ...authority, path: rest.startsWith('/') ? rest : `/${rest}` };
}

/** Writes `host:port`, with brackets around an IPv6 address. */
export function formatAuthority(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * True for a host, as `parseAuthority` gives it, that is this machine by its spelling: `localhost`
 * and names below it (RFC 6761 section 6.3), 127.0.0.0/8, `::1` and 127.0.0.0/8 mapped into IPv6.
 * Nothing is resolved: a DNS name may still point here.
 */
export function isLoopbackHost(host: string): boolean {
  const name = host.toLowerCase();
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  const v4 = parseIpv4(name);
  if (v4 !== null) return v4[0] === 127;
  const v6 = parseIpv6(name);
  if (v6 === null || v6.slice(0, 5).some((group) => group !== 0)) return false;
  const [, , , , , sixth = 0, seventh = 0, eighth = 0] = v6;
  if (sixth === 0xffff) return seventh >>> 8 === 127;
  return sixth === 0 && seventh === 0 && eighth === 1;
}

/** Where the colon of the port stands, or -1. */
function portColon(text: string): number {
  const colon = text.lastIndexOf(':');
  return text.startsWith('[') && text.endsWith(']') ? -1 : colon;
}

function parseHost(text: string): string | null {
  const lower = text.toLowerCase();
  if (lower.startsWith('[')) {
    if (!lower.endsWith(']')) return null;
    const address = lower.slice(1, -1);
    return parseIpv6(address) === null ? null : address;
  }
  const name = lower.endsWith('.') ? lower.slice(0, -1) : lower;
  if (name.length > NAME_CHARS_MAX) return null;
  const labels = name.split('.');
  for (const label of labels) {
    if (label.length > LABEL_CHARS_MAX || !LABEL.test(label)) return null;
  }
  const last = labels.at(-1) ?? '';
  if (NUMBER_LIKE.test(last) && (name !== lower || parseIpv4(name) === null)) return null;
  return name;
}

/** The four octets of a dotted quad without leading zeros, or null. */
export function parseIpv4(text: string): Groups | null {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  const octets: number[] = [];
  for (const part of parts) {
    if (!OCTET.test(part) || Number(part) > 255) return null;
    octets.push(Number(part));
  }
  return octets;
}

/** The eight groups of an IPv6 address without brackets, or null. */
export function parseIpv6(text: string): Groups | null {
  const gap = text.indexOf('::');
  if (gap < 0) {
    const groups = parseGroups(text, true);
    return groups !== null && groups.length === 8 ? groups : null;
  }
  const head = gap === 0 ? [] : parseGroups(text.slice(0, gap), false);
  const tail = gap + 2 === text.length ? [] : parseGroups(text.slice(gap + 2), true);
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  // The grammar lets `::` stand for one group or more (RFC 3986 section 3.2.2).
  if (missing < 1) return null;
  return [...head, ...new Array<number>(missing).fill(0), ...tail];
}

/** Colon-separated groups; the last may be a dotted quad where the address ends with them. */
function parseGroups(text: string, endsAddress: boolean): number[] | null {
  const parts = text.split(':');
  const groups: number[] = [];
  for (const [i, part] of parts.entries()) {
    if (GROUP.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const quad = endsAddress && i === parts.length - 1 ? parseIpv4(part) : null;
    if (quad === null) return null;
    const [a = 0, b = 0, c = 0, d = 0] = quad;
    groups.push(a * 256 + b, c * 256 + d);
  }
  return groups;
}
