/**
 * `verify isolation`: whose credential goes where. Canaries of every kind through thousands of exchanges
 * of proxies of its own; then a search of all that each upstream received, and of all that was written or
 * told (docs/isolation.md).
 */
import { ISOLATION_REQUESTS } from '../../core/limits.ts';
import { NO_FIGURES, unmarkedPhase } from '../../session/record.ts';
import { appendPhase, readSession } from '../../session/record-file.ts';
import { print, printJson, table } from '../output.ts';
import { type CommonOptions, homeOf, type JsonOption } from '../settings.ts';
import { CANARY_NAMES, KINDS } from './isolation/canaries.ts';
import { UPSTREAMS } from './isolation/exchange.ts';
import type { Count, PlaceReport } from './isolation/judge.ts';
import { type IsolationRun, runIsolation } from './isolation/run.ts';

export interface VerifyIsolationOptions extends CommonOptions, JsonOption {
  /** Exchanges to make, about. */
  readonly count?: number;
}

const FINDINGS_SHOWN = 50;

/** True where nothing was found. The result is kept as a phase where a session is under way, or a home was named. */
export async function verifyIsolation(options: VerifyIsolationOptions): Promise<boolean> {
  const start = new Date();
  const run = await runIsolation(options.count ?? ISOLATION_REQUESTS);
  const ok = run.findings.length === 0;
  const home = homeOf(options);
  if (options.home !== undefined || (await readSession(home)) !== null) {
    await keep(home, start, run);
  }
  if (options.json === true) printJson({ ok, ...run });
  else print(describe(run));
  return ok;
}

async function keep(home: string, start: Date, run: IsolationRun): Promise<void> {
  const { places, leaks, findings, exchanges } = run;
  const met = findings.length === 0;
  const seconds = (Date.now() - start.getTime()) / 1_000;
  const at = (upstream: string): number =>
    places.find(({ place }) => place === upstream)?.searched ?? 0;
  const detail = met
    ? `no canary in the wrong place, of ${places.length} searched`
    : findings.slice(0, FINDINGS_SHOWN).join('; ');
  await appendPhase(home, {
    // Its records lie in homes of their own.
    ...unmarkedPhase('isolation', start, met),
    command: 'lanekeeper verify isolation',
    figures: { ...NO_FIGURES, seconds, exchanges },
    isolation: { searched: { anthropic: at('anthropic'), zai: at('zai') }, leaks },
    checks: [{ name: 'isolation', met, detail }],
  });
}

function describe({ exchanges, shapes, places, findings }: IsolationRun): string {
  const shown = findings.slice(0, FINDINGS_SHOWN).map((finding) => `FOUND: ${finding}`);
  const more = findings.length - shown.length;
  const verdict =
    findings.length === 0
      ? ['every canary where it belongs, as often as it was sent, and none anywhere else']
      : [...shown, ...(more > 0 ? [`and ${more} more`] : [])];
  return [
    `${exchanges} exchanges of ${Object.keys(shapes).length} shapes:`,
    table(shapeRows(shapes)),
    '',
    'canaries at the upstreams, found / expected:',
    table(canaryRows(places)),
    '',
    'searched, plain, in JSON, in URLs, in base64 and in hex:',
    table(placeRows(places)),
    '',
    ...verdict,
  ].join('\n');
}

/** Shapes that begin with the same words are one row. */
function shapeRows(shapes: IsolationRun['shapes']): string[][] {
  const groups = new Map<string, { shapes: number; exchanges: number }>();
  for (const [shape, count] of Object.entries(shapes)) {
    const name = shape.split(', ')[0] ?? shape;
    const group = groups.get(name) ?? { shapes: 0, exchanges: 0 };
    groups.set(name, { shapes: group.shapes + 1, exchanges: group.exchanges + count });
  }
  return [
    ['shape', 'kinds', 'exchanges'],
    ...[...groups].map(([name, group]) => [name, `${group.shapes}`, `${group.exchanges}`]),
  ];
}

function canaryRows(places: readonly PlaceReport[]): string[][] {
  const upstreams = UPSTREAMS.map((upstream) => places.find(({ place }) => place === upstream));
  return [
    ['canary', ...UPSTREAMS],
    ...CANARY_NAMES.map((name) => [
      KINDS[name],
      ...upstreams.map((place) => share(place?.canaries[name])),
    ]),
  ];
}

function share(count: Count | undefined): string {
  return count === undefined ? '0' : `${count.found} / ${count.expected}`;
}

function placeRows(places: readonly PlaceReport[]): string[][] {
  return [
    ['place', 'texts', 'bytes', 'holds'],
    ...places.map(({ place, searched, bytes, canaries }) => [
      place,
      String(searched),
      String(bytes),
      CANARY_NAMES.filter((name) => canaries[name] !== undefined)
        .map((name) => KINDS[name])
        .join(', ') || 'none',
    ]),
  ];
}
