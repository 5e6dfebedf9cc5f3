/**
 * Authorities, absolute targets and what counts as this machine, against the WHATWG URL of Node,
 * `net.isIPv6`, `net.BlockList`, and the grammar of the documented form written down once more.
 *
 * Input: one text, as latin1.
 */
import assert from 'node:assert/strict';
import net from 'node:net';
import {
  formatAuthority,
  isLoopbackHost,
  parseAbsoluteTarget,
  parseAuthority,
} from '../../../src/core/authority.ts';
import { seedsOf, type Target } from '../target.ts';

const PORT_DEFAULT = 80;
const PORT_MAX = 65_535;

const LOOPBACK = new net.BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');
LOOPBACK.addSubnet('::ffff:127.0.0.0', 104, 'ipv6');

/** The parser as a target; another one may be given in its place. */
export function authorityTarget(parse: typeof parseAuthority = parseAuthority): Target {
  return {
    name: 'authority',
    oracle:
      'WHATWG URL reads the same place; the documented grammar, nothing more and nothing less',
    covers: ['src/core/authority.ts'],
    seeds: seedsOf(
      'api.anthropic.com',
      'api.anthropic.com:443',
      'a.test.:8443',
      '127.0.0.1:80',
      '127.1',
      '0x7f.1:80',
      '017.0.0.1',
      '[::1]:443',
      '[::ffff:127.0.0.1]',
      '[fe80::1%25eth0]:80',
      '[1:2:3:4:5:6:7:8]:65535',
      'user:pass@host:80',
      'http://api.anthropic.com:8080/v1/messages?beta=true',
      'HTTPS://[2001:db8::1]/',
      'http://localhost?x',
      'xn--mnchen-3ya.test:99',
      'a_b-c.localhost:00443',
      'b\u00fccher.test',
    ),
    dictionary: [
      ...[
        'http://',
        'https://',
        ':443',
        ':0',
        ':65536',
        ':',
        '[',
        ']',
        '::',
        '::1',
        '%25',
        '%',
        '@',
      ],
      ...['.', '..', '0x', '127.0.0.1', '255', '256', 'localhost', '/', '?', '#', '\\', '\t', ' '],
      ...['\u00e9', '\u2024', 'ffff', '0', '.0', 'xn--'],
    ],
    bytesMax: 300,
    check(input) {
      const text = input.toString('latin1');
      checkAuthority(parse, text);
      checkTarget(text);
    },
  };
}

function checkAuthority(parse: typeof parseAuthority, text: string): void {
  const found = parse(text, { port: PORT_DEFAULT });
  const withPort = parse(text, { port: 'required' });
  assert.equal(found !== null, isDocumented(text), 'accepts more or less than its grammar');
  if (found === null) {
    assert.equal(withPort, null, 'a port that is required makes a place valid');
    return;
  }
  const { host, port } = found;
  if (withPort === null) assert.equal(port, PORT_DEFAULT, 'a given port is none where required');
  else assert.deepEqual(withPort, found, 'a place depends on whether its port is required');
  checkPlace(text, `http://${text}/`, host, port);
  assert.deepEqual(
    parse(formatAuthority(host, port), { port: 'required' }),
    found,
    'is not read back',
  );
  assert.equal(isLoopbackHost(host), isThisMachine(host), 'this machine or not');
}

function checkTarget(text: string): void {
  const found = parseAbsoluteTarget(text);
  if (found === null) return;
  assert(URL.canParse(text) || hasOddLabel(found.host), 'a target that is no URL');
  if (!URL.canParse(text)) return;
  assert.equal(new URL(text).protocol, `${found.scheme}:`, 'another scheme');
  checkPlace(text, text, found.host, found.port);
  assert(found.path.startsWith('/') && text.endsWith(found.path.slice(1)), 'another path');
}

/** The URL that a text stands in leads to the same place. */
function checkPlace(text: string, url: string, host: string, port: number): void {
  if (!URL.canParse(url)) {
    assert(hasOddLabel(host), 'a place that no URL has');
    return;
  }
  const { hostname, port: given, protocol, username, password } = new URL(url);
  assert.equal(username + password, '', 'a place with a user');
  const usual = protocol === 'http:' ? 80 : 443;
  assert.equal(given === '' ? usual : Number(given), port, 'another port than that of a URL');
  const name = hostname.replace(/\.$/, '');
  if (!host.includes(':')) {
    assert.equal(name, host, 'another host than that of a URL');
    return;
  }
  assert.equal(name, `[${new URL(`http://[${host}]`).hostname.slice(1, -1)}]`, 'another address');
  assert(text.includes('['), 'an address without brackets');
}

/** An ACE label whose Punycode a URL refuses; for us it is a name like any other. */
function hasOddLabel(host: string): boolean {
  return host.split('.').some((label) => label.startsWith('xn--'));
}

/** The form that the module promises, as one expression for each kind of host. */
function isDocumented(text: string): boolean {
  const parts = /^(\[[^\]]*\]|[^:[\]]*)(?::([0-9]{1,5}))?$/.exec(text);
  if (parts === null) return false;
  const [, host = '', digits] = parts;
  if (digits !== undefined && (Number(digits) < 1 || Number(digits) > PORT_MAX)) return false;
  if (host.startsWith('[')) return net.isIPv6(host.slice(1, -1)) && !host.includes('%');
  const name = host.replace(/\.$/, '');
  if (name.length > 253 || !/^[\w-]{1,63}(?:\.[\w-]{1,63})*$/.test(name)) return false;
  const last = name.slice(name.lastIndexOf('.') + 1).toLowerCase();
  if (!/^(?:[0-9]+|0x[0-9a-f]*)$/.test(last)) return true;
  return host === name && net.isIPv4(name);
}

function isThisMachine(host: string): boolean {
  if (host === 'localhost' || host.endsWith('.localhost')) return true;
  const version = net.isIP(host);
  return version !== 0 && LOOPBACK.check(host, version === 4 ? 'ipv4' : 'ipv6');
}
