/**
 * The fuzzer finds what it is there for: each variant of a part is broken in one way that the usual
 * inputs do not show, and is found in a bounded number of cases, without the guide.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseAuthority } from '../../src/core/authority.ts';
import { createKeyScanner } from '../../src/core/json/scanner.ts';
import { editsOf } from '../../src/core/json/testing/places.ts';
import { createSseTap } from '../../src/core/tap/sse-tap.ts';
import { fuzz } from './engine.ts';
import type { Target } from './target.ts';
import { authorityTarget } from './targets/authority.ts';
import { jsonCutterTarget, jsonScannerTarget } from './targets/json.ts';
import { sseTapTarget } from './targets/taps.ts';

const CASES = 20_000;

const SABOTAGED: readonly (readonly [how: string, target: Target])[] = [
  ['a scanner of whose duplicate keys the first wins', jsonScannerTarget(firstWins)],
  ['a scanner that forgets an escape at the end of a piece', jsonScannerTarget(forgetsEscape)],
  ['a cutter that leaves all but the last of duplicate keys', jsonCutterTarget(lastEditOnly)],
  ['a tap to which CR and LF in two pieces are two line ends', sseTapTarget(splitsCrLf)],
  ['a tap that takes a negative count', sseTapTarget(takesNegative)],
  ['an authority parser that takes 127.1 for a name', authorityTarget(takesShortIpv4)],
  ['an authority parser that passes over a user', authorityTarget(passesUser)],
];

describe('a part that is broken is found', () => {
  for (const [how, target] of SABOTAGED) {
    test(how, async () => {
      const { finding, cases } = await fuzz(target, { seed: 1, cases: CASES });
      assert(finding !== null, `not found in ${cases} cases`);
      assert(finding.input.length < 100, finding.input.toString('latin1'));
      assert.match(finding.label, /^AssertionError: /);
    });
  }
});

test('the parts as they are hold in as many cases', async () => {
  for (const target of [
    jsonScannerTarget(),
    jsonCutterTarget(),
    sseTapTarget(),
    authorityTarget(),
  ]) {
    const { finding } = await fuzz(target, { seed: 1, cases: 1000 });
    assert.equal(finding, null);
  }
});

function firstWins(
  ...given: Parameters<typeof createKeyScanner>
): ReturnType<typeof createKeyScanner> {
  const [keys, options = {}] = given;
  const first = new Map();
  const scanner = createKeyScanner(keys, {
    ...options,
    onValue(key, start, end, value) {
      if (!first.has(key)) first.set(key, value);
      options.onValue?.(key, start, end, value);
    },
  });
  return {
    push: (bytes) => scanner.push(bytes),
    finish: () => ({ ...scanner.finish(), values: first }),
    get current() {
      return { ...scanner.current, values: first };
    },
  };
}

function forgetsEscape(
  ...given: Parameters<typeof createKeyScanner>
): ReturnType<typeof createKeyScanner> {
  const scanner = createKeyScanner(...given);
  let escaped = false;
  return {
    push(bytes) {
      const copy = Buffer.from(bytes);
      if (escaped && copy[0] === 0x22) copy[0] = 0x27;
      escaped = bytes.at(-1) === 0x5c;
      scanner.push(copy);
    },
    finish: () => scanner.finish(),
    get current() {
      return scanner.current;
    },
  };
}

function lastEditOnly(...given: Parameters<typeof editsOf>): ReturnType<typeof editsOf> {
  return editsOf(...given)?.slice(-1) ?? null;
}

function splitsCrLf(): ReturnType<typeof createSseTap> {
  const tap = createSseTap();
  return {
    push(data) {
      // An empty comment line between the two keeps the real tap from joining them.
      if (data[0] === 0x0a) tap.push(Buffer.from('\n'));
      tap.push(data);
    },
    finish: () => tap.finish(),
  };
}

function takesNegative(): ReturnType<typeof createSseTap> {
  const tap = createSseTap();
  let text = '';
  return {
    push(data) {
      text += data.toString('latin1');
      tap.push(data);
    },
    finish() {
      const facts = tap.finish();
      const [, negative] = /"output_tokens":(-[1-9]\d*)/.exec(text) ?? [];
      if (negative === undefined || facts.usage.outputTokens !== null) return facts;
      return { ...facts, usage: { ...facts.usage, outputTokens: Number(negative) } };
    },
  };
}

function takesShortIpv4(
  ...given: Parameters<typeof parseAuthority>
): ReturnType<typeof parseAuthority> {
  const [text, { port }] = given;
  const found = parseAuthority(...given);
  if (found !== null || typeof port !== 'number' || !/^[0-9]+\.[0-9]+$/.test(text)) return found;
  return { host: text, port };
}

function passesUser(
  ...given: Parameters<typeof parseAuthority>
): ReturnType<typeof parseAuthority> {
  const [text, options] = given;
  return parseAuthority(text.slice(text.lastIndexOf('@') + 1), options);
}
