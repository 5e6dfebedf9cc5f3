/** What any HTTP/2 server takes (h2spec's generic part): frames of every type, messages, every HPACK form. */
import { type Case, streamError } from './case.ts';
import {
  continuation,
  data,
  FLAG,
  frame,
  goaway,
  headers,
  openHeaders,
  ping,
  priority,
  priorityFields,
  rst,
  settings,
  TYPE,
  windowUpdate,
} from './frames.ts';
import {
  block,
  huffman,
  indexed,
  integer,
  kept,
  literal,
  namedBy,
  tableSize,
  text,
} from './hpack.ts';

const ANSWER = ['200'];
/** User-Agent in the static table. */
const USER_AGENT = 58;

export const GENERIC: readonly Case[] = [
  {
    id: 'g1-preface',
    rule: '9113 3.4',
    what: 'the preface, then SETTINGS',
    send: () => [],
    watch: 'alive',
    allows: ['alive'],
  },
  ...[
    ['g2-priority-idle', 'PRIORITY on an idle stream', [priority(1, 0)]],
    ['g3-priority-1', 'PRIORITY of the lowest weight', [priority(1, 0, 0)]],
    ['g3-priority-256', 'PRIORITY of the highest weight', [priority(1, 0, 255)]],
    ['g3-priority-tree', 'PRIORITY that depends on another', [priority(3, 0), priority(5, 3)]],
    ['g3-priority-exclusive', 'an exclusive PRIORITY', [priority(1, 0x80000000)]],
    ['g3-settings', 'SETTINGS of known parameters', [settings([3, 100], [4, 65535], [6, 8192])]],
    ['g3-window-0', 'WINDOW_UPDATE of the connection', [windowUpdate(0, 1)]],
    ['g3-goaway', 'GOAWAY of a client that goes on', [goaway(0, 0)]],
  ].map(
    ([id, what, frames]): Case => ({
      id: id as string,
      rule: '9113 6',
      what: what as string,
      send: () => frames as Buffer[],
      watch: 'alive',
      // An endpoint may close once both sides have nothing open (section 6.8).
      allows: id === 'g3-goaway' ? ['GOAWAY NO_ERROR', 'closed', 'alive'] : ['alive'],
    }),
  ),
  {
    id: 'g2-window-half-closed',
    rule: '9113 5.1',
    what: 'WINDOW_UPDATE on a stream that is half-closed (remote)',
    send: (k) => [headers(1, k.get()), windowUpdate(1, 100)],
    watch: 1,
    allows: ANSWER,
  },
  {
    id: 'g2-priority-half-closed',
    rule: '9113 5.1',
    what: 'PRIORITY on a stream that is half-closed (remote)',
    send: (k) => [headers(1, k.get()), priority(1, 0)],
    watch: 1,
    allows: ANSWER,
  },
  {
    id: 'g2-rst-half-closed',
    rule: '9113 5.1',
    what: 'RST_STREAM on a stream that is half-closed (remote)',
    send: (k) => [headers(1, k.get()), rst(1, 8)],
    watch: 'alive',
    allows: ['alive'],
    reaches: 1,
  },
  {
    id: 'g2-priority-closed',
    rule: '9113 5.1',
    what: 'PRIORITY on a closed stream',
    first: (k) => [headers(1, k.get())],
    send: () => [priority(1, 0)],
    watch: 'alive',
    allows: ['alive'],
    reaches: 1,
  },
  {
    id: 'g3-data',
    rule: '9113 6.1',
    what: 'a body in one DATA frame',
    send: (k) => [openHeaders(1, k.post()), data(1, 'test')],
    watch: 1,
    allows: ANSWER,
  },
  {
    id: 'g3-data-many',
    rule: '9113 6.1',
    what: 'a body in several DATA frames',
    send: (k) => [openHeaders(1, k.post()), data(1, 'te', 0), data(1, 'st')],
    watch: 1,
    allows: ANSWER,
  },
  {
    id: 'g3-data-padded',
    rule: '9113 6.1',
    what: 'a body with padding',
    send: (k) => [
      openHeaders(1, k.post(['content-length', '4'])),
      frame(TYPE.DATA, FLAG.END_STREAM | FLAG.PADDED, 1, Buffer.from('\x06test\0\0\0\0\0\0')),
    ],
    watch: 1,
    allows: ANSWER,
  },
  {
    id: 'g3-headers-padded',
    rule: '9113 6.2',
    what: 'HEADERS with padding',
    send: (k) => [
      headers(
        1,
        Buffer.concat([Buffer.from([6]), k.get(), Buffer.alloc(6)]),
        FLAG.END_STREAM | FLAG.END_HEADERS | FLAG.PADDED,
      ),
    ],
    watch: 1,
    allows: ANSWER,
  },
  {
    id: 'g3-headers-priority',
    rule: '9113 6.2',
    what: 'HEADERS with priority',
    send: (k) => [
      headers(
        1,
        Buffer.concat([priorityFields(0), k.get()]),
        FLAG.END_STREAM | FLAG.END_HEADERS | FLAG.PRIORITY,
      ),
    ],
    watch: 1,
    allows: ANSWER,
  },
  {
    id: 'g3-priority-then-lower',
    rule: '9113 5.1.1',
    what: 'PRIORITY on an idle stream, then HEADERS on a lower one',
    send: (k) => [priority(5, 0), headers(1, k.get())],
    watch: 1,
    allows: ANSWER,
  },
  {
    id: 'g3-rst',
    rule: '9113 6.4',
    what: 'RST_STREAM on an open stream',
    send: (k) => [openHeaders(1, k.post()), rst(1, 8)],
    watch: 'alive',
    allows: ['alive'],
    reaches: 1,
  },
  {
    id: 'g3-ping',
    rule: '9113 6.7',
    what: 'PING is answered with the same octets',
    send: () => [ping('h2 kit')],
    watch: async (peer) => {
      const isEcho = (): boolean =>
        peer.frames.some(({ type, flags, payload }) => {
          return type === TYPE.PING && flags === FLAG.ACK && payload.toString() === 'h2 kit..';
        });
      return (await peer.until(isEcho)) ? 'alive' : 'silence';
    },
    allows: ['alive'],
  },
  {
    id: 'g3-window-stream',
    rule: '9113 6.9',
    what: 'WINDOW_UPDATE of a stream',
    send: (k) => [openHeaders(1, k.post()), windowUpdate(1, 1), data(1, 'x')],
    watch: 1,
    allows: ANSWER,
  },
  {
    id: 'g3-continuation',
    rule: '9113 6.10',
    what: 'a header block in HEADERS and one CONTINUATION',
    send: (k) => split(k.get(), [5]),
    watch: 1,
    allows: ANSWER,
  },
  {
    id: 'g3-continuations',
    rule: '9113 6.10',
    what: 'a header block in HEADERS and several CONTINUATION',
    send: (k) => split(k.get(), [3, 7, 8, 20]),
    watch: 1,
    allows: ANSWER,
  },
  {
    id: 'g4-head',
    rule: '9110 9.3.2',
    what: 'HEAD has an answer without content',
    send: (k) => [headers(1, block(k.lines('HEAD')))],
    watch: async (peer) => {
      const status = await peer.outcome(1);
      await peer.until(() => peer.isEnded(1));
      return (peer.received.get(1) ?? 0) === 0 ? status : 'DATA';
    },
    allows: ANSWER,
    reaches: 1,
  },
  {
    id: 'g4-trailers',
    rule: '9113 8.1',
    what: 'POST with a trailer section',
    send: (k) => [
      openHeaders(1, k.post(['trailer', 'x-test'])),
      data(1, 'test', 0),
      headers(1, block([['x-test', 'ok']])),
    ],
    watch: 1,
    allows: ANSWER,
  },
  ...hpackForms(),
  {
    id: 'g5-size-update',
    rule: '7541 6.3',
    what: 'a dynamic table size update at the start of a block',
    send: (k) => [headers(1, Buffer.concat([tableSize(128), k.get()]))],
    watch: 1,
    allows: ANSWER,
  },
  {
    id: 'g5-size-updates',
    rule: '7541 4.2',
    what: 'two dynamic table size updates at the start of a block',
    send: (k) => [headers(1, Buffer.concat([tableSize(128), tableSize(4096), k.get()]))],
    watch: 1,
    allows: ANSWER,
  },
  {
    id: 'g6-trailers-open',
    rule: '9113 8.1',
    what: 'a second HEADERS that does not end the stream',
    send: (k) => [
      openHeaders(1, k.post()),
      data(1, 'test', 0),
      openHeaders(1, block([['x-test', 'ok']])),
    ],
    watch: 1,
    allows: [...streamError('PROTOCOL_ERROR'), '400'],
  },
];

/** A block cut at these places: HEADERS, then CONTINUATION; the last one ends it. */
export function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts, bytes.length];
  return places.slice(0, -1).map((from, index) => {
    const part = bytes.subarray(from, places[index + 1]);
    const isLast = index === cuts.length;
    const flags = isLast ? FLAG.END_HEADERS : 0;
    return index === 0 ? headers(1, part, flags | FLAG.END_STREAM) : continuation(1, part, flags);
  });
}

/** Section 6.1 and 6.2: every way to say a field. */
function hpackForms(): Case[] {
  const value = text('kit');
  const coded = huffman('kit');
  const name = text('x-kit');
  const codedName = huffman('x-kit');
  const forms: [id: string, what: string, bytes: Buffer][] = [
    ['indexed', 'an indexed field', indexed(16)],
    ['kept', 'a literal with indexing, its name new', kept('x-kit', 'kit')],
    [
      'kept-named',
      'a literal with indexing, its name indexed',
      join(integer(USER_AGENT, 6, 0x40), value),
    ],
    ['kept-huffman', 'the same with Huffman code', join(integer(0, 6, 0x40), codedName, coded)],
    [
      'kept-named-huffman',
      'a name indexed, the value in Huffman code',
      join(integer(USER_AGENT, 6, 0x40), coded),
    ],
    ['plain', 'a literal without indexing, its name new', join(integer(0, 4), name, value)],
    ['plain-named', 'a literal without indexing, its name indexed', namedBy(USER_AGENT, 'kit')],
    ['plain-huffman', 'the same with Huffman code', join(integer(0, 4), codedName, coded)],
    [
      'plain-named-huffman',
      'its name indexed, the value in Huffman code',
      join(integer(USER_AGENT, 4), coded),
    ],
    ['never', 'a literal never indexed, its name new', literal('x-kit', 'kit')],
    [
      'never-named',
      'a literal never indexed, its name indexed',
      join(integer(USER_AGENT, 4, 0x10), value),
    ],
    ['never-huffman', 'the same with Huffman code', join(integer(0, 4, 0x10), codedName, coded)],
    [
      'never-named-huffman',
      'never indexed, its name indexed, the value in Huffman code',
      join(integer(USER_AGENT, 4, 0x10), coded),
    ],
  ];
  return forms.map(([id, what, bytes]) => ({
    id: `g5-${id}`,
    rule: '7541 6',
    what,
    send: (k) => [headers(1, join(k.get(), bytes))],
    watch: 1,
    allows: ANSWER,
  }));
}

function join(...parts: readonly Buffer[]): Buffer {
  return Buffer.concat(parts);
}
