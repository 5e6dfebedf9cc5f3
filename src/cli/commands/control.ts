/** The commands that speak to the running proxy: each one call on its control socket. */
import { callControl, readStatus } from '../../admin/client.ts';
import type { Reloaded, Restarted, ServedStatus, WorkerStatus } from '../../admin/types.ts';
import { EXIT } from '../failure.ts';
import { print, printJson, table } from '../output.ts';
import { type CommonOptions, homeOf, type JsonOption } from '../settings.ts';

type Options = CommonOptions & JsonOption;

interface ReloadOptions extends Options {
  readonly restart?: boolean;
}

const BYTES_PER_MB = 1_000_000;

export async function status(options: Options): Promise<number> {
  const report = await readStatus(homeOf(options));
  if (options.json === true) printJson(report);
  else print(describeStatus(report));
  return EXIT.done;
}

export function pause(options: Options): Promise<number> {
  return command(options, '/pause', undefined, 'paused: every exchange takes the default lane');
}

export function resume(options: Options): Promise<number> {
  return command(options, '/resume', undefined, 'resumed: exchanges are routed again');
}

export function force(options: Options, args: readonly string[]): Promise<number> {
  const on = args[0] === 'on';
  const done = on ? 'every Haiku model goes to the zai lane' : 'Haiku is routed by the rules again';
  return command(options, '/force', { on }, done);
}

export function tee(options: Options, args: readonly string[]): Promise<number> {
  const on = args[0] === 'on';
  const done = on ? 'body samples are kept, redacted' : 'no body samples are kept';
  return command(options, '/tee', { on }, done);
}

export async function drain(options: Options): Promise<number> {
  const done = 'draining: it accepts nothing new and ends when its open exchanges have';
  return command(options, '/drain', undefined, done);
}

export async function reload(options: ReloadOptions): Promise<number> {
  if (options.restart === true) return restart(options);
  const reloaded = (await callControl(homeOf(options), 'POST', '/reload')) as Reloaded;
  if (options.json === true) {
    printJson(reloaded);
    return EXIT.done;
  }
  const { changed, notes } = reloaded;
  print(changed.length === 0 ? 'reloaded: nothing changed' : `reloaded: ${changed.join(', ')}`);
  for (const note of notes) print(`note: ${note}`);
  return EXIT.done;
}

async function restart(options: Options): Promise<number> {
  const restarted = (await callControl(homeOf(options), 'POST', '/restart')) as Restarted;
  if (options.json === true) printJson(restarted);
  else print(`restarted: ${processes(restarted.workers)}; open exchanges finish in the old ones`);
  return EXIT.done;
}

function processes(pids: readonly number[]): string {
  return `${pids.length === 1 ? 'process' : 'processes'} ${pids.join(', ')}`;
}

async function command(
  options: Options,
  path: string,
  body: unknown,
  done: string,
): Promise<number> {
  const answer = await callControl(homeOf(options), 'POST', path, body);
  if (options.json === true) printJson(answer);
  else print(done);
  return EXIT.done;
}

function describeStatus(report: ServedStatus): string {
  const { listen, exchanges, ledger, memory } = report;
  const states = [
    report.twin ? 'twin' : '',
    report.paused ? 'paused' : '',
    report.force ? 'Haiku forced to zai' : '',
    report.tee ? 'body samples kept' : '',
    report.draining ? 'draining' : '',
  ].filter((state) => state !== '');
  const rows = [
    ['lanekeeper', `${report.version}, process ${report.pid}, up ${duration(report.uptime_s)}`],
    ['listens on', `http://${listen.host}:${listen.port}`],
    ['home', report.home],
    ['configuration', report.config_file ?? 'defaults and environment'],
    ['state', states.length === 0 ? 'routing' : states.join(', ')],
    ['exchanges', `${exchanges.open} open, ${exchanges.total} since the start`],
    [
      'clients',
      `${report.connections} connections, ${report.tunnels} tunnels, ${report.leases} leases`,
    ],
    [
      'ledger',
      `${ledger.written} written, ${ledger.dropped} dropped${ledger.fault === null ? '' : `: ${ledger.fault}`}`,
    ],
    ['CA', `${report.ca.hosts.join(', ')} until ${report.ca.expires}`],
    ['memory', `${megabytes(memory.rss_bytes)}, all processes`],
    ...report.workers.map((worker) => ['worker', describeWorker(worker)]),
    ...(report.workers_lost === 0 ? [] : [['lost', `${report.workers_lost} workers`]]),
  ];
  const notes = report.notes.map((note) => `note: ${note}`);
  return [table(rows), '', table(laneRows(report)), ...notes].join('\n');
}

function describeWorker({ pid, draining, connections, exchanges_open, rss_bytes }: WorkerStatus) {
  const state = draining ? ', draining' : '';
  return `process ${pid}, ${connections} connections, ${exchanges_open} exchanges open, ${megabytes(rss_bytes)}${state}`;
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / BYTES_PER_MB)} MB`;
}

function laneRows(report: ServedStatus): string[][] {
  const head = ['lane', 'upstream', 'credentials', 'exchanges', 'errors', 'sockets'];
  const rows = report.lanes.map((lane) => [
    lane.name === report.default_lane ? `${lane.name} (default)` : lane.name,
    lane.upstream,
    lane.header_mode ?? lane.credentials,
    String(lane.exchanges),
    String(lane.errors),
    `${lane.sockets_busy} busy, ${lane.sockets_idle} idle`,
  ]);
  return [head, ...rows];
}

function duration(seconds: number): string {
  const days = Math.floor(seconds / 86_400);
  const hours = Math.floor(seconds / 3_600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min` : `${Math.floor(seconds)} s`;
}
