/**
 * One proxy of `verify isolation` and all that is around it: the twin, an upstream of a third lane and a
 * host of nobody's lane that keep every byte, the folders it can write to, and the exchanges made.
 */
import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { callControl, readStatus } from '../../../admin/client.ts';
import { mintServer } from '../../../pki/authority.ts';
import { startTwin, type Twin } from '../../../twin/index.ts';
import { AUTHS, type Auth, type Canaries } from './canaries.ts';
import { type ClientOptions, type Clients, createClients } from './clients.ts';
import { type Exchange, type Made, sentOf, type Told, WAYS, type Way } from './exchange.ts';
import { makeScene, type ProxyProcess, runProgram, type Scene, startProxy } from './process.ts';
import { type RecordedRequest, type Recorder, type Reply, startRecorder } from './recorder.ts';
import { BREAK_OFF, FAULT_PLAN, type Shape, TELL_KEY } from './shapes.ts';

export type HeaderMode = 'x-api-key' | 'authorization';

export interface StageOptions {
  readonly name: string;
  /** A folder of its own is made in it. */
  readonly root: string;
  readonly canaries: Canaries;
  /** How the key of zai is presented at first; the twin takes the other way only, where it says so. */
  readonly header: HeaderMode;
  readonly zaiTakes: HeaderMode | 'both';
  readonly workers: number;
  /** Credentials stand in `.env`, not in the environment. */
  readonly dotEnv: boolean;
  readonly env: Readonly<Record<string, string>>;
  /** Of the lane zai; for a test that must find what this lets through. */
  readonly zaiBody?: { readonly user_id: 'keep' };
}

/** Gives the next number of an exchange; no two are the same in a run. */
export type Numbers = () => number;

/** Requests that the twin keeps: all of them. */
const KEPT_REQUESTS = 1_000_000;
const AT_ONCE = 16;
const MESSAGE =
  '{"id":"msg_1","type":"message","role":"assistant","model":"MODEL","content":[{"type":"text","text":"ok"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}';

export interface Stage {
  readonly options: StageOptions;
  readonly scene: Scene;
  readonly twin: Twin;
  readonly third: Recorder;
  readonly elsewhere: Recorder;
  /** In place of the twin, from `useRecorder` on. */
  readonly plain: Recorder;
  readonly proxy: ProxyProcess;
  readonly access: ClientOptions;
  readonly made: Made[];
  readonly told: Told[];
  /** The environment of the proxy's commands. */
  readonly env: Readonly<Record<string, string>>;
}

/** Starts one, gives it to `work`, and ends all of it. */
export async function withStage<T>(
  options: StageOptions,
  work: (stage: Stage) => Promise<T>,
): Promise<T> {
  const ends: (() => Promise<unknown>)[] = [];
  try {
    return await work(await start(options, ends));
  } finally {
    for (const end of ends.toReversed()) await end();
  }
}

async function start(options: StageOptions, ends: (() => Promise<unknown>)[]): Promise<Stage> {
  const { canaries, root, name, workers } = options;
  const scene = makeScene(root, name);
  const closing = <T extends { close(): Promise<unknown> }>(part: T): T => {
    ends.push(() => part.close());
    return part;
  };
  const keys = await mintServer({ names: ['localhost'], ips: ['127.0.0.1'], now: new Date() });
  const twin = closing(
    await startTwin({
      zaiKey: canaries.zaiKey,
      zaiCountTokens: false,
      zaiAccepts: options.zaiTakes,
      keep: KEPT_REQUESTS,
      faults: FAULT_PLAN,
    }),
  );
  const third = closing(await startRecorder(keys, replyOfThird));
  const plain = closing(await startRecorder(keys, replyPlainly));
  const elsewhere = closing(
    await startRecorder(null, () => ({ bytes: answerOf('hello', ''), end: true })),
  );
  writeFileSync(join(scene.work, 'twin-ca.pem'), twin.anthropic.ca);
  writeFileSync(join(scene.work, 'third-ca.pem'), keys.caCertPem);
  const env = {
    FORCE_HAIKU_TO_ZAI: '1',
    MITM_ENABLE_BACKOFF: '1',
    ZAI_MODEL: '',
    ...options.env,
    ...(options.dotEnv ? {} : credentials(canaries, 'thirdKey')),
  };
  const begun = { options, scene, twin, third, plain, elsewhere, env };
  configure(begun, twin.anthropic);
  if (options.dotEnv) writeDotEnv(begun, 'thirdKey');
  const proxy = await startProxy(workers, scene, env);
  ends.push(() => proxy.stop());
  const ca = await readFile(join(scene.home, 'ca', 'ca-cert.pem'), 'utf8');
  const access = { proxy: proxy.url, token: canaries.proxyToken, ca };
  return { ...begun, proxy, access, made: [], told: [] };
}

type Begun = Omit<Stage, 'proxy' | 'access' | 'made' | 'told'>;

/** Leads the default lane to that upstream, by the configuration file. */
function configure(
  { options, scene, twin, third }: Begun,
  { port, ca }: { readonly port: number; readonly ca: string | null },
): void {
  const keyed = (variable: string, header: HeaderMode) => ({ env: variable, header });
  const lanes = {
    anthropic: {
      upstream: `https://127.0.0.1:${port}`,
      credentials: 'passthrough',
      ca: ca === null ? 'third-ca.pem' : 'twin-ca.pem',
    },
    zai: {
      upstream: twin.zai.origin + twin.zai.basePath,
      credentials: keyed('ZAI_API_KEY', options.header),
      ca: 'twin-ca.pem',
      ...(options.zaiBody === undefined ? {} : { body: options.zaiBody }),
    },
    third: {
      upstream: `https://127.0.0.1:${third.port}/v0`,
      credentials: keyed('THIRD_KEY', 'authorization'),
      ca: 'third-ca.pem',
    },
  };
  const routes = [{ name: 'opus', when: { model: '*opus*' }, lane: 'third' }];
  // YAML is a superset of JSON.
  writeFileSync(join(scene.work, 'lanekeeper.yaml'), JSON.stringify({ lanes, routes }));
}

function credentials(
  canaries: Canaries,
  third: 'thirdKey' | 'thirdKeyNew',
): Record<string, string> {
  return {
    ZAI_API_KEY: canaries.zaiKey,
    THIRD_KEY: canaries[third],
    LANEKEEPER_TOKEN: canaries.proxyToken,
  };
}

function writeDotEnv({ scene, options }: Begun, third: 'thirdKey' | 'thirdKeyNew'): void {
  const lines = Object.entries(credentials(options.canaries, third));
  const text = lines.map(([name, value]) => `${name}='${value}'\n`).join('');
  writeFileSync(join(scene.work, '.env'), text, { mode: 0o600 });
}

/** The key of the third lane is another one from the next reload on. */
export function changeKey(stage: Stage): void {
  writeDotEnv(stage, 'thirdKeyNew');
}

/** The default lane leads to the recorder from the next reload on. */
export function useRecorder(stage: Stage): void {
  configure(stage, { port: stage.plain.port, ca: null });
}

/** Says something to the proxy; what it answers is kept. */
export async function control(
  { scene, told }: Stage,
  method: 'GET' | 'POST',
  path: string,
  body?: object,
): Promise<void> {
  const answer = await callControl(scene.home, method, path, body);
  const text = typeof answer === 'string' ? answer : JSON.stringify(answer);
  const place = path === '/metrics' ? 'metrics' : 'control socket';
  told.push({ place, at: path, bytes: Buffer.from(text) });
}

export async function workersOf({ scene }: Stage): Promise<readonly number[]> {
  return (await readStatus(scene.home)).workers.map(({ pid }) => pid);
}

/** Runs a command of the program over the home of the proxy; what it says is kept. */
export async function command(
  { scene, env, told }: Stage,
  args: readonly string[],
  place = 'output of commands',
): Promise<number | null> {
  const { stdout, stderr, code } = await runProgram(args, scene, env);
  told.push({ place, at: args.join(' '), bytes: Buffer.concat([stdout, stderr]) });
  return code;
}

interface Sending {
  readonly rounds?: number;
  readonly ways?: readonly Way[];
  readonly auths?: readonly Auth[];
}

/** Sends each shape by each way with each login, so many times, some at once and in changing order. */
export async function send(
  { access, made }: Stage,
  numbers: Numbers,
  shapes: readonly Shape[],
  { rounds = 1, ways = WAYS, auths = AUTHS }: Sending = {},
): Promise<void> {
  const clients = createClients(access);
  const all: (() => Promise<void>)[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const shape of shapes) {
      for (const way of ways) {
        for (const auth of auths) {
          const id = numbers();
          const exchange = { id, shape: shape.name, ...shape.make(auth, id) };
          all.push(async () => void made.push(await exchanged(clients, way, exchange)));
        }
      }
    }
  }
  try {
    await inTurn(all);
  } finally {
    clients.close();
  }
}

async function exchanged(clients: Clients, way: Way, exchange: Exchange): Promise<Made> {
  const { request, leaves: _, chunked: __, ...rest } = exchange;
  const answer = await clients.send(way, exchange);
  return { ...rest, way, sent: sentOf(request), answer };
}

/** So many at once. */
async function inTurn(all: readonly (() => Promise<void>)[]): Promise<void> {
  const queue = all.values();
  const workers = Array.from({ length: AT_ONCE }, async () => {
    for (const one of queue) await one();
  });
  await Promise.all(workers);
}

function replyPlainly({ head }: RecordedRequest): Reply {
  if (/^upgrade: *websocket/im.test(head)) {
    const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
    return { bytes: `${lines.join('\r\n')}\r\n\r\n` };
  }
  return { bytes: answerOf(MESSAGE, '') };
}

function replyOfThird({ head, body }: RecordedRequest): Reply {
  if (body.includes(TELL_KEY)) {
    const key = /^authorization: *(?:Bearer )?(.*)$/im.exec(head)?.[1]?.trim() ?? '';
    return { bytes: answerOf(MESSAGE.replace('MODEL', key), `request-id: ${key}\r\n`) };
  }
  const bytes = answerOf(MESSAGE, 'request-id: req_1\r\n');
  return body.includes(BREAK_OFF) ? { bytes: bytes.slice(0, -40), end: true } : { bytes };
}

function answerOf(body: string, fields: string): string {
  const lines = ['HTTP/1.1 200 OK', 'Content-Type: application/json'];
  return `${lines.join('\r\n')}\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`;
}
