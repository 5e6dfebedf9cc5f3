import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from '../../../test/support/properties.ts';
import { JSON_DEPTH_MAX, KEY_VALUE_BYTES_MAX } from '../limits.ts';
import {
  createKeyScanner,
  type JsonValue,
  type KeyScan,
  type KeyScannerOptions,
  wantKeys,
} from './scanner.ts';
import {
  choices,
  chooser,
  isObject,
  mutated,
  objectWith,
  parsed,
  pieces,
  spell,
} from './testing/texts.ts';

const KEYS = ['model', 'stream'];

function scan(parts: readonly Buffer[], keys = KEYS, options: KeyScannerOptions = {}): KeyScan {
  const scanner = createKeyScanner(wantKeys(...keys), options);
  for (const part of parts) scanner.push(part);
  return scanner.finish();
}

function scanText(text: string, options: KeyScannerOptions = {}): KeyScan {
  return scan([Buffer.from(text)], KEYS, options);
}

/** A captured value as `JSON.parse` would have made it. */
function plainOf(captured: JsonValue | undefined): unknown {
  if (captured === undefined) return undefined;
  switch (captured.kind) {
    case 'string':
      return captured.value;
    case 'literal':
      return JSON.parse(captured.text);
    case 'too_long':
      return assert.fail('too long');
    default:
      return JSON.parse((captured.bytes ?? assert.fail('over the bound')).toString('utf8'));
  }
}

function assertAgrees(found: KeyScan, expected: Record<string, unknown>): void {
  assert.equal(found.complete, true);
  for (const key of KEYS) {
    assert.deepEqual(
      plainOf(found.values.get(key)),
      Object.hasOwn(expected, key) ? expected[key] : undefined,
    );
    assert.equal(found.values.has(key), Object.hasOwn(expected, key));
  }
}

describe('the key scanner', () => {
  const cases: readonly (readonly [name: string, text: string, model: string | undefined])[] = [
    ['finds a key that stands first', '{"model":"m","stream":true}', 'm'],
    ['finds a key that stands last', '{"a":[1,{"b":2}],"model":"m"}', 'm'],
    ['reads a key that is written with escapes', '{"mod\\u0065l":"m"}', 'm'],
    ['reads a value that is written with escapes', '{"model":"\\u006d\\n\\ud83d\\ude00"}', 'm\n😀'],
    ['lets the last of duplicate keys win', '{"model":"a","\\u006dodel":"m"}', 'm'],
    ['passes over keys at other depths', '{"a":{"model":"x"},"b":[{"model":"y"}]}', undefined],
    ['passes over keys inside strings', '{"a":"\\"model\\":\\"x\\"","model":"m"}', 'm'],
    ['passes over values that are spelt like the key', '{"a":"model","model":"m"}', 'm'],
    ['is not misled by backslashes before a quote', '{"a":"\\\\","model":"m","b":"\\\\\\""}', 'm'],
    ['takes white space wherever JSON does', ' \n{ "model"\t:\r "m" } ', 'm'],
    ['passes over a leading byte order mark', '\ufeff{"model":"m"}', 'm'],
    ['keeps a byte order mark inside a string', '{"model":"\ufeffm"}', '\ufeffm'],
    ['reads an empty object', '{}', undefined],
    ['does not take a longer key for a wanted one', '{"models":"x","mode":"y"}', undefined],
  ];
  for (const [name, text, model] of cases) {
    it(name, () => {
      const bytes = Buffer.from(text);
      for (let cut = 0; cut <= bytes.length; cut += 1) {
        const found = scan([bytes.subarray(0, cut), bytes.subarray(cut)]);
        assert.equal(found.complete, true, `cut at ${cut}`);
        assert.equal(plainOf(found.values.get('model')), model, `cut at ${cut}`);
      }
      const single = [...bytes].map((byte) => Buffer.from([byte]));
      assert.equal(plainOf(scan(single).values.get('model')), model);
    });
  }

  const refused: readonly (readonly [name: string, text: string])[] = [
    ['an empty text', ''],
    ['white space', ' \n'],
    ['a byte order mark alone', '\ufeff'],
    ['two byte order marks', '\ufeff\ufeff{}'],
    ['a root that is no object', '["model"]'],
    ['a second value behind the first', '{"model":"m"}{}'],
    ['garbage behind the object', '{"model":"m"}x'],
    ['a truncated object', '{"model":"m"'],
    ['a truncated string', '{"model":"m'],
    ['a string that ends in an escape', '{"model":"m\\"}'],
    ['brackets that do not match', '{"a":[1}'],
    ['a missing colon', '{"model" "m"}'],
    ['a missing comma', '{"a":1 "model":"m"}'],
    ['a comma before the end', '{"model":"m",}'],
    ['a comma before the end of an array', '{"a":[1,]}'],
    ['a key that is no string', '{model:"m"}'],
    ['a misspelt word', '{"a":trux}'],
    ['a word with a tail', '{"a":nulls}'],
    ['a number with a leading zero', '{"a":01}'],
    ['a number without digits', '{"a":-}'],
    ['a point without digits', '{"a":1.}'],
    ['an exponent without digits', '{"a":1e+}'],
    ['a captured string with an escape that is none', '{"model":"\\x"}'],
    ['a captured string with a raw line break', '{"model":"a\nb"}'],
    ['a top-level key with an escape that is none', '{"mod\\el":"m"}'],
    ['white space that JSON does not know', '{\u00a0"model":"m"}'],
    ['a comment', '{/**/"model":"m"}'],
  ];
  for (const [name, text] of refused) {
    it(`does not call complete: ${name}`, () => {
      assert.equal(isObject(parsed(Buffer.from(text))), false);
      assert.equal(scanText(text).complete, false);
      const single = [...Buffer.from(text)].map((byte) => Buffer.from([byte]));
      assert.equal(scan(single).complete, false);
    });
  }

  it('shows what it has read before the end', () => {
    const scanner = createKeyScanner(wantKeys(...KEYS));
    scanner.push(Buffer.from('{"model":"m","messages":['));
    assert.equal(scanner.current.complete, false);
    assert.deepEqual(scanner.current.values.get('model'), { kind: 'string', value: 'm' });
  });

  it('reports objects and arrays as raw bytes that outlive the piece', () => {
    const piece = Buffer.from('{"model":{ "a":[1] },"stream":[ ]}');
    const found = scan([piece]);
    piece.fill(0);
    assert.deepEqual(found.values.get('model'), {
      kind: 'object',
      bytes: Buffer.from('{ "a":[1] }'),
    });
    assert.deepEqual(found.values.get('stream'), { kind: 'array', bytes: Buffer.from('[ ]') });
  });

  it('reports literals as they are spelt', () => {
    const found = scanText('{"model":-1.50e+2 ,"stream":false}');
    assert.deepEqual(found.values.get('model'), { kind: 'literal', text: '-1.50e+2' });
    assert.deepEqual(found.values.get('stream'), { kind: 'literal', text: 'false' });
  });

  it('tells where every value of a wanted key lies, duplicates included', () => {
    const text = '\ufeff{"model":"a","x":[{"model":1}],"model" : {"b":"}"} ,"stream":12}';
    const bytes = Buffer.from(text);
    for (let size = 1; size <= bytes.length; size += 1) {
      const seen: string[] = [];
      const scanner = createKeyScanner(wantKeys(...KEYS), {
        onValue: (key, start, end) => seen.push(`${key} ${bytes.toString('utf8', start, end)}`),
      });
      for (let at = 0; at < bytes.length; at += size) scanner.push(bytes.subarray(at, at + size));
      assert.deepEqual(seen, ['model "a"', 'model {"b":"}"}', 'stream 12']);
    }
  });
});

describe('the bounds of the key scanner', () => {
  for (const size of [7, 1 << 20]) {
    const cut = (text: string): Buffer[] => {
      const bytes = Buffer.from(text);
      const list: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += size) list.push(bytes.subarray(at, at + size));
      return list;
    };

    it(`captures values up to the bound and none above it, in pieces of ${size}`, () => {
      const atBound = 'm'.repeat(KEY_VALUE_BYTES_MAX);
      const spelt = (value: string): KeyScan => scan(cut(`{"model":${value},"stream":true}`));
      assert.deepEqual(spelt(`"${atBound}"`).values.get('model'), {
        kind: 'string',
        value: atBound,
      });
      assert.deepEqual(spelt(`"${atBound}m"`).values.get('model'), { kind: 'too_long' });
      assert.deepEqual(spelt('1'.repeat(KEY_VALUE_BYTES_MAX + 1)).values.get('model'), {
        kind: 'too_long',
      });
      const object = `{"a":"${'b'.repeat(KEY_VALUE_BYTES_MAX)}"}`;
      const found = spelt(object);
      assert.deepEqual(found.values.get('model'), { kind: 'object', bytes: null });
      assert.deepEqual(found.values.get('stream'), { kind: 'literal', text: 'true' });
      assert.equal(found.complete, true);
    });

    it(`takes a bound of its own, in pieces of ${size}`, () => {
      const options = { valueBytesMax: 3 };
      const found = scan(cut('{"model":[12],"stream":[1]}'), KEYS, options);
      assert.deepEqual(found.values.get('model'), { kind: 'array', bytes: null });
      assert.deepEqual(found.values.get('stream'), { kind: 'array', bytes: Buffer.from('[1]') });
    });

    it(`keeps nothing of a key whose place is enough, in pieces of ${size}`, () => {
      const text = '{"model":{"a":[1]}, "stream":"m\\q","model":"m"}';
      const places: string[] = [];
      const found = scan(cut(text), KEYS, {
        placedOnly: new Set(['model', 'stream']),
        onValue: (key, start, end, value) => {
          places.push(`${key} ${value.kind} ${text.slice(start, end)}`);
        },
      });
      assert.equal(found.complete, true);
      assert.deepEqual(places, [
        'model object {"a":[1]}',
        'stream too_long "m\\q"',
        'model too_long "m"',
      ]);
      assert.deepEqual(found.values.get('model'), { kind: 'too_long' });
    });

    it(`follows nesting to the bound and no deeper, in pieces of ${size}`, () => {
      const nested = (depth: number): string =>
        `{"a":${'['.repeat(depth)}${']'.repeat(depth)},"model":"m"}`;
      assert.equal(scan(cut(nested(JSON_DEPTH_MAX - 1))).complete, true);
      assert.equal(scan(cut(nested(JSON_DEPTH_MAX))).complete, false);
    });

    it(`does not mind keys of any length, in pieces of ${size}`, () => {
      const found = scan(cut(`{"${'k'.repeat(5000)}":1,"model":"m"}`));
      assert.deepEqual(found.values.get('model'), { kind: 'string', value: 'm' });
    });
  }

  it('reads a piece that is larger than its window', () => {
    const filler = JSON.stringify({ text: 'say "hi"\\\n'.repeat(40_000) }).slice(1, -1);
    for (let shift = 0; shift < 8; shift += 1) {
      const text = `{${' '.repeat(shift)}${filler},"model":"m"}`;
      assertAgrees(scanText(text), JSON.parse(text) as Record<string, unknown>);
    }
  });
});

describe('the key scanner against JSON.parse', () => {
  it('gives the same answer for every valid object, however it is spelt and cut', () => {
    const property = fc.property(
      objectWith(...KEYS),
      choices,
      choices,
      fc.boolean(),
      (node, spelling, cutting, marked) => {
        const text = (marked ? '\ufeff' : '') + spell(node, chooser(spelling));
        const bytes = Buffer.from(text);
        const expected = parsed(bytes);
        assert(isObject(expected));
        const options = { valueBytesMax: 1 << 20 };
        assertAgrees(scan(pieces(bytes, chooser(cutting)), KEYS, options), expected);
        assertAgrees(scan([bytes], KEYS, options), expected);
      },
    );
    fc.assert(property, { numRuns: 2000 });
  });

  it('never calls a truncated object complete', () => {
    const property = fc.property(objectWith(...KEYS), choices, fc.nat(), (node, spelling, at) => {
      const bytes = Buffer.from(spell(node, chooser(spelling)));
      assert.equal(scan([bytes.subarray(0, at % bytes.length)]).complete, false);
    });
    fc.assert(property, { numRuns: 500 });
  });

  it('agrees on damaged bodies wherever it calls them complete, and calls complete what is valid', () => {
    const property = fc.property(
      objectWith(...KEYS),
      choices,
      fc.tuple(
        fc.nat(),
        fc.nat(),
        fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('"\\{}[],: '))),
      ),
      (node, spelling, [way, at, byte]) => {
        const bytes = mutated(Buffer.from(spell(node, chooser(spelling))), way, at, byte);
        const found = scan(pieces(bytes, chooser(spelling)), KEYS, { valueBytesMax: 1 << 20 });
        const expected = parsed(bytes);
        if (isObject(expected)) assertAgrees(found, expected);
        else if (expected !== undefined) assert.equal(found.complete, false);
      },
    );
    fc.assert(property, { numRuns: 4000 });
  });

  it('is as strict as JSON.parse about everything but the insides of strings', () => {
    const tokens = [
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"model"',
      '"a"',
      ' ',
      '0',
      '1',
      '-',
      '.',
      'e',
      '+',
    ];
    const words = ['true', 'false', 'null', 'tru', '{"a":', '{"model":', '\n', '"'];
    const token = fc.constantFrom(...tokens, ...words);
    const text = fc.tuple(fc.constantFrom('', '{', '{"a":'), fc.array(token, { maxLength: 8 }));
    const property = fc.property(text, fc.constantFrom('', '}'), ([head, body], tail) => {
      const bytes = Buffer.from(head + body.join('') + tail);
      // A raw line break inside a string is the one thing here that is left to the upstream.
      if (bytes.includes('\n') && bytes.includes('"')) return;
      assert.equal(scan([bytes]).complete, isObject(parsed(bytes)), bytes.toString());
    });
    fc.assert(property, { numRuns: 5000 });
  });

  it('never throws and answers the same for any cut, whatever the bytes', () => {
    const structural = fc.constantFrom(...Buffer.from('{}[],:"\\u0model\ufeff'));
    const byte = fc.oneof(structural, fc.nat(255));
    const property = fc.property(fc.array(byte, { maxLength: 80 }), choices, (list, cutting) => {
      const bytes = Buffer.from(list);
      const found = scan(pieces(bytes, chooser(cutting)));
      assert.deepEqual(found, scan([bytes]));
    });
    fc.assert(property, { numRuns: 2000 });
  });
});
