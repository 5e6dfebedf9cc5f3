/**
 * Random walks through HTTP/2: a client that opens, writes, resets, stops reading and leaves at any moment,
 * and an upstream that answers, stalls, resets and leaves at any moment. Almost every frame is valid by
 * itself; it is their order that nobody thought of. The seed says all of it.
 */
import {
  data,
  FLAG,
  frame,
  goaway,
  headers,
  ping,
  priority,
  rst,
  SETTING,
  settings,
  windowUpdate,
} from './frames.ts';
import { block, type Line } from './hpack.ts';
import { connectPeer, type Door, type RawPeer } from './peer.ts';
import { type Dice, diceOf } from './random.ts';
import type { Asked, Script } from './raw-server.ts';

const STEPS = 40;
const WINDOWS = [0, 1, 100, 65_535, 1_000_000, 2 ** 31 - 1];
const CODES = [0, 1, 2, 5, 7, 8, 11, 255];
const BODY = '{"model":"claude-haiku-5-5","stream":true,"messages":[]}';

interface Walk {
  readonly peer: RawPeer;
  readonly dice: Dice;
  readonly authority: string;
  readonly scheme: string;
  /** Streams whose sending side is open. */
  readonly open: number[];
  /** All that were opened. */
  readonly known: number[];
  next: number;
}

type Step = (walk: Walk) => Promise<void> | void;

/** What a client may do, the usual more often than the rest. */
const STEPS_OF_CLIENT: readonly Step[] = [
  begin,
  begin,
  begin,
  write,
  write,
  write,
  finish,
  finish,
  reset,
  open,
  open,
  wait,
  wait,
  wait,
  trail,
  resize,
  noise,
  stop,
  leave,
];

/** Walks once; whatever the proxy answers is right, as long as it lives and forgets nothing. */
export async function walk(seed: number, door: Door): Promise<void> {
  const dice = diceOf(seed);
  const peer = await connectPeer(door);
  const one: Walk = {
    peer,
    dice,
    authority: door.tls?.servername ?? `${door.host}:${door.port}`,
    scheme: door.tls === undefined ? 'http' : 'https',
    open: [],
    known: [],
    next: 1,
  };
  await peer.handshake([SETTING.INITIAL_WINDOW_SIZE, dice.one(WINDOWS)]);
  begin(one);
  for (let i = 0; i < STEPS && !peer.isClosed; i += 1) await dice.one(STEPS_OF_CLIENT)(one);
  peer.resume();
  peer.destroy();
}

function begin(walk: Walk): void {
  const { dice, authority, scheme } = walk;
  const stream = walk.next;
  walk.next += 2;
  const method = dice.one(['GET', 'POST', 'POST', 'HEAD', 'OPTIONS']);
  const path = dice.one(['/v1/messages', '/v1/messages/count_tokens', '/v1/models']);
  const lines: Line[] = [
    [':method', method],
    [':scheme', scheme],
    [':path', path],
    [':authority', authority],
  ];
  if (dice.onceIn(4)) lines.push(['content-length', String(dice.one([0, 4, BODY.length, 70_000]))]);
  if (dice.onceIn(4)) lines.push(['expect', '100-continue']);
  if (dice.onceIn(4)) lines.push(['te', 'trailers'], ['trailer', 'x-end']);
  if (dice.onceIn(8)) lines.push(['max-forwards', '0']);
  const isEnd = method !== 'POST' || dice.onceIn(4);
  walk.known.push(stream);
  if (!isEnd) walk.open.push(stream);
  walk.peer.send(headers(stream, block(lines), FLAG.END_HEADERS | (isEnd ? FLAG.END_STREAM : 0)));
}

function write(walk: Walk): void {
  const { dice, open, peer } = walk;
  if (open.length === 0) return;
  const payload = dice.one([BODY, '', 'x', 'test', 'x'.repeat(16_000)]);
  peer.send(data(dice.one(open), payload, 0));
}

function finish(walk: Walk): void {
  const stream = takeOpen(walk);
  if (stream !== null) walk.peer.send(data(stream, walk.dice.one([BODY, '']), FLAG.END_STREAM));
}

function trail(walk: Walk): void {
  const stream = takeOpen(walk);
  if (stream !== null) walk.peer.send(headers(stream, block([['x-end', 'yes']])));
}

function reset(walk: Walk): void {
  const { dice, known, peer, open } = walk;
  if (known.length === 0) return;
  const stream = dice.one(known);
  if (open.includes(stream)) open.splice(open.indexOf(stream), 1);
  peer.send(rst(stream, dice.one(CODES)));
}

function open({ dice, known, peer }: Walk): void {
  const stream = dice.onceIn(2) || known.length === 0 ? 0 : dice.one(known);
  peer.send(windowUpdate(stream, dice.one([1, 100, 100_000])));
}

function resize({ dice, peer }: Walk): void {
  peer.send(settings([SETTING.INITIAL_WINDOW_SIZE, dice.one(WINDOWS)]));
}

function noise({ dice, peer, known }: Walk): void {
  const stream = known[0] ?? 1;
  peer.send(dice.one([ping('walk'), priority(stream, 0), frame(0xfa, 0, stream, Buffer.alloc(9))]));
}

async function stop(walk: Walk): Promise<void> {
  walk.peer.pause();
  await wait(walk);
  walk.peer.resume();
}

function leave({ dice, peer }: Walk): void {
  const chance = dice.below(8);
  if (chance === 0) peer.destroy();
  else if (chance === 1) peer.send(goaway(0, dice.one(CODES)));
}

async function wait({ dice }: Walk): Promise<void> {
  const ms = dice.one([0, 0, 1, 3, 10]);
  await new Promise<void>((resolve) => {
    if (ms === 0) setImmediate(resolve);
    else setTimeout(resolve, ms);
  });
}

function takeOpen({ dice, open }: Walk): number | null {
  if (open.length === 0) return null;
  return open.splice(dice.below(open.length), 1)[0] ?? null;
}

type Act = (asked: Asked, dice: Dice) => void;

const HEADS: readonly (readonly Line[])[] = [
  [[':status', '200']],
  [
    [':status', '200'],
    ['content-length', '5'],
  ],
  [
    [':status', '200'],
    ['content-type', 'text/event-stream'],
    ['trailer', 'x-end'],
  ],
  [[':status', '204']],
  [[':status', '304']],
  [
    [':status', '401'],
    ['content-type', 'application/json'],
  ],
  [
    [':status', '429'],
    ['retry-after', '0'],
  ],
  [[':status', '529']],
  [[':status', '700']],
];

/** What an upstream may do after a head, and in place of one. */
const STEPS_OF_UPSTREAM: readonly Act[] = [
  (a) => a.send(a.body('hello')),
  (a) => a.send(a.body('x'.repeat(16_000))),
  (a) => a.send(a.body('', true)),
  (a) => a.send(a.body('hello', true)),
  (a) => a.send(a.head([['x-end', 'yes']], true)),
  (a, dice) => a.send(rst(a.stream, dice.one(CODES))),
  (a, dice) => a.send(rst(a.stream, dice.one(CODES))),
  (a, dice) => a.send(goaway(dice.one([0, a.stream, 2 ** 31 - 1]), dice.one([0, 0, 2]))),
  (a) => a.finish(),
  (a) => a.destroy(),
  (a, dice) => a.send(settings([SETTING.INITIAL_WINDOW_SIZE, dice.one([0, 1, 65_535])])),
  (a) => a.send(windowUpdate(a.stream, 1000)),
];

/** An upstream that answers by chance, over HTTP/2. */
export function wanderingUpstream(seed: number): Script {
  const dice = diceOf(seed);
  return (asked) => {
    const acts: Act[] = [];
    if (dice.onceIn(6)) acts.push((a) => a.send(a.head([[':status', '103']])));
    if (!dice.onceIn(10)) acts.push((a) => a.send(a.head(dice.one(HEADS), dice.onceIn(8))));
    const count = dice.below(5);
    for (let i = 0; i < count; i += 1) acts.push(dice.one(STEPS_OF_UPSTREAM));
    if (!dice.onceIn(4)) acts.push((a) => a.send(a.body('', true)));
    const next = (): void => {
      const act = acts.shift();
      if (act === undefined || asked.isClosed()) return;
      act(asked, dice);
      if (dice.onceIn(2)) setTimeout(next, dice.below(4));
      else next();
    };
    next();
  };
}
