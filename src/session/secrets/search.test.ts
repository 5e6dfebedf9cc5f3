/**
 * The search for secrets: a planted one is found wherever it stands, however it is spelt and however
 * the text is cut; what is none is not.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from '../../../test/support/properties.ts';
import { createFinder, type Finder } from './finder.ts';
import { contentOf, createSearch, searchFiles } from './search.ts';

const letters = (alphabet: string, minLength: number, maxLength = minLength) =>
  fc.string({ unit: fc.constantFrom(...alphabet), minLength, maxLength });

const VISIBLE = Array.from({ length: 0x7e - 0x20 }, (_, index) =>
  String.fromCharCode(0x21 + index),
).join('');
const ALNUM = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const HEX = '0123456789abcdef';

const escapeAll = (text: string): string =>
  [...text].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
const percentAll = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
const inJson = (text: string): string => JSON.stringify(text).slice(1, -1);

/** The forms that a secret can be written in, together with what stands around it. */
const FORMS: Readonly<Record<string, (text: string) => string>> = {
  plain: (text) => text,
  'JSON-escaped': inJson,
  'JSON within JSON': (text) => inJson(inJson(text)),
  'JSON, slashes escaped': (text) => inJson(text).replaceAll('/', '\\/'),
  'JSON, all escaped': escapeAll,
  'URL-encoded': (text) => encodeURIComponent(text.toWellFormed()),
  'URL-encoded, all of it': percentAll,
  'URL-encoded JSON': (text) => encodeURIComponent(inJson(text.toWellFormed())),
  'URL-encoded twice': (text) => encodeURIComponent(percentAll(text)),
  base64: (text) => Buffer.from(text).toString('base64'),
  base64url: (text) => Buffer.from(text).toString('base64url'),
  'base64 in a URL': (text) => encodeURIComponent(Buffer.from(text).toString('base64')),
  'base64 in JSON': (text) => Buffer.from(text).toString('base64').replaceAll('/', '\\/'),
};

/** In these only a secret that is known is seen: any number could be the shape of a key in them. */
const FORMS_OF_KNOWN: typeof FORMS = {
  ...FORMS,
  hex: (text) => Buffer.from(text).toString('hex'),
  'hex in capitals': (text) => Buffer.from(text).toString('hex').toUpperCase(),
};

/** What a search over a text in pieces tells, as `LINE WHAT`. */
function told(finder: Finder, text: string, pieceBytes: number, cuts: readonly number[]): string[] {
  const found: string[] = [];
  const search = createSearch(
    finder,
    (line, what) => found.push(`${line} ${what}`),
    [],
    pieceBytes,
  );
  const bytes = Buffer.from(text);
  let from = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    const to = Math.max(from, Math.min(cut, bytes.length));
    search.push(bytes.subarray(from, to));
    from = to;
  }
  search.push(bytes.subarray(from));
  search.end();
  return found;
}

const around = fc.string({ unit: 'binary', maxLength: 200 });
const cuts = fc.array(fc.nat({ max: 2_000 }), { maxLength: 12 });

describe('a planted secret', () => {
  for (const [form, write] of Object.entries(FORMS_OF_KNOWN)) {
    test(`that is known is found: ${form}`, () => {
      const cases = fc.tuple(letters(VISIBLE, 8, 120), around, around, cuts, fc.nat({ max: 300 }));
      fc.assert(
        fc.property(cases, ([value, before, after, at, pieceBytes]) => {
          const finder = createFinder([{ name: 'KEY', value }]);
          // Letters glued to base64 are no part of it; a new line begins it anew.
          const text = `first\n${before.replaceAll('\n', ' ')}"${write(`a${value}b`)}"${after}\nlast`;
          const found = told(finder, text, pieceBytes + 1, at);
          assert(found.includes('2 KEY'), JSON.stringify({ found, text }));
        }),
      );
    });
  }

  const shaped: Readonly<Record<string, fc.Arbitrary<string>>> = {
    'a key of Anthropic': letters(`${ALNUM}-_`, 8, 100).map((body) => `sk-ant-api03-${body}`),
    'a key of Z.AI': fc.tuple(letters(HEX, 32), letters(ALNUM, 16)).map(([a, b]) => `${a}.${b}`),
    'a JSON web token': fc
      .tuple(letters(ALNUM, 12, 80), letters(ALNUM, 8, 200), letters(ALNUM, 8, 60))
      .map(([head, body, mac]) => `eyJ${head}.eyJ${body}.${mac}`),
    'a private key': fc.constant('-----BEGIN EC PRIVATE KEY-----'),
    'a Bearer or Basic credential': letters(ALNUM, 15, 60).map((token) => `Bearer 7${token}`),
    'a key that begins with sk-': letters(ALNUM, 24, 60).map((token) => `sk-${token}`),
    'a key of GitHub, Slack, AWS or Google': letters(ALNUM, 30).map((token) => `ghp_${token}`),
  };
  for (const [shape, secrets] of Object.entries(shaped)) {
    test(`that nobody knows is found by its shape, in every form: ${shape}`, () => {
      const finder = createFinder([]);
      const forms = fc.constantFrom(...Object.keys(FORMS));
      fc.assert(
        fc.property(secrets, around, around, cuts, forms, (secret, before, after, at, form) => {
          const write = FORMS[form] ?? assert.fail();
          const text = `\n${before.replaceAll('\n', ' ')}"${write(` ${secret} `)}"${after}`;
          const found = told(finder, text, 64, at);
          assert(found.includes(`2 ${shape}`), JSON.stringify({ form, found, text }));
        }),
      );
    });
  }

  test('is found in a line that goes on, wherever pieces of it meet, and told once', () => {
    const value = 'secret+/=with"all\\kinds';
    const finder = createFinder([{ name: 'KEY', value }]);
    const hidden = FORMS['URL-encoded JSON']?.(value) ?? assert.fail();
    // So that there are many places where two pieces meet.
    const narrow = { ...finder, overlap: hidden.length };
    const pieces = Array.from({ length: 100 }, (_, index) => 4 + index * 40);
    fc.assert(
      fc.property(fc.nat({ max: 2_000 }), fc.integer({ min: 1, max: 400 }), (at, pieceBytes) => {
        const text = `one\n${'.'.repeat(at)}${hidden}${'.'.repeat(500)}\n`;
        assert.deepEqual(told(narrow, text, pieceBytes, pieces), ['2 KEY']);
      }),
      { numRuns: 500 },
    );
    assert(finder.overlap > 16 * value.length);
  });

  test('is named with its line for each line that it stands on', () => {
    const finder = createFinder([{ name: 'KEY', value: 'canary-0123456789' }]);
    const text = 'canary-0123456789\n\nx\ncanary-0123456789 canary-0123456789\n';
    assert.deepEqual(told(finder, text, 1, [5, 20]), ['1 KEY', '4 KEY']);
  });
});

test('a known secret is told with the way it is written, the simplest one', () => {
  const value = 'canary "0123456789" /+';
  const finder = createFinder([{ name: 'KEY', value }]);
  for (const [form, spelling] of [
    ['plain', 'plain'],
    ['JSON-escaped', 'JSON'],
    ['JSON within JSON', 'JSON JSON'],
    ['URL-encoded', 'URL'],
    ['base64', 'base64'],
    ['hex', 'hex'],
  ] as const) {
    const text = FORMS_OF_KNOWN[form]?.(`a${value}b`) ?? assert.fail();
    assert.deepEqual(finder.known(text), [{ name: 'KEY', spelling }], form);
  }
  assert.deepEqual(finder.known('sk-ant-api03-0123456789'), [], 'shapes are no matter');
});

describe('what is no secret', () => {
  const finder = createFinder([
    { name: 'SHORT', value: 'main' },
    { name: 'KEY', value: 'canary-0123456789' },
  ]);
  for (const text of [
    '{"header_mode":"x-api-key","path":"/v1/messages/count_tokens","agent":"main"}',
    'claude-haiku-4-5-20251001 3fa85f64-5717-4562-b3fc-2c963f66afa6 req_011CXYZ0123456789abcdef',
    'the task-force asked for a desk-lamp-with-a-very-long-name-indeed',
    'a bearer of good news, basic responsibilities-of-everybody, Authorization: Bearer [redacted]',
    '-----BEGIN CERTIFICATE-----',
    `${'0123456789abcdef'.repeat(4)}  results/METRICS.json`,
    'sk-ant-[redacted]',
  ]) {
    test(`is not found: ${text.slice(0, 40)}`, () => {
      assert.deepEqual(finder.in(text), []);
    });
  }

  test('is not found where its shape is allowed', () => {
    const key = '-----BEGIN PRIVATE KEY-----';
    assert.deepEqual(finder.in(key), ['a private key']);
    assert.deepEqual(finder.in(key, ['a private key']), []);
  });
});

test('files are searched as what they hold, and one that can not be read is named', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'lanekeeper-search-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const text = Buffer.from(`${'line\n'.repeat(50_000)}canary-0123456789\n`);
  const files = {
    'plain.jsonl': text,
    'usage.jsonl.gz': gzipSync(text),
    'usage.jsonl.zst': zstdCompressSync(text),
    'broken.gz': gzipSync(text).subarray(0, 100),
    'clean.jsonl': Buffer.from('nothing\n'),
  };
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
  const finder = createFinder([{ name: 'KEY', value: 'canary-0123456789' }]);
  const names = [...Object.keys(files), 'gone.jsonl'];
  const searched = names.map((name) => ({ name, open: () => contentOf(join(folder, name)) }));
  const { findings, found, unread } = await searchFiles(finder, searched);
  const hits = ['plain.jsonl', 'usage.jsonl.gz', 'usage.jsonl.zst'];
  assert.deepEqual(
    findings,
    hits.map((file) => ({ file, line: 50_001, what: 'KEY' })),
  );
  assert.equal(found, 3);
  assert.deepEqual(unread, [{ file: 'broken.gz', reason: 'Z_BUF_ERROR' }]);
});
