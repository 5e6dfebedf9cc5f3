import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HEX, isTargetText, isText, isToken, TEXT, TOKEN } from './chars.ts';

test('tables and tests of strings know the same classes', () => {
  for (let code = 0; code < 256; code += 1) {
    const character = String.fromCharCode(code);
    assert.equal(TOKEN[code] === 1, isToken(character), `token ${code}`);
    assert.equal(TEXT[code] === 1, isText(character), `text ${code}`);
    const digit = /^[0-9a-fA-F]$/.test(character) ? Number.parseInt(character, 16) : 255;
    assert.equal(HEX[code], digit, `digit ${code}`);
  }
});

test('no class has a character that would become another byte', () => {
  for (let code = 256; code < 65_536; code += 1) {
    const character = String.fromCharCode(code);
    assert(!isToken(character) && !isText(character) && !isTargetText(character), String(code));
  }
});

test('the classes hold for every character of a text, the last one too', () => {
  for (const is of [isToken, isText, isTargetText]) {
    assert(is('abc'));
    for (const text of ['a\nb', 'ab\n', '\nab', 'a\0']) assert(!is(text));
  }
  assert(!isToken(''));
  assert(!isTargetText(''));
  assert(isText(''));
  assert(!isTargetText('/a#b'));
});
