/**
 * Hostile input over HTTP/1.1 and TLS as a load: the catalogue in random order, slow and half-open
 * clients, broken handshakes, idle connections. Drawn from a seed, bounded in time and number.
 */
import { once } from 'node:events';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { digest, type Random, randomOf } from '../../src/twin/seed.ts';
import { type RawConnection, rawConnect } from '../support/raw-client.ts';
import { connectTo } from '../support/raw-exchange.ts';
import { converse } from './converse.ts';
import type {
  HostileCounts,
  HostileLoad,
  HostileLoadOptions,
  HostileTarget,
} from './load-types.ts';
import { REQUEST_CASES } from './requests.ts';
import type { HostileRequest } from './types.ts';

const HOST = 'api.anthropic.com';
/** Longest wait for one answer: far beyond any that a loaded machine needs. */
const ANSWER_MS_MAX = 60_000;
/** An upstream under faults may never answer. */
const UPSTREAM_MS_MAX = 3_000;
const DRIP_MS = 20;
const DRIPS_MAX = 50;
const IDLE_MS_MAX = 2_000;
const SURPRISES_MAX = 10;

/** What the load is about to do. */
interface Attack {
  readonly target: HostileTarget;
  readonly random: Random;
  readonly stop: AbortSignal;
}

/** Does one thing; gives its kind, and what was wrong about what came of it. */
type Weapon = (attack: Attack) => Promise<{ kind: string; surprise?: string }>;

/** The load of HTTP/1.1, CONNECT and TLS. */
export const HTTP1_LOAD: HostileLoad = {
  name: 'HTTP/1.1, CONNECT, TLS',
  async run(target, options) {
    const kinds: Record<string, number> = {};
    const surprises: string[] = [];
    let inputs = 0;
    const attacker = async (index: number): Promise<void> => {
      const random = randomOf(digest('hostile', options.seed, index));
      while (!options.stop.aborted) {
        const weapon = WEAPONS[random.below(WEAPONS.length)] ?? playCase;
        const { kind, surprise } = await weapon({ target, random, stop: options.stop });
        inputs += 1;
        kinds[kind] = (kinds[kind] ?? 0) + 1;
        if (surprise !== undefined && surprises.length < SURPRISES_MAX) surprises.push(surprise);
        await rest(options.pauseMs, options.stop);
      }
    };
    await Promise.all(Array.from({ length: options.concurrency }, (_, index) => attacker(index)));
    return { inputs, kinds, surprises } satisfies HostileCounts;
  },
};

export type { HostileCounts, HostileLoad, HostileLoadOptions, HostileTarget };

/** One of the catalogue. What must be refused is looked at; what may pass meets the upstream's faults. */
const playCase: Weapon = async ({ target, random }) => {
  const hostile = REQUEST_CASES[random.below(REQUEST_CASES.length)] as HostileRequest;
  const inTls = hostile.plainOnly !== true && random.below(2) === 0;
  const connection = await open(target, inTls);
  if (connection === null) return { kind: 'case', surprise: `${hostile.name}: no connection` };
  const to = { host: inTls ? HOST : `127.0.0.1:${target.port}`, port: target.port };
  const { answered, reaches } = hostile;
  const isOurs = reaches.kind === 'nothing' && answered.code !== undefined;
  const seen = await converse(connection, hostile.bytes(to), hostile.fin === true, {
    answers: answered.statuses.length,
    end: answered.closes,
    ms: isOurs ? ANSWER_MS_MAX : UPSTREAM_MS_MAX,
  });
  connection.destroy();
  const isRight = !isOurs || seen.statuses.join() === answered.statuses.join();
  const surprise = `${hostile.name}: ${seen.statuses.join() || 'nothing'}`;
  return { kind: 'case', ...(isRight ? {} : { surprise }) };
};

/** Byte by byte, and not to the end. */
const drip: Weapon = async ({ target, random, stop }) => {
  const connection = await open(target, random.below(2) === 0);
  if (connection === null) return { kind: 'slow' };
  const text = `POST /v1/messages HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 99\r\n\r\n{"model":"`;
  const count = random.below(DRIPS_MAX);
  for (let at = 0; at < count && !stop.aborted; at += 1) {
    await connection.send(text[at] ?? 'x').catch(() => {});
    await rest(DRIP_MS, stop);
  }
  leave(connection.tcp, random);
  return { kind: 'slow' };
};

/** A request whose answer nobody waits for, or reads. */
const abandon: Weapon = async ({ target, random, stop }) => {
  const inTls = random.below(2) === 0;
  const connection = await open(target, inTls);
  if (connection === null) return { kind: 'abandoned' };
  const host = inTls ? HOST : `127.0.0.1:${target.port}`;
  const body = JSON.stringify({ model: 'claude-sonnet-5-5', max_tokens: 99, stream: true });
  const head = `POST /v1/messages HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${body.length}\r\n\r\n`;
  connection.tcp.pause();
  connection.send(`${head}${body}`.repeat(1 + random.below(20))).catch(() => {});
  await rest(random.below(300), stop);
  leave(connection.tcp, random);
  return { kind: 'abandoned' };
};

/** Half of something, then FIN, RST, or nothing for a while. */
const HALVES: readonly string[] = [
  '',
  'GET /v1/or',
  'PRI * HTTP/2.0\r\n\r\nSM',
  'CONNECT api.anthropic.com:443 HT',
  `CONNECT ${HOST}:443 HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`,
  `CONNECT ${HOST}:443 HTTP/1.1\r\nHost: ${HOST}\r\n\r\n\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03`,
  `CONNECT ${HOST}:443 HTTP/1.1\r\nHost: ${HOST}\r\n\r\n\x15\x03\x03\x00\x02\x02\x28`,
  `CONNECT ${HOST}:443 HTTP/1.1\r\nHost: ${HOST}\r\n\r\nGET / HTTP/1.1\r\n\r\n`,
  '\x16\x03\x01\x00\x05hello',
  'POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc',
];

const stopHalfway: Weapon = async ({ target, random, stop }) => {
  const socket = net.connect({ host: '127.0.0.1', port: target.port });
  socket.on('error', () => {});
  const text = HALVES[random.below(HALVES.length)] ?? '';
  socket.write(Buffer.from(text, 'latin1'));
  socket.resume();
  const isIdle = random.below(3) === 0;
  await rest(isIdle ? random.below(IDLE_MS_MAX) : random.below(50), stop);
  leave(socket, random);
  if (!socket.destroyed) await Promise.race([once(socket, 'close'), rest(IDLE_MS_MAX, stop)]);
  socket.destroy();
  return { kind: isIdle ? 'idle' : 'half-open' };
};

const WEAPONS: readonly Weapon[] = [playCase, playCase, playCase, drip, abandon, stopHalfway];

async function open(target: HostileTarget, inTls: boolean): Promise<RawConnection | null> {
  const entrance = { port: target.port, url: `http://127.0.0.1:${target.port}` };
  try {
    if (inTls) return await connectTo(entrance, target.ca, 'connect');
    return await rawConnect({ to: { host: '127.0.0.1', port: target.port } });
  } catch {
    return null;
  }
}

function leave(socket: net.Socket, random: Random): void {
  const ways: readonly ((socket: net.Socket) => Duplex)[] = [
    (given) => given.end(),
    (given) => given.destroy(),
    (given) => given.resetAndDestroy(),
  ];
  ways[random.below(ways.length)]?.(socket);
  socket.resume();
}

/** Cut short by the end of the load. */
async function rest(ms: number, stop: AbortSignal): Promise<void> {
  if (ms > 0) await wait(ms, undefined, { signal: stop }).catch(() => {});
}
