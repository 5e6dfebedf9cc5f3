/**
 * Where a blind tunnel or a forwarded request may lead: a pure judgement of a host or an address.
 *
 * A name is judged twice: as it is spelled, before it is resolved, and by every address that it
 * resolves to, of which only judged ones are dialled; so a name that changes its mind between the two
 * (DNS rebinding) gains nothing. An IPv4 address within an IPv6 one (mapped, compatible, NAT64 of
 * RFC 6052, 6to4 of RFC 3056) counts as that address.
 *
 * Never allowed is the way back to our own listener (RFC 9110 section 7.6). Refused unless configured
 * otherwise are the metadata services of clouds, which hand out credentials to whoever asks from the
 * machine, and with them all link-local addresses (RFC 3927, RFC 4291 section 2.5.6), where they live.
 * Private addresses and loopback are ordinary destinations of a developer's tools, and allowed unless
 * configured otherwise (RFC 9110 section 9.3.6 asks that targets can be limited).
 */
import { type Groups, parseIpv4, parseIpv6 } from './authority.ts';

/** Destinations by what they can reach; `local` is this machine. */
export type DestinationKind = 'public' | 'private' | 'local' | 'metadata';

/** What `tunnels` of the configuration says. */
export interface TunnelPolicy {
  /** Loopback, RFC 1918, shared (RFC 6598) and unique local (RFC 4193) addresses. */
  readonly private: 'allow' | 'refuse';
  /** Metadata services of clouds, and link-local addresses. */
  readonly metadata: 'allow' | 'refuse';
}

export interface DestinationRules {
  /** Port that clients connect to. */
  readonly ownPort: number;
  /** Names and addresses, beside loopback, under which we listen. */
  readonly ownHosts: readonly string[];
  readonly tunnels: TunnelPolicy;
}

export interface DestinationRefusal {
  readonly code: 'loop' | 'blocked_by_policy';
  /** What stands in the way, and the mend, for people. */
  readonly detail: string;
}

const LOOP: DestinationRefusal = { code: 'loop', detail: '' };
const METADATA: DestinationRefusal = {
  code: 'blocked_by_policy',
  detail: 'metadata services and link-local addresses; tunnels.metadata: allow would let it pass',
};
const PRIVATE: DestinationRefusal = {
  code: 'blocked_by_policy',
  detail: 'private and loopback addresses; tunnels.private: allow would let it pass',
};

/** Names under which clouds hand out credentials; they resolve within the cloud only. */
const METADATA_NAMES: ReadonlySet<string> = new Set([
  'metadata.google.internal',
  'metadata.goog',
  'metadata',
  'instance-data',
  'instance-data.ec2.internal',
  'metadata.tencentyun.com',
  'metadata.platformequinix.com',
]);
/** Alibaba Cloud, Azure's host agent, Oracle Cloud; all others are link-local. */
const METADATA_V4: ReadonlySet<string> = new Set([
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
]);

/**
 * Why a destination may not be reached, or null.
 *
 * @param host as `parseAuthority` gives it, or an address as the resolver gives it
 */
export function refusalOf(
  host: string,
  port: number,
  rules: DestinationRules,
): DestinationRefusal | null {
  const kind = kindOf(host);
  if (port === rules.ownPort && (kind === 'local' || isOneOf(host, rules.ownHosts))) return LOOP;
  if (kind === 'metadata' && rules.tunnels.metadata === 'refuse') return METADATA;
  const isNear = kind === 'private' || kind === 'local';
  return isNear && rules.tunnels.private === 'refuse' ? PRIVATE : null;
}

/** The first refusal among the addresses that a name resolved to, or null. */
export function refusalOfAny(
  addresses: readonly string[],
  port: number,
  rules: DestinationRules,
): DestinationRefusal | null {
  for (const address of addresses) {
    const refusal = refusalOf(address, port, rules);
    if (refusal !== null) return refusal;
  }
  return null;
}

/** What a host is by its spelling alone; a name that says nothing is `public`. */
export function kindOf(host: string): DestinationKind {
  const name = withoutZone(host.toLowerCase());
  const v4 = parseIpv4(name);
  if (v4 !== null) return kindOfV4(v4);
  const v6 = parseIpv6(name);
  if (v6 !== null) return kindOfV6(v6);
  if (name === 'localhost' || name.endsWith('.localhost')) return 'local';
  return METADATA_NAMES.has(name) ? 'metadata' : 'public';
}

function kindOfV4(octets: Groups): DestinationKind {
  const [a = 0, b = 0, c = 0] = octets;
  // 0.0.0.0 reaches this machine, and the rest of 0.0.0.0/8 nothing (RFC 1122 section 3.2.1.3).
  if (a === 127 || a === 0) return 'local';
  if ((a === 169 && b === 254) || METADATA_V4.has(octets.join('.'))) return 'metadata';
  if (a === 10 || (a === 172 && b >>> 4 === 1) || (a === 192 && b === 168)) return 'private';
  if ((a === 100 && b >>> 6 === 1) || (a === 198 && b >>> 1 === 9)) return 'private';
  return a === 192 && b === 0 && c === 0 ? 'private' : 'public';
}

function kindOfV6(groups: Groups): DestinationKind {
  const embedded = embeddedV4(groups);
  if (embedded !== null) return kindOfV4(embedded);
  const [first = 0, second = 0, third = 0] = groups;
  const last = groups[7] ?? 0;
  if (groups.slice(0, 7).every((group) => group === 0)) return last <= 1 ? 'local' : 'public';
  if (first >>> 6 === 0x3fa) return 'metadata';
  // AWS keeps fd00:ec2::/32 to itself; Google Cloud answers at fd20:ce::254.
  if (first === 0xfd00 && second === 0x0ec2) return 'metadata';
  if (first === 0xfd20 && second === 0x00ce && last === 0x0254) return 'metadata';
  if (first >>> 9 === 0x7e || first >>> 6 === 0x3fb) return 'private';
  // NAT64 with a prefix of the network's own (RFC 8215) reaches that network.
  return first === 0x64 && second === 0xff9b && third === 1 ? 'private' : 'public';
}

/** The octets of an IPv4 address that an IPv6 one stands for, or null. */
function embeddedV4(groups: Groups): Groups | null {
  const [first = 0, second = 0, third = 0] = groups;
  if (first === 0x2002) return octetsOf(second, third);
  const [, , , , fifth = 0, sixth = 0, seventh = 0, eighth = 0] = groups;
  const isNat64 = first === 0x64 && second === 0xff9b && groups.slice(2, 6).every(isZero);
  const isMapped = groups.slice(0, 5).every(isZero) && sixth === 0xffff;
  const isTranslated = groups.slice(0, 4).every(isZero) && fifth === 0xffff && sixth === 0;
  const isCompatible = groups.slice(0, 6).every(isZero) && seventh !== 0;
  if (isNat64 || isMapped || isTranslated || isCompatible) return octetsOf(seventh, eighth);
  return null;
}

function octetsOf(high: number, low: number): Groups {
  return [high >>> 8, high & 0xff, low >>> 8, low & 0xff];
}

function isZero(group: number): boolean {
  return group === 0;
}

/** Addresses are compared as addresses, so that another spelling is no way around. */
function isOneOf(host: string, own: readonly string[]): boolean {
  const wanted = canonical(host);
  return own.some((name) => canonical(name) === wanted);
}

function canonical(host: string): string {
  const name = withoutZone(host.toLowerCase());
  const v6 = parseIpv6(name);
  if (v6 === null) return name;
  const embedded = embeddedV4(v6);
  return embedded === null ? v6.map((group) => group.toString(16)).join(':') : embedded.join('.');
}

/** The resolver names the interface of a link-local address behind `%` (RFC 4007 section 11). */
function withoutZone(address: string): string {
  const mark = address.indexOf('%');
  return mark < 0 ? address : address.slice(0, mark);
}
