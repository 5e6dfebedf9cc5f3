/** RFC 7541: header blocks that can not be right; each ends the connection (RFC 9113 section 4.3). */
import { type Case, connectionError } from './case.ts';
import { headers, SETTING, settings } from './frames.ts';
import { huffmanBytes, indexed, integer, kept, literal, tableSize, text } from './hpack.ts';

const COMPRESSION = connectionError('COMPRESSION_ERROR');

/** A GET with these octets behind its fields, or before them. */
function bad(id: string, rule: string, what: string, bytes: Buffer, isBefore = false): Case {
  return {
    id,
    rule: `7541 ${rule}`,
    what,
    send: (k) => {
      const block = k.get();
      return [headers(1, Buffer.concat(isBefore ? [bytes, block] : [block, bytes]))];
    },
    watch: 1,
    allows: COMPRESSION,
  };
}

const NAME = Buffer.concat([integer(0, 4), text('x-test')]);

export const HPACK: readonly Case[] = [
  bad('h2.3.3-indexed', '2.3.3', 'an index beyond both tables', indexed(70)),
  bad(
    'h2.3.3-literal',
    '2.3.3',
    'a literal whose name is an index beyond both tables',
    Buffer.concat([integer(70, 6, 0x40), text('x')]),
  ),
  bad('h4.2-late', '4.2', 'a table size update at the end of a block', tableSize(1)),
  bad(
    'h5.2-padding-long',
    '5.2',
    'a Huffman string with more than 7 bits of padding',
    Buffer.concat([
      NAME,
      huffmanBytes(Buffer.from('1c6490b2cd39ba7ff', 'hex')),
      huffmanBytes(Buffer.from('ffff', 'hex')),
    ]),
  ),
  bad(
    'h5.2-padding-long-2',
    '5.2',
    'the same in a value',
    Buffer.concat([NAME, huffmanBytes(Buffer.from([0x1f, 0xff]))]),
  ),
  bad(
    'h5.2-padding-zero',
    '5.2',
    'a Huffman string padded with zeros',
    Buffer.concat([NAME, huffmanBytes(Buffer.from([0x18]))]),
  ),
  bad(
    'h5.2-eos',
    '5.2',
    'a Huffman string that holds EOS',
    Buffer.concat([NAME, huffmanBytes(Buffer.from('ffffffffff', 'hex'))]),
  ),
  bad('h6.1-zero', '6.1', 'the index 0', Buffer.from([0x80])),
  bad('h6.3-large', '6.3', 'a table size above SETTINGS_HEADER_TABLE_SIZE', tableSize(4097), true),
  bad('h5.1-integer', '5.1', 'an integer beyond 2^32', Buffer.from('ffffffffffffffffff7f', 'hex')),
  bad(
    'h5.1-integer-endless',
    '5.1',
    'an integer of a hundred zero octets',
    Buffer.concat([Buffer.from([0xff]), Buffer.alloc(100, 0x80), Buffer.from([0])]),
  ),
  bad(
    'h5.2-string-beyond',
    '5.2',
    'a string that is longer than its block',
    Buffer.concat([integer(0, 4), text('x-test'), integer(1000, 7)]),
  ),
  {
    id: 'h2.3.2-evicted',
    rule: '7541 4.3',
    what: 'an entry that a size update has evicted',
    send: (k) => [
      headers(1, Buffer.concat([k.get(), kept('x-test', 'ok')])),
      headers(3, Buffer.concat([tableSize(0), tableSize(4096), k.get(), indexed(62)])),
    ],
    watch: 3,
    allows: COMPRESSION,
    reaches: 1,
  },
  {
    id: 'h4.4-entry-too-large',
    rule: '7541 4.4',
    what: 'an entry larger than the table empties it, and is no error',
    send: (k) => [headers(1, Buffer.concat([k.get(), kept('x-test', 'x'.repeat(5000))]))],
    watch: 1,
    allows: ['200'],
  },
  {
    id: 'h4.2-acknowledged',
    rule: '7541 4.2',
    what: 'our own SETTINGS_HEADER_TABLE_SIZE of 0 is kept by the answer',
    send: (k) => [
      settings([SETTING.HEADER_TABLE_SIZE, 0]),
      headers(1, k.get()),
      headers(3, k.get()),
    ],
    watch: async (peer) => {
      // The decoder of the kit has the default size: an entry that was kept would be read all the same.
      await peer.outcome(1);
      const status = await peer.outcome(3);
      const isKept = peer.frames.some(
        ({ type, payload }) => type === 1 && (payload[0] ?? 0) >= 0x80 + 62,
      );
      return isKept ? 'an entry kept' : status;
    },
    allows: ['200'],
    reaches: 2,
  },
  {
    id: 'h7.1.3-never',
    rule: '7541 7.1.3',
    what: 'a literal never indexed is no entry',
    send: (k) => [
      headers(1, Buffer.concat([k.get(), literal('x-test', 'ok')])),
      headers(3, Buffer.concat([k.get(), indexed(62)])),
    ],
    watch: 3,
    allows: COMPRESSION,
    reaches: 1,
  },
];
