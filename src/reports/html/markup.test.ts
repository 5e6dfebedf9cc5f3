import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '../../../test/support/properties.ts';
import { markup, raw } from './markup.ts';

test('a value in a template is text, whatever it holds', () => {
  const given = markup`<p title="${`"'`}">${'<b>&'}</p>`;
  assert.equal(given.text, '<p title="&quot;&#39;">&lt;b&gt;&amp;</p>');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.doesNotMatch(markup`${text}`.text, /[<>"']|&(?!amp;|lt;|gt;|quot;|#39;)/);
    }),
  );
});

test('markup in a template stays markup; lists are joined, null is nothing', () => {
  const items = ['a', '<'].map((text) => markup`<li>${text}</li>`);
  assert.equal(
    markup`<ul>${items}${null}${raw('<hr>')}</ul>`.text,
    '<ul><li>a</li><li>&lt;</li><hr></ul>',
  );
});

test('a number has two decimals at most', () => {
  assert.equal(markup`${1 / 3} ${20} ${-0.001}`.text, '0.33 20 0');
});
