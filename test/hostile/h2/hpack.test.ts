/** The tests' own HPACK against the examples of RFC 7541 appendix C, and against node:http2. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HpackDecoder, huffman, integer } from './hpack.ts';

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
}

test('integers are those of appendix C.1', () => {
  assert.deepEqual(integer(10, 5), hex('0a'));
  assert.deepEqual(integer(1337, 5), hex('1f9a0a'));
  assert.deepEqual(integer(42, 8), hex('2a'));
});

test('requests with Huffman coding and a dynamic table are read: appendix C.4', () => {
  const decoder = new HpackDecoder();
  const common = [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'www.example.com'],
  ];
  assert.deepEqual(decoder.decode(hex('828684418cf1e3c2e5f23a6ba0ab90f4ff')), common);
  assert.deepEqual(decoder.decode(hex('828684be5886a8eb10649cbf')), [
    ...common,
    ['cache-control', 'no-cache'],
  ]);
  const third = '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf';
  assert.deepEqual(decoder.decode(hex(third)).at(-1), ['custom-key', 'custom-value']);
});

test('answers that evict entries are read: appendix C.6', () => {
  const decoder = new HpackDecoder();
  decoder.decode(hex('3fe101'));
  const first = decoder.decode(
    hex(`488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff
      6e919d29ad171863c78f0b97c8e9ae82ae43d3`),
  );
  assert.deepEqual(first, [
    [':status', '302'],
    ['cache-control', 'private'],
    ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
    ['location', 'https://www.example.com'],
  ]);
  assert.deepEqual(decoder.decode(hex('4883640effc1c0bf'))[0], [':status', '307']);
});

test('every printable character survives its Huffman code', () => {
  const all = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join('');
  const block = Buffer.concat([hex('00'), huffman('x'), huffman(all)]);
  assert.deepEqual(new HpackDecoder().decode(block), [['x', all]]);
  assert.deepEqual(huffman('www.example.com'), hex('8cf1e3c2e5f23a6ba0ab90f4ff'));
});
