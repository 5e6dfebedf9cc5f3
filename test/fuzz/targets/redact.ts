/**
 * The redaction under the ledger and the body samples: a key is planted into arbitrary text, and into
 * the JSON value that the text is, and is gone from what comes out. What is redacted stays as it is.
 *
 * Input: the text. Where the key goes, and which it is, is drawn from it.
 */
import assert from 'node:assert/strict';
import { redactJson, redactText } from '../../../src/ledger/redact.ts';
import { spoilsJsonParse } from '../oracles/v8-fault.ts';
import { type Random, seedsOf, type Target } from '../target.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const HEX = '0123456789abcdef';

export const redactTarget: Target = {
  name: 'redact',
  oracle: 'a planted key is gone from text and from JSON, and what is redacted stays as it is',
  covers: ['src/ledger/redact.ts'],
  seeds: seedsOf(
    'plain text',
    '{"system":"the key is here","metadata":{"user_id":"u"},"messages":[{"content":["a","b"]}]}',
    'x-api-key: abc\r\ncookie: a=b; c="d"\nAuthorization: Bearer abc\npassword=\'x\'',
    'https://user:pass@host/?token=1 mail a.b@c.test eyJhbGciOiJ.eyJzdWIi.sig -----BEGIN PRIVATE KEY-----\nabc',
    'AKIAABCDEFGHIJKLMNOP ghp_abcdefghijklmnopqrst AIzaSyabcdefghijklmnop',
  ),
  dictionary: [
    ...[
      'sk-',
      'sk-ant-',
      'Bearer ',
      'Basic ',
      'eyJ',
      'api_key=',
      '"api-key": "',
      'cookie: ',
      'token',
    ],
    ...[
      '://',
      '@',
      ':',
      ',',
      '"',
      "'",
      '\\',
      '\\"',
      '\r\n',
      '-----BEGIN RSA PRIVATE KEY-----',
      '[redacted]',
    ],
    ...['-----END RSA PRIVATE KEY-----', 'AKIA', 'xoxb-', 'gho_', '0123456789abcdef', 'é', '\0'],
  ],
  bytesMax: 1024,
  check(input, random) {
    const text = input.toString('utf8');
    const key = makeKey(random);
    const at = random.int(text.length + 1);
    const planted = text.slice(0, at) + key + text.slice(at);
    const clean = redactText(planted);
    assert(!clean.includes(key), 'a key is left in a text');
    assert.equal(redactText(clean), clean, 'what is redacted is redacted once more');
    checkJson(input, text, key, random);
  },
};

/** A key of Anthropic or of Z.AI. */
function makeKey(random: Random): string {
  const draw = (letters: string, count: number): string =>
    Array.from({ length: count }, () => letters.charAt(random.int(letters.length))).join('');
  return random.once(2)
    ? `sk-ant-api03-${draw(ALPHABET, 24)}-${draw(ALPHABET, 8)}AA`
    : `${draw(HEX, 32)}.${draw(ALPHABET, 16)}`;
}

/** The same for every text of a JSON value, names of members too. */
function checkJson(input: Buffer, text: string, key: string, random: Random): void {
  if (spoilsJsonParse(input)) return;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return;
  }
  const planted = plant(value, key, random);
  const clean = JSON.stringify(redactJson(planted)) ?? '';
  assert(!clean.includes(key), 'a key is left in a value');
}

function plant(value: unknown, key: string, random: Random): unknown {
  if (typeof value === 'string') return random.once(2) ? `${value}${key}` : `${key}${value}`;
  if (Array.isArray(value)) return value.map((item) => plant(item, key, random));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, inner]) => [
    random.once(4) ? `${name}${key}` : name,
    plant(inner, key, random),
  ]);
  return Object.fromEntries(entries);
}
