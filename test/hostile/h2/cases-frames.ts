/** Section 6 and 7 of RFC 9113: every type of frame where it may not be, or is not as it must be. */
import { type Case, connectionError, streamError } from './case.ts';
import { split } from './cases-generic.ts';
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
  rst,
  SETTING,
  settings,
  TYPE,
  uint32,
  windowUpdate,
} from './frames.ts';
import type { RawPeer } from './peer.ts';

const WINDOW_MAX = 2 ** 31 - 1;

/** Frames whose place or size is wrong by themselves. */
const ALONE: readonly [id: string, what: string, frames: Buffer[], code: string][] = [
  ['6.1-stream-0', 'DATA on stream 0', [data(0, 'test')], 'PROTOCOL_ERROR'],
  ['6.4-stream-0', 'RST_STREAM on stream 0', [rst(0, 8)], 'PROTOCOL_ERROR'],
  ['6.4-idle', 'RST_STREAM on an idle stream', [rst(1, 8)], 'PROTOCOL_ERROR'],
  [
    '6.5-ack-payload',
    'SETTINGS with ACK and a payload',
    [frame(TYPE.SETTINGS, FLAG.ACK, 0, Buffer.alloc(6))],
    'FRAME_SIZE_ERROR',
  ],
  [
    '6.5-stream',
    'SETTINGS on a stream',
    [frame(TYPE.SETTINGS, 0, 1, Buffer.alloc(6))],
    'PROTOCOL_ERROR',
  ],
  [
    '6.5-length',
    'SETTINGS whose length is no multiple of 6',
    [frame(TYPE.SETTINGS, 0, 0, Buffer.alloc(3))],
    'FRAME_SIZE_ERROR',
  ],
  ['6.5.2-push', 'ENABLE_PUSH of 2', [settings([SETTING.ENABLE_PUSH, 2])], 'PROTOCOL_ERROR'],
  [
    '6.5.2-window',
    'INITIAL_WINDOW_SIZE above 2^31-1',
    [settings([SETTING.INITIAL_WINDOW_SIZE, 2 ** 31])],
    'FLOW_CONTROL_ERROR',
  ],
  [
    '6.5.2-frame-small',
    'MAX_FRAME_SIZE below 2^14',
    [settings([SETTING.MAX_FRAME_SIZE, 16_383])],
    'PROTOCOL_ERROR',
  ],
  [
    '6.5.2-frame-large',
    'MAX_FRAME_SIZE above 2^24-1',
    [settings([SETTING.MAX_FRAME_SIZE, 2 ** 24])],
    'PROTOCOL_ERROR',
  ],
  ['6.7-stream', 'PING on a stream', [frame(TYPE.PING, 0, 1, Buffer.alloc(8))], 'PROTOCOL_ERROR'],
  ['6.7-length', 'PING of 6 octets', [frame(TYPE.PING, 0, 0, Buffer.alloc(6))], 'FRAME_SIZE_ERROR'],
  [
    '6.8-stream',
    'GOAWAY on a stream',
    [frame(TYPE.GOAWAY, 0, 1, Buffer.alloc(8))],
    'PROTOCOL_ERROR',
  ],
  ['6.9-zero', 'WINDOW_UPDATE of 0 for the connection', [windowUpdate(0, 0)], 'PROTOCOL_ERROR'],
  [
    '6.9-length',
    'WINDOW_UPDATE of 3 octets',
    [frame(TYPE.WINDOW_UPDATE, 0, 0, Buffer.alloc(3))],
    'FRAME_SIZE_ERROR',
  ],
  [
    '6.9.1-connection',
    'a window of the connection beyond 2^31-1',
    [windowUpdate(0, WINDOW_MAX)],
    'FLOW_CONTROL_ERROR',
  ],
  [
    '6.10-stream-0',
    'CONTINUATION on stream 0',
    [continuation(0, Buffer.alloc(0))],
    'PROTOCOL_ERROR',
  ],
  [
    '8.2-push',
    'PUSH_PROMISE from a client',
    [frame(TYPE.PUSH_PROMISE, FLAG.END_HEADERS, 1, uint32(2))],
    'PROTOCOL_ERROR',
  ],
];

export const FRAMES: readonly Case[] = [
  ...ALONE.map(
    ([id, what, frames, code]): Case => ({
      id,
      rule: `9113 ${id === '8.2-push' ? '8.4' : id.slice(0, id.indexOf('-'))}`,
      what,
      send: () => frames,
      watch: 'alive',
      allows: connectionError(code),
    }),
  ),
  {
    id: '6.3-stream-0',
    rule: '9113 6.3',
    what: 'PRIORITY on stream 0',
    send: () => [priority(0, 0)],
    watch: 'alive',
    allows: connectionError('PROTOCOL_ERROR'),
    ours: 'alive',
    deviates: 'nghttp2 has no priorities any more and looks at the length of the frame alone',
  },
  {
    id: '6.1-closed',
    rule: '9113 6.1',
    what: 'DATA on a stream that is neither open nor half-closed (local)',
    first: (k) => [headers(1, k.get())],
    send: () => [data(1, 'test')],
    watch: 'alive',
    allows: ['alive', ...streamError('STREAM_CLOSED')],
    reaches: 1,
  },
  {
    id: '6.1-padding',
    rule: '9113 6.1',
    what: 'DATA with more padding than payload',
    send: (k) => [
      openHeaders(1, k.post(['content-length', '4'])),
      frame(TYPE.DATA, FLAG.END_STREAM | FLAG.PADDED, 1, Buffer.from('\x06test')),
    ],
    watch: 1,
    allows: connectionError('PROTOCOL_ERROR'),
    reaches: 1,
  },
  {
    id: '6.2-priority-within',
    rule: '9113 6.2',
    what: 'HEADERS without END_HEADERS, then PRIORITY',
    send: (k) => [headers(1, k.get(), FLAG.END_STREAM), priority(1, 0)],
    watch: 1,
    allows: connectionError('PROTOCOL_ERROR'),
  },
  {
    id: '6.2-other-stream',
    rule: '9113 6.2',
    what: 'HEADERS without END_HEADERS, then HEADERS of another stream',
    send: (k) => [headers(1, k.get(), FLAG.END_STREAM), headers(3, k.get())],
    watch: 1,
    allows: connectionError('PROTOCOL_ERROR'),
  },
  {
    id: '6.2-stream-0',
    rule: '9113 6.2',
    what: 'HEADERS on stream 0',
    send: (k) => [headers(0, k.get())],
    watch: 'alive',
    allows: connectionError('PROTOCOL_ERROR'),
  },
  {
    id: '6.2-padding',
    rule: '9113 6.2',
    what: 'HEADERS with more padding than payload',
    send: (k) => [
      headers(
        1,
        Buffer.concat([Buffer.from([255]), k.get().subarray(0, 20)]),
        FLAG.END_STREAM | FLAG.END_HEADERS | FLAG.PADDED,
      ),
    ],
    watch: 1,
    allows: connectionError('PROTOCOL_ERROR'),
  },
  {
    id: '6.3-length',
    rule: '9113 6.3',
    what: 'PRIORITY of 4 octets',
    send: () => [frame(TYPE.PRIORITY, 0, 1, Buffer.alloc(4))],
    watch: 'alive',
    allows: streamError('FRAME_SIZE_ERROR'),
    ours: 'GOAWAY FRAME_SIZE_ERROR',
  },
  {
    id: '6.4-length',
    rule: '9113 6.4',
    what: 'RST_STREAM of 3 octets',
    send: (k) => [openHeaders(1, k.post()), frame(TYPE.RST_STREAM, 0, 1, Buffer.alloc(3))],
    watch: 1,
    allows: connectionError('FRAME_SIZE_ERROR'),
    reaches: 1,
  },
  {
    id: '6.5.2-unknown',
    rule: '9113 6.5.2',
    what: 'SETTINGS with an unknown parameter',
    send: () => [settings([0xff, 1])],
    watch: 'alive',
    allows: ['alive'],
  },
  {
    id: '6.5.3-ack',
    rule: '9113 6.5.3',
    what: 'SETTINGS are acknowledged',
    send: () => [settings([SETTING.HEADER_TABLE_SIZE, 100])],
    watch: async (peer) => {
      const acks = (): number =>
        peer.frames.filter(({ type, flags }) => type === TYPE.SETTINGS && flags === FLAG.ACK)
          .length;
      return (await peer.until(() => acks() >= 2)) ? 'alive' : 'silence';
    },
    allows: ['alive'],
  },
  {
    id: '6.5.3-last-wins',
    rule: '9113 6.5.3',
    what: 'of two values of INITIAL_WINDOW_SIZE in one frame the last one holds',
    settings: [
      [SETTING.INITIAL_WINDOW_SIZE, 100],
      [SETTING.INITIAL_WINDOW_SIZE, 1],
    ],
    send: (k) => [headers(1, k.get())],
    watch: (peer) => afterFirstData(peer, 1),
    allows: ['1 octet'],
    reaches: 1,
  },
  {
    id: '6.7-ack',
    rule: '9113 6.7',
    what: 'PING with ACK is not answered',
    send: () => [ping('unasked', FLAG.ACK)],
    watch: async (peer) => {
      const life = await peer.outcome('alive');
      const isEcho = peer.frames.some(({ payload }) => payload.toString() === 'unasked.');
      return isEcho ? 'answered' : life;
    },
    allows: ['alive'],
    ours: 'GOAWAY INTERNAL_ERROR',
    deviates: 'node:http2 takes an ACK that nobody asked for as an error of the connection',
  },
  {
    id: '6.9-zero-stream',
    rule: '9113 6.9',
    what: 'WINDOW_UPDATE of 0 for a stream',
    send: (k) => [openHeaders(1, k.post()), windowUpdate(1, 0)],
    watch: 1,
    allows: streamError('PROTOCOL_ERROR'),
    ours: 'GOAWAY PROTOCOL_ERROR',
    reaches: 1,
  },
  {
    id: '6.9.1-one-octet',
    rule: '9113 6.9.1',
    what: 'a window of one octet lets one octet out',
    settings: [[SETTING.INITIAL_WINDOW_SIZE, 1]],
    send: (k) => [headers(1, k.get())],
    watch: (peer) => afterFirstData(peer, 1),
    allows: ['1 octet'],
    reaches: 1,
  },
  {
    id: '6.9.1-stream',
    rule: '9113 6.9.1',
    what: 'a window of a stream beyond 2^31-1',
    send: (k) => [
      openHeaders(1, k.post()),
      windowUpdate(1, WINDOW_MAX),
      windowUpdate(1, WINDOW_MAX),
    ],
    watch: 1,
    allows: streamError('FLOW_CONTROL_ERROR'),
    ours: 'GOAWAY FLOW_CONTROL_ERROR',
    reaches: 1,
  },
  {
    id: '6.9.2-opened-late',
    rule: '9113 6.9.2',
    what: 'a larger INITIAL_WINDOW_SIZE opens the window of an open stream',
    settings: [[SETTING.INITIAL_WINDOW_SIZE, 0]],
    send: (k) => [headers(1, k.get())],
    watch: async (peer) => {
      await peer.outcome(1);
      const before = await octets(peer, 1, 'alive');
      peer.send(settings([SETTING.INITIAL_WINDOW_SIZE, 1]));
      await peer.until(() => (peer.received.get(1) ?? 0) > 0);
      return before === 0 ? `${peer.received.get(1)} octet` : 'DATA before';
    },
    allows: ['1 octet'],
    reaches: 1,
  },
  {
    id: '6.9.2-negative',
    rule: '9113 6.9.2',
    what: 'a window made negative must become positive again before DATA',
    settings: [[SETTING.INITIAL_WINDOW_SIZE, 1]],
    send: (k) => [headers(1, k.get())],
    watch: async (peer) => {
      await peer.until(() => (peer.received.get(1) ?? 0) > 0);
      // The window is 0 now, then -1; two octets make it 1.
      peer.send(settings([SETTING.INITIAL_WINDOW_SIZE, 0]));
      const after = await octets(peer, 1, 'alive');
      peer.send(windowUpdate(1, 2));
      await peer.until(() => (peer.received.get(1) ?? 0) > 1);
      return after === 1 ? `${peer.received.get(1)} octets` : 'DATA before';
    },
    allows: ['2 octets'],
    reaches: 1,
  },
  {
    id: '6.10-other-within',
    rule: '9113 6.10',
    what: 'a header block with DATA in place of a CONTINUATION',
    send: (k) => [...split(k.get(), [5, 9]).slice(0, 2), data(1, 'test')],
    watch: 1,
    allows: connectionError('PROTOCOL_ERROR'),
  },
  {
    id: '6.10-after-end',
    rule: '9113 6.10',
    what: 'CONTINUATION after HEADERS with END_HEADERS',
    send: (k) => [openHeaders(1, k.post()), continuation(1, k.get())],
    watch: 1,
    allows: connectionError('PROTOCOL_ERROR'),
    reaches: 1,
  },
  {
    id: '6.10-after-continuation',
    rule: '9113 6.10',
    what: 'CONTINUATION after one with END_HEADERS',
    send: (k) => [...split(k.get(), [5]), continuation(1, k.get())],
    watch: 1,
    allows: connectionError('PROTOCOL_ERROR'),
    reaches: 1,
  },
  {
    id: '6.10-after-data',
    rule: '9113 6.10',
    what: 'CONTINUATION after DATA',
    send: (k) => [openHeaders(1, k.post()), data(1, 'test', 0), continuation(1, k.get())],
    watch: 1,
    allows: connectionError('PROTOCOL_ERROR'),
    reaches: 1,
  },
  {
    id: '7-goaway-code',
    rule: '9113 7',
    what: 'GOAWAY with an unknown error code',
    send: () => [goaway(0, 0xff)],
    watch: 'alive',
    allows: ['GOAWAY NO_ERROR', 'closed', 'alive'],
  },
  {
    id: '7-rst-code',
    rule: '9113 7',
    what: 'RST_STREAM with an unknown error code',
    send: (k) => [openHeaders(1, k.post()), rst(1, 0xff)],
    watch: 'alive',
    allows: ['alive'],
    reaches: 1,
  },
];

/** How much of an answer came at once, once some has. */
async function afterFirstData(peer: RawPeer, stream: number): Promise<string> {
  await peer.until(() => (peer.received.get(stream) ?? 0) > 0);
  const count = await octets(peer, stream, 'alive');
  return count === 1 ? '1 octet' : `${count} octets`;
}

/** Octets of a stream's body after the connection has answered a PING. */
async function octets(peer: RawPeer, stream: number, watched: 'alive'): Promise<number> {
  await peer.outcome(watched);
  return peer.received.get(stream) ?? 0;
}
