import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import fc from '../../test/support/properties.ts';
import {
  formatAuthority,
  isLoopbackHost,
  parseAbsoluteTarget,
  parseAuthority,
} from './authority.ts';

test('an authority with a port is read (RFC 9112, 3.2.3)', () => {
  const rows: [string, string, number][] = [
    ['a.test:443', 'a.test', 443],
    ['A.Test.:1', 'a.test', 1],
    ['a_b-c.test:65535', 'a_b-c.test', 65535],
    ['xn--bcher-kva.test:0080', 'xn--bcher-kva.test', 80],
    ['127.0.0.1:80', '127.0.0.1', 80],
    ['[::1]:80', '::1', 80],
    ['[2001:DB8::A:192.0.2.1]:80', '2001:db8::a:192.0.2.1', 80],
    ['1.2.3.a:80', '1.2.3.a', 80],
  ];
  for (const [text, host, port] of rows) {
    assert.deepEqual(parseAuthority(text, { port: 'required' }), { host, port }, text);
  }
});

test('without a port the default counts, where there is one', () => {
  for (const [text, host] of [
    ['a.test', 'a.test'],
    ['[::]', '::'],
    ['localhost', 'localhost'],
  ] as const) {
    assert.deepEqual(parseAuthority(text, { port: 443 }), { host, port: 443 });
    assert.equal(parseAuthority(text, { port: 'required' }), null);
  }
});

test('what different readers take for different hosts is refused (RFC 3986, 3.2.2)', () => {
  const bad = [
    '',
    ':',
    ':80',
    'a:',
    'a:0',
    'a:65536',
    'a:999999',
    'a:+80',
    'a:8 0',
    'a: 80',
    'a:80 ',
    'a:0x50',
    'a:80:80',
    'a b',
    ' a',
    'a\t',
    'a/b',
    'a?b',
    'a#b',
    'u@a',
    'u:p@a:80',
    'a\\b',
    'a%2eb',
    'a,b',
    'a;b',
    'é.test',
    'a\0',
    '.',
    '..',
    '.a',
    'a..b',
    'a..',
    `${'a'.repeat(64)}.test`,
    `${'a.'.repeat(127)}a`,
    '127.1',
    '127.0.0.1.',
    '127.0.0.256',
    '0127.0.0.1',
    '127.0.0.01',
    '2130706433',
    '0x7f000001',
    '0x7f.1',
    '1.2.3.4.5',
    'a.0x',
    '::1',
    '::1:80',
    '[::1',
    '::1]',
    '[::1]x',
    '[::1]:',
    '[::1]80',
    '[]',
    '[a]',
    '[::1%25lo]',
    '[::1%lo]',
    '[1:2:3:4:5:6:7]',
    '[1:2:3:4:5:6:7:8:9]',
    '[1::2::3]',
    '[1:2:3:4:5:6:7::8]',
    '[:1:2:3:4:5:6:7]',
    '[12345::]',
    '[v1.a]',
    '[1.2.3.4::]',
    '[::1.2.3]',
    '[::01.2.3.4]',
    '[[::1]]',
    ':::',
  ];
  for (const text of bad)
    assert.equal(parseAuthority(text, { port: 80 }), null, JSON.stringify(text));
});

test('an IP address is one exactly where node:net says so', () => {
  const piece = fc.constantFrom(
    '0',
    '1',
    '01',
    'ff',
    '255',
    '256',
    'FFFF',
    '12345',
    ':',
    '::',
    '.',
    'g',
    '1.2.3.4',
  );
  const texts = fc.array(piece, { maxLength: 17 }).map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(fc.oneof(texts, fc.ipV6(), fc.ipV4()), (text) => {
      assert.equal(parseAuthority(`[${text}]`, { port: 80 }) !== null, net.isIPv6(text), text);
      if (net.isIPv4(text)) assert.equal(parseAuthority(text, { port: 80 })?.host, text);
    }),
    { numRuns: 5000 },
  );
});

test('what is formatted is read back', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6()),
      fc.integer({ min: 1, max: 65535 }),
      (name, port) => {
        const host = name.toLowerCase();
        assert.deepEqual(parseAuthority(formatAuthority(host, port), { port: 'required' }), {
          host,
          port,
        });
      },
    ),
  );
});

test('an absolute target is taken apart (RFC 9112, 3.2.2)', () => {
  assert.deepEqual(parseAbsoluteTarget('HTTP://A.test:8080/x?y=//z'), {
    scheme: 'http',
    host: 'a.test',
    port: 8080,
    path: '/x?y=//z',
  });
  assert.deepEqual(parseAbsoluteTarget('https://[::1]'), {
    scheme: 'https',
    host: '::1',
    port: 443,
    path: '/',
  });
  assert.equal(parseAbsoluteTarget('http://a.test?q')?.path, '/?q');
  assert.equal(parseAbsoluteTarget('http://a.test')?.port, 80);
});

test('an absolute target with a doubtful part is refused', () => {
  const bad = [
    '/',
    '*',
    'a.test:443',
    'http:',
    'http://',
    'http:///x',
    'http:/a',
    'ftp://a/',
    '//a/',
    'http://u@a/',
    'http://a/#f',
    'http://a#f',
    'http://a\\@b/',
    'http://a b/',
    'http://a/ b',
    'http://a/\t',
    'http://a/\xe9',
    'http://a:/',
    ' http://a/',
  ];
  for (const text of bad) assert.equal(parseAbsoluteTarget(text), null, JSON.stringify(text));
});

test('a host is loopback by its spelling, never by a prefix', () => {
  for (const host of [
    'localhost',
    'LocalHost',
    'a.localhost',
    '127.0.0.1',
    '127.255.0.9',
    '::1',
    '0:0:0:0:0:0:0:1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
  ]) {
    assert(isLoopbackHost(host), host);
  }
  for (const host of [
    '127.0.0.1.a.test',
    '127.test',
    '127.0.0.1a',
    'localhost.test',
    'notlocalhost',
    '128.0.0.1',
    '::',
    '::2',
    '1::1',
    '0.0.0.0',
    '127.1',
    '',
    'a.test',
    '::127.0.0.1',
    '::ffff:8.8.8.8',
  ]) {
    assert(!isLoopbackHost(host), host);
  }
});
