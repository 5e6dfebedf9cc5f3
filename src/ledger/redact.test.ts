import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from '../../test/support/properties.ts';
import { redactJson, redactText } from './redact.ts';

const letters = (alphabet: string, minLength: number, maxLength = minLength) =>
  fc.string({ unit: fc.constantFrom(...alphabet), minLength, maxLength });

const ALNUM = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const URL_SAFE = `${ALNUM}-_`;
const TOKEN = `${URL_SAFE}.~+/=`;
const HEX = '0123456789abcdef';

/** Each kind of secret: the text it stands in, and the part that must not survive. */
const secrets: fc.Arbitrary<{ readonly text: string; readonly canary: string }> = fc.oneof(
  letters(URL_SAFE, 8, 80).map((body) => ({ text: `sk-ant-api03-${body}`, canary: body })),
  letters(TOKEN, 8, 80).map((body) => ({ text: `Bearer ${body}`, canary: body })),
  letters(TOKEN, 8, 80).map((body) => ({ text: `x-api-key: ${body}`, canary: body })),
  letters(TOKEN, 8, 80).map((body) => ({ text: `"x-api-key":"${body}"`, canary: body })),
  letters(TOKEN, 8, 80).map((body) => ({ text: `Authorization: Basic ${body}`, canary: body })),
  letters(TOKEN, 8, 80).map((body) => ({ text: `{\\"api_key\\": \\"${body}\\"`, canary: body })),
  letters(ALNUM, 8, 80).map((body) => ({ text: `Cookie: a="${body}"; b=${body}`, canary: body })),
  fc
    .tuple(letters(HEX, 32), letters(ALNUM, 16))
    .map(([id, key]) => ({ text: `${id}.${key}`, canary: key })),
  fc
    .tuple(letters(URL_SAFE, 8, 40), letters(URL_SAFE, 8, 40), letters(URL_SAFE, 8, 40))
    .map(([head, body, mac]) => ({ text: `eyJ${head}.${body}.${mac}`, canary: body })),
  letters(ALNUM, 8, 20).map((name) => ({ text: `${name}@example.com`, canary: name })),
  letters(ALNUM, 8, 20).map((word) => ({ text: `https://me:${word}@host/`, canary: word })),
  letters(ALNUM, 40, 200).map((body) => ({
    text: `-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----`,
    canary: body,
  })),
);

test('no planted secret survives in a text', () => {
  fc.assert(
    fc.property(fc.string(), secrets, fc.string(), (before, { text, canary }, after) => {
      const clean = redactText(`${before} ${text} ${after}`);
      assert.ok(before.includes(canary) || after.includes(canary) || !clean.includes(canary));
    }),
  );
});

test('no planted secret survives in a JSON value, in values, keys or lists', () => {
  fc.assert(
    fc.property(secrets, fc.jsonValue(), ({ text, canary }, other) => {
      const value = { other, deep: [{ text: `see ${text}` }, text], [text]: 1, [`my ${text}`]: 2 };
      const clean = JSON.stringify(redactJson(value));
      assert.ok(JSON.stringify(other).includes(canary) || !clean.includes(canary));
    }),
  );
});

test('redacting is done at the first time', () => {
  fc.assert(
    fc.property(secrets, ({ text }) => {
      const once = redactText(text);
      assert.equal(redactText(once), once);
    }),
  );
});

test('values of secret names are replaced whatever they hold', () => {
  const value = { Authorization: ['a', { b: 1 }], 'x-api-key': 'short', password: 7, kept: 'text' };
  const hidden = '[redacted]';
  assert.deepEqual(redactJson(value), {
    Authorization: hidden,
    'x-api-key': hidden,
    password: hidden,
    kept: 'text',
  });
});

test('so are account ids in a body that was cut, which is no JSON any more', () => {
  const ids = {
    device_id: 'canary-device',
    account_uuid: 'canary-account',
    session_id: 'canary-s',
  };
  for (const user of [JSON.stringify(ids), 'user_canary_account_canary_session_canary']) {
    const body = JSON.stringify({ metadata: { user_id: user }, max_tokens: 3 });
    const clean = redactText(body.slice(0, -2));
    assert(!clean.includes('canary'), clean);
    assert.match(clean, /max_tokens/);
  }
  assert.match(redactText(`"{\\"device_id\\":\\"canary`), /^"\{\\"device_id\\":\\"\[redacted\]$/);
});

test('account ids in the metadata of a request are replaced', () => {
  const body = { metadata: { user_id: '{"device_id":"d","account_uuid":"a"}' }, max_tokens: 3 };
  assert.deepEqual(redactJson(body), { metadata: { user_id: '[redacted]' }, max_tokens: 3 });
});

test('what is no secret stays as it is', () => {
  const texts = [
    'claude-haiku-4-5-20251001',
    'claude-haiku-4-5@20251001',
    '/v1/messages/count_tokens',
    'req_011CXYZ',
    'the task-force asked for a desk-lamp-with-long-name',
    'connect ECONNREFUSED 127.0.0.1:443',
    '3fa85f64-5717-4562-b3fc-2c963f66afa6',
  ];
  for (const text of texts) assert.equal(redactText(text), text);
});

test('a value nested without end is cut, not followed', () => {
  let value: unknown = 'sk-ant-api03-CANARY';
  for (let depth = 0; depth < 5_000; depth += 1) value = [value];
  assert.doesNotMatch(JSON.stringify(redactJson(value)), /CANARY/);
});
