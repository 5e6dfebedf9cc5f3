/** Where `verify isolation` looks: at the upstreams, in every file, and in all that was told. */
import { lstat, readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { contentOf } from '../../../session/secrets/search.ts';
import { headerOf, type ReceivedRequest } from '../../../twin/index.ts';
import { type CanaryName, exchangeIn } from './canaries.ts';
import type { Made, Received, Told, Upstream } from './exchange.ts';
import type { Recorder } from './recorder.ts';
import { type Stage, workersOf } from './stage.ts';

/** Written by the harness itself, credentials and all. */
const INPUTS: ReadonlySet<string> = new Set([
  '.env',
  'lanekeeper.yaml',
  'twin-ca.pem',
  'third-ca.pem',
]);
/** What a process leaves that was made to show its memory or its environment. */
const DUMP = /^(?:core(?:\..*)?|.*\.heapsnapshot|.*\.heapprofile|report\..*\.json|.*keylog.*)$/;
const FILES: readonly (readonly [place: string, path: RegExp])[] = [
  ['body samples', /logs\/body-samples/],
  ['ledger', /logs\/usage/],
  ['anomalies', /logs\/anomalies/],
  ['other logs', /logs\//],
  ['bundle', /bundle\//],
  ['results and documents', /results\/|docs\/|VERSIONS/],
];

/**
 * Every whole request of a stage.
 *
 * @param keyChangedAt the first exchange for which the third lane has its new key
 */
export function receivedBy(stage: Stage, keyChangedAt: number): readonly Received[] {
  const { name } = stage.options;
  const ofTwin = (
    upstream: Upstream,
    requests: readonly ReceivedRequest[],
    key: CanaryName | null,
  ) =>
    requests.map(
      ({ method, path, rawHeaders, body, connection, ...end }): Received => ({
        upstream,
        head: headOf(method, path, rawHeaders),
        body,
        connection: `${upstream} ${name} ${connection}`,
        whole: isWhole({ rawHeaders, body, ...end }),
        key,
      }),
    );
  const ofRecorder = (
    upstream: Upstream,
    { requests }: Recorder,
    key: (exchange: number) => CanaryName | null,
  ) =>
    requests.map(
      ({ head, body, connection }): Received => ({
        upstream,
        head: head.replaceAll('\r\n', '\n'),
        body,
        connection: `${upstream} recorder ${name} ${connection}`,
        whole: true,
        key: key(exchangeIn(head) ?? 0),
      }),
    );
  return [
    ...ofTwin('anthropic', stage.twin.anthropic.requests(), null),
    ...ofTwin('zai', stage.twin.zai.requests(), 'zaiKey'),
    ...ofRecorder('anthropic', stage.plain, () => null),
    ...ofRecorder('third', stage.third, (exchange) =>
      exchange < keyChangedAt ? 'thirdKey' : 'thirdKeyNew',
    ),
    ...ofRecorder('elsewhere', stage.elsewhere, () => null),
  ];
}

/** Of a stream that was reset as it came the twin may see the end, and nothing before it. */
function isWhole(
  request: Pick<ReceivedRequest, 'rawHeaders' | 'body' | 'whole' | 'aborted'>,
): boolean {
  const { rawHeaders, body, whole, aborted } = request;
  const declared = headerOf(rawHeaders, 'content-length');
  return whole && (declared === undefined ? !aborted : Number(declared) === body.length);
}

/** The pseudo-fields of HTTP/2 are the request line once more. */
function headOf(method: string, path: string, fields: ReceivedRequest['rawHeaders']): string {
  const lines = fields.filter(([name]) => name !== ':path' && name !== ':method');
  return [`${method} ${path}`, ...lines.map(([name, value]) => `${name}: ${value}`)].join('\n');
}

/** What the recorders got besides whole requests. */
export function restsOf({ plain, third, elsewhere }: Stage): readonly Told[] {
  const at = (upstream: Upstream, recorder: Recorder): Told[] =>
    recorder.rests().map((bytes) => ({
      place: `rests at ${upstream}`,
      at: 'a request that broke off, or an upgrade',
      bytes,
    }));
  return [...at('anthropic', plain), ...at('third', third), ...at('elsewhere', elsewhere)];
}

/** What clients were answered, by where it came from. */
export function answersOf(made: readonly Made[]): readonly Told[] {
  return made.map(({ shape, arrives, answer }) => {
    const [from] = Object.keys(arrives).toReversed();
    const place = answer.error !== null || from === undefined ? 'own errors' : `answers of ${from}`;
    return { place, at: shape, bytes: answer.bytes };
  });
}

/** What the processes of a proxy have said so far. */
export function saidBy({ proxy }: Stage): readonly Told[] {
  const { stdout, stderr } = proxy.said();
  return [
    { place: 'stdout', at: 'the proxy', bytes: stdout },
    { place: 'stderr', at: 'the proxy', bytes: stderr },
  ];
}

/**
 * Command lines and environments of the processes of a proxy; nothing where the system does not show
 * them.
 */
export async function processesOf(stage: Stage): Promise<readonly Told[]> {
  const pids = [stage.proxy.child.pid ?? 0, ...(await workersOf(stage))];
  const given = stage.options.dotEnv ? ', with .env' : '';
  const told: Told[] = [];
  for (const pid of pids) {
    for (const [place, file] of [
      ['command lines of processes', 'cmdline'],
      [`environment of processes${given}`, 'environ'],
    ] as const) {
      const bytes = await readFile(`/proc/${pid}/${file}`).catch(() => null);
      if (bytes !== null) told.push({ place, at: `process ${pid}`, bytes });
    }
  }
  return told;
}

/** What a stage was there to show, and did not. */
export function unshownBy({ options, twin }: Stage): readonly string[] {
  const requests = [twin.anthropic, twin.zai].map((endpoint) => endpoint.requests());
  const wantsHttp2 = options.env['MITM_HTTP2'] === '1';
  const noHttp2 = requests.some((all) => !all.some(({ protocol }) => protocol === 'h2'));
  const learned = twin.zai.requests().filter(({ answer }) => answer.status === 401);
  return [
    ...(wantsHttp2 && noHttp2 ? ['no request came over HTTP/2 to an upstream of the twin'] : []),
    ...(options.zaiTakes !== 'both' && learned.length === 0 ? ['no header mode was refused'] : []),
  ];
}

/** The most that a core file of a process may have, as the system says it; null where it does not. */
export async function coreLimitOf(pid: number): Promise<string | null> {
  const limits = await readFile(`/proc/${pid}/limits`, 'latin1').catch(() => '');
  return /^Max core file size +(\S+) +/m.exec(limits)?.[1] ?? null;
}

/** Every file that was written, decompressed, and the names of those that show a process's memory. */
export async function filesOf({
  scene,
}: Pick<Stage, 'scene'>): Promise<{ told: Told[]; dumps: string[] }> {
  const told: Told[] = [];
  const dumps: string[] = [];
  for (const folder of [scene.home, scene.work, scene.user, scene.tmp]) {
    for (const entry of (await readdir(folder, { recursive: true })).sort()) {
      const path = join(folder, entry);
      if (INPUTS.has(entry) || !(await lstat(path)).isFile()) continue;
      const at = relative(join(scene.home, '..'), path);
      if (DUMP.test(path.slice(path.lastIndexOf('/') + 1))) dumps.push(at);
      const place = FILES.find(([, pattern]) => pattern.test(at))?.[0] ?? 'other files';
      told.push({ place, at, bytes: await buffer(contentOf(path)) });
    }
  }
  return { told, dumps };
}
