/**
 * Where a tunnel may lead: every spelling of an address, each kind of it, and the own listener.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseAuthority } from './authority.ts';
import {
  type DestinationKind,
  type DestinationRules,
  kindOf,
  refusalOf,
  refusalOfAny,
} from './destination.ts';

const KINDS: Readonly<Record<DestinationKind, readonly string[]>> = {
  public: [
    'example.com',
    'localhost.example.com',
    'notlocalhost',
    'metadata.example.com',
    '8.8.8.8',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '126.255.255.255',
    '128.0.0.1',
    '168.63.129.17',
    '169.253.255.255',
    '169.255.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.0.1.0',
    '192.167.255.255',
    '192.169.0.0',
    '198.17.255.255',
    '198.20.0.0',
    '2001:db8::1',
    '2606:4700::1111',
    '::2',
    '::ffff:8.8.8.8',
    '64:ff9b::8.8.8.8',
    '2002:808:808::1',
    'fbff::1',
    'fe00::1',
    'ff02::1',
  ],
  local: [
    'localhost',
    'LOCALHOST',
    'a.localhost',
    '127.0.0.1',
    '127.255.255.255',
    '0.0.0.0',
    '0.1.2.3',
    '::',
    '0:0:0:0:0:0:0:0',
    '::1',
    '0:0:0:0:0:0:0:1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:0:0',
    '::ffff:0:127.0.0.1',
    '::127.0.0.1',
    '64:ff9b::127.0.0.1',
    '2002:7f00:1::',
  ],
  private: [
    '10.0.0.1',
    '10.255.255.255',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.0.1',
    '100.64.0.1',
    '100.127.255.255',
    '192.0.0.1',
    '198.18.0.1',
    '198.19.255.255',
    'fc00::1',
    'fd12:3456::1',
    'fec0::1',
    '::ffff:10.0.0.1',
    '64:ff9b::c0a8:1',
    '64:ff9b:1::1',
    '2002:a00:1::1',
  ],
  metadata: [
    '169.254.169.254',
    '169.254.170.2',
    '169.254.0.1',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
    'fe80::1',
    'fe80::1%eth0',
    'febf::1',
    'fd00:ec2::254',
    'fd00:0ec2:0:0:0:0:0:23',
    'fd20:ce::254',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '::a9fe:a9fe',
    '64:ff9b::a9fe:a9fe',
    '2002:a9fe:a9fe::',
    'metadata.google.internal',
    'Metadata.Google.Internal',
    'metadata.goog',
    'metadata',
    'instance-data',
    'instance-data.ec2.internal',
    'metadata.tencentyun.com',
    'metadata.platformequinix.com',
  ],
};

const rules = (
  tunnels: Partial<DestinationRules['tunnels']> = {},
  ownHosts: readonly string[] = [],
): DestinationRules => ({
  ownPort: 8082,
  ownHosts,
  tunnels: { private: 'allow', metadata: 'refuse', ...tunnels },
});

const codeOf = (host: string, port: number, given: DestinationRules): string =>
  refusalOf(host, port, given)?.code ?? 'pass';

describe('kinds of destinations', () => {
  for (const [kind, hosts] of Object.entries(KINDS)) {
    test(kind, () => {
      for (const host of hosts) assert.equal(kindOf(host), kind, host);
    });
  }
});

test('by default everything passes but metadata and link-local addresses', () => {
  for (const [kind, hosts] of Object.entries(KINDS)) {
    const expected = kind === 'metadata' ? 'blocked_by_policy' : 'pass';
    for (const host of hosts) assert.equal(codeOf(host, 443, rules()), expected, host);
  }
});

test('private: refuse takes loopback and private addresses too, and names the setting', () => {
  const strict = rules({ private: 'refuse' });
  for (const host of [...KINDS.private, ...KINDS.local]) {
    const refusal = refusalOf(host, 443, strict);
    assert.equal(refusal?.code, 'blocked_by_policy', host);
    assert.match(refusal.detail, /tunnels\.private/);
  }
  for (const host of KINDS.metadata) {
    assert.match(refusalOf(host, 443, strict)?.detail ?? '', /tunnels\.metadata/);
  }
  for (const host of KINDS.public) assert.equal(codeOf(host, 443, strict), 'pass', host);
});

test('metadata: allow lifts that refusal alone', () => {
  const open = rules({ metadata: 'allow' });
  for (const host of KINDS.metadata) assert.equal(codeOf(host, 80, open), 'pass', host);
  const openButPrivate = rules({ metadata: 'allow', private: 'refuse' });
  assert.equal(codeOf('10.0.0.1', 80, openButPrivate), 'blocked_by_policy');
});

test('the own port on this machine is a loop, whatever else is allowed and however it is spelled', () => {
  for (const given of [rules(), rules({ private: 'refuse' }), rules({ metadata: 'allow' })]) {
    for (const host of KINDS.local) assert.equal(codeOf(host, 8082, given), 'loop', host);
  }
  for (const host of [...KINDS.public, ...KINDS.private]) {
    assert.equal(codeOf(host, 8082, rules()), 'pass', host);
  }
});

test('so is the own port under a further name or address of ours, in any spelling', () => {
  const own = rules({}, ['Proxy.Test', '192.168.7.7', '2001:db8::7', 'fe80::7%eth0']);
  for (const host of [
    'proxy.test',
    '192.168.7.7',
    '::ffff:192.168.7.7',
    '::ffff:c0a8:707',
    '2001:db8::7',
    '2001:0db8:0:0:0:0:0:7',
    'fe80::7',
  ]) {
    assert.equal(codeOf(host, 8082, own), 'loop', host);
  }
  assert.equal(codeOf('192.168.7.8', 8082, own), 'pass');
  assert.equal(codeOf('192.168.7.7', 8083, own), 'pass');
});

test('a name is refused if one of its addresses is', () => {
  const { code } = refusalOfAny(['93.184.215.14', '169.254.169.254'], 80, rules()) ?? {};
  assert.equal(code, 'blocked_by_policy');
  assert.equal(refusalOfAny(['93.184.215.14', '127.0.0.1'], 8082, rules())?.code, 'loop');
  assert.equal(refusalOfAny(['93.184.215.14', '2001:db8::1'], 80, rules()), null);
  assert.equal(refusalOfAny([], 80, rules()), null);
});

test('spellings that readers disagree about never come as far as this', () => {
  for (const host of [
    '0x7f.0.0.1',
    '0177.0.0.1',
    '127.1',
    '2130706433',
    '017700000001',
    '0x7f000001',
    '169.254.43518',
    '0xa9fea9fe',
    '2852039166',
    '127.0.0.1.',
    '127.0.0.01',
    '1.2.3.4.5',
    '[fe80::1%25eth0]',
    '[::1%lo]',
    '[127.0.0.1]',
    '[v1.x]',
    '127。0。0。1',
    'local%68ost',
  ]) {
    assert.equal(parseAuthority(`${host}:8082`, { port: 'required' }), null, host);
  }
});
