import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from '../../test/support/properties.ts';
import { endToEnd, fieldValue, fieldValues, isFraming, listMembers, without } from './fields.ts';
import type { Field, Fields } from './message.ts';

const FIELDS: Fields = [
  ['Host', 'api.anthropic.com'],
  ['X-Api-Key', 'canary-a'],
  ['x-api-key', 'canary-b'],
  ['Accept', ''],
  ['Connection', 'Keep-Alive, X-Hop ,,'],
  ['CONNECTION', 'x-other'],
];

describe('looking fields up', () => {
  it('finds the first of a name, whatever its case', () => {
    assert.equal(fieldValue(FIELDS, 'x-api-key'), 'canary-a');
    assert.equal(fieldValue(FIELDS, 'host'), 'api.anthropic.com');
  });

  it('tells an empty value from an absent field', () => {
    assert.equal(fieldValue(FIELDS, 'accept'), '');
    assert.equal(fieldValue(FIELDS, 'accep'), undefined);
    assert.equal(fieldValue([], 'accept'), undefined);
  });

  it('finds all of a name in their order', () => {
    assert.deepEqual(fieldValues(FIELDS, 'x-api-key'), ['canary-a', 'canary-b']);
    assert.deepEqual(fieldValues(FIELDS, 'cookie'), []);
  });

  it('reads a list over all lines of a name, without empty members', () => {
    assert.deepEqual(listMembers(FIELDS, 'connection'), ['keep-alive', 'x-hop', 'x-other']);
    assert.deepEqual(listMembers([['connection', ' , ,']], 'connection'), []);
  });
});

describe('what travels end to end', () => {
  it('drops every hop-by-hop field and those that Connection names', () => {
    const fields: Field[] = [
      ['Connection', 'close, X-Hop'],
      ['Keep-Alive', 'timeout=5'],
      ['Proxy-Connection', 'Keep-Alive'],
      ['Proxy-Authenticate', 'Basic'],
      ['Proxy-Authorization', 'Basic Y2FuYXJ5'],
      ['Proxy-Authentication-Info', 'a'],
      ['TE', 'trailers'],
      ['Upgrade', 'websocket'],
      ['x-hop', '1'],
      ['Trailer', 'x-sum'],
      ['X-Kept', '2'],
    ];
    assert.deepEqual(endToEnd(fields), [
      ['Trailer', 'x-sum'],
      ['X-Kept', '2'],
    ]);
  });

  it('keeps framing and Host, even where Connection names them', () => {
    const fields: Field[] = [
      ['Connection', 'content-length, transfer-encoding, host'],
      ['Host', 'a'],
      ['Content-Length', '3'],
      ['Transfer-Encoding', 'chunked'],
    ];
    assert.deepEqual(endToEnd(fields), fields.slice(1));
  });

  it('keeps order, case and repetition of the rest', () => {
    const name = fc.constantFrom('Accept', 'accept', 'X-A', 'x-a', 'Connection', 'TE', 'Cookie');
    const fields = fc.array(fc.tuple(name, fc.constantFrom('x-a', '1', 'close')));
    const property = fc.property(fields, (list) => {
      const named = listMembers(list, 'connection');
      const expected = list.filter(([spelt]) => {
        const lower = spelt.toLowerCase();
        return lower !== 'connection' && lower !== 'te' && !named.includes(lower);
      });
      assert.deepEqual(endToEnd(list), expected);
    });
    fc.assert(property);
  });
});

describe('the small helpers', () => {
  it('removes every field of a name and nothing else', () => {
    assert.deepEqual(without(FIELDS, 'x-api-key'), [FIELDS[0], ...FIELDS.slice(3)]);
    assert.deepEqual(without(FIELDS, 'cookie'), [...FIELDS]);
  });

  it('knows the two fields that frame a message', () => {
    assert.deepEqual(
      ['content-length', 'transfer-encoding', 'content-type', 'trailer'].map(isFraming),
      [true, true, false, false],
    );
  });
});
