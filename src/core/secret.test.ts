import assert from 'node:assert/strict';
import { Console } from 'node:console';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { format, inspect } from 'node:util';
import { serialize } from 'node:v8';
import fc from '../../test/support/properties.ts';
import { reveal, Secret } from './secret.ts';

const CANARY = 'canary-0123456789-not-a-key';
const secret = Secret.of(CANARY);

/** What `console` prints of these values. */
function printed(...values: unknown[]): string {
  const out = new PassThrough();
  const console = new Console({ stdout: out, stderr: out });
  console.log(...values);
  console.error('%s %o %O %j', ...values, ...values, ...values, ...values);
  console.table(values);
  console.dir(values, { showHidden: true, depth: null });
  return String(out.read());
}

describe('a secret', () => {
  const holder = { lane: { key: secret }, list: [secret], map: new Map([['key', secret]]) };
  const error = new Error('refused', { cause: holder });
  Object.assign(error, { secret });

  const ways: readonly (readonly [name: string, text: () => string])[] = [
    ['String', () => String(secret)],
    ['a template', () => `${secret}`],
    ['concatenation', () => `key ${[secret]}`],
    ['join', () => [secret, secret].join()],
    ['JSON', () => JSON.stringify({ secret, holder })],
    ['inspect', () => inspect(secret)],
    ['inspect of what holds it', () => inspect(holder, { depth: null })],
    [
      'inspect with everything shown',
      () => inspect(holder, { showHidden: true, getters: true, depth: null }),
    ],
    [
      'inspect without custom functions',
      () => inspect(secret, { customInspect: false, showHidden: true }),
    ],
    ['format', () => format('%s %d %i %f %j %o %O %c', ...Array.from({ length: 9 }, () => secret))],
    ['an error that carries it', () => inspect(error, { depth: null, showHidden: true })],
    ['the stack of an error', () => String(new Error(`with ${secret}`).stack)],
    ['a failed assertion', () => caught(() => assert.deepEqual({ key: secret }, { key: 1 }))],
    ['the console', () => printed(secret, holder, error)],
    ['its own properties', () => inspect(Object.getOwnPropertyDescriptors(secret))],
    ['a copy of its properties', () => JSON.stringify({ ...secret, all: Object.entries(secret) })],
    ['a structured clone', () => inspect(structuredClone(secret), { showHidden: true })],
    ['serialisation', () => serialize(secret).toString('latin1')],
  ];
  for (const [name, text] of ways) {
    it(`is not shown by ${name}`, () => {
      const shown = text();
      assert.equal(shown.includes(CANARY), false);
      assert.equal(shown.includes(CANARY.slice(0, 12)), false);
    });
  }

  it('says what it is where it is printed', () => {
    assert.equal(`${secret}`, '[redacted]');
    assert.equal(JSON.stringify({ secret }), '{"secret":"[redacted]"}');
    assert.equal(inspect([secret]), '[ [redacted] ]');
  });

  it('is revealed whole by reveal, and only if it was made by Secret.of', () => {
    assert.equal(reveal(secret), CANARY);
    assert.throws(() => reveal(new Secret()), TypeError);
    assert.throws(() => reveal(structuredClone(secret)), TypeError);
    assert.throws(() => new Secret().equals('a'), TypeError);
  });

  it('is never empty', () => {
    assert.throws(() => Secret.of(''), RangeError);
  });

  it('is found in a text that holds it anywhere', () => {
    assert.equal(secret.isIn(`Bearer ${CANARY}`), true);
    assert.equal(secret.isIn(CANARY.slice(1)), false);
    assert.equal(secret.isIn(''), false);
  });

  it('equals its own value and no other', () => {
    assert.equal(secret.equals(CANARY), true);
    for (const other of [
      '',
      CANARY.slice(1),
      `${CANARY}a`,
      CANARY + CANARY,
      CANARY.toUpperCase(),
    ]) {
      assert.equal(secret.equals(other), false);
    }
    const near = fc.stringMatching(/^[ab]{1,4}$/);
    const property = fc.property(near, near, (left, right) => {
      assert.equal(Secret.of(left).equals(right), left === right);
    });
    fc.assert(property);
  });
});

function caught(run: () => void): string {
  try {
    run();
  } catch (error) {
    return inspect(error, { depth: null, showHidden: true });
  }
  return assert.fail('nothing was thrown');
}

describe('hiding a secret in a text', () => {
  it('leaves nothing of it, as it is or escaped for JSON', () => {
    // One that the mark holds itself would be found in it.
    const values = fc.string({ minLength: 8 }).filter((text) => !'[redacted]'.includes(text));
    fc.assert(
      fc.property(fc.string(), values, fc.string(), (before, value, after) => {
        const one = Secret.of(value);
        assert.equal(one.hiddenIn(`${before}${value}${after}`).includes(value), false);
        const shown = one.hiddenIn(JSON.stringify({ before, value, after }));
        assert.equal(shown.includes(JSON.stringify(value).slice(1, -1)), false);
      }),
      { examples: [['', 'with"quotes\\', '']] },
    );
  });

  it('leaves every other text as it is, and one that is too short to mean anything', () => {
    assert.equal(secret.hiddenIn('claude-haiku-5-5'), 'claude-haiku-5-5');
    assert.equal(Secret.of('claude').hiddenIn('claude-haiku-5-5'), 'claude-haiku-5-5');
  });
});
