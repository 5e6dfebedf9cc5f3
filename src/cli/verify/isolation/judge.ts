/**
 * Judges where canaries arrived. At upstreams each request is held against what was sent: so often each
 * canary must be in it. Everywhere else a place has what it may hold, which is nearly always nothing.
 * What is wrong is told by place and kind; a canary itself is never shown.
 */
import { createFinder, type Sighting } from '../../../session/secrets/finder.ts';
import {
  CANARY_NAMES,
  type Canaries,
  type CanaryName,
  CLIENT_ONLY,
  exchangeIn,
  KINDS,
  PROMPTS,
} from './canaries.ts';
import {
  type Made,
  type Received,
  type Sent,
  type Told,
  UPSTREAMS,
  type Upstream,
} from './exchange.ts';

export interface Evidence {
  readonly made: readonly Made[];
  readonly received: readonly Received[];
  /** Bytes that came to an upstream and are no whole request. */
  readonly told: readonly Told[];
}

/** How often a canary was expected, and found. */
export interface Count {
  expected: number;
  found: number;
}

export interface PlaceReport {
  readonly place: string;
  /** Requests, answers, files … */
  readonly searched: number;
  readonly bytes: number;
  /** Those that were expected or found. */
  readonly canaries: Readonly<Partial<Record<CanaryName, Count>>>;
}

export interface Isolation {
  readonly places: readonly PlaceReport[];
  /** Requests that held what is not theirs. */
  readonly leaks: number;
  /** What is wrong, in words. */
  readonly findings: readonly string[];
}

/** Canaries that may stand in a place that is no upstream; how often is counted, not judged. */
const MAY_HOLD: Readonly<Record<string, readonly CanaryName[]>> = {
  // The twin tells which model it does not know, and a key was sent as one.
  'answers of anthropic': ['apiKey'],
  // An upstream that tells its own key: the answer is the client's, byte for byte.
  'answers of third': ['thirdKey', 'thirdKeyNew'],
  // What the samples are for; ids and credentials are taken out.
  'body samples': [...PROMPTS, 'attribution'],
  // The address of the proxy, for the client.
  'env command': ['proxyToken'],
  'environment of processes': ['zaiKey', 'thirdKey', 'proxyToken'],
  'rests at anthropic': [...CLIENT_ONLY, ...PROMPTS],
};
/** In these places at least one of what they may hold must be found, or the search shows nothing. */
const MUST_HOLD: ReadonlySet<string> = new Set(Object.keys(MAY_HOLD));
/** What may be at an upstream at all, however it is written. */
const AT_UPSTREAM: Readonly<Record<Upstream, readonly CanaryName[]>> = {
  anthropic: [...CLIENT_ONLY, ...PROMPTS],
  zai: ['zaiKey', 'haikuPrompt'],
  third: ['thirdKey', 'thirdKeyNew', 'thirdPrompt'],
  elsewhere: ['elsewhereKey'],
};
/** A larger body that came as it was sent need not be searched. */
const LARGE_BYTES = 1_000_000;

/** Judges all of it. */
export function judgeIsolation(evidence: Evidence, canaries: Canaries): Isolation {
  const counter = counterOf(canaries);
  const upstreams = UPSTREAMS.map((upstream) => judgeUpstream(upstream, evidence, counter));
  const told = judgeTold(evidence.told, canaries);
  return {
    places: [...upstreams.map(({ report }) => report), ...told.reports],
    leaks: upstreams.reduce((sum, { leaks }) => sum + leaks, 0),
    findings: [
      ...evidence.made.flatMap(answerFindings),
      ...upstreams.flatMap(({ findings }) => findings),
      ...arrivalFindings(evidence),
      ...connectionFindings(evidence.received, canaries),
      ...told.findings,
    ],
  };
}

/** How often each canary is in a text. */
type Counter = ((text: string) => Map<CanaryName, number>) & {
  foreign(text: string, upstream: Upstream): readonly Sighting[];
};

function counterOf(canaries: Canaries): Counter {
  const written = CANARY_NAMES.map((name) => [name, literalsOf(canaries[name])] as const);
  const finders = UPSTREAMS.map((upstream) => {
    const names = CANARY_NAMES.filter((name) => !AT_UPSTREAM[upstream].includes(name));
    return [upstream, finderOf(canaries, names)] as const;
  });
  const count = (text: string): Map<CanaryName, number> => {
    const counts = new Map<CanaryName, number>();
    for (const [name, literals] of written) {
      const found = literals.reduce((sum, literal) => sum + occurrences(text, literal), 0);
      if (found > 0) counts.set(name, found);
    }
    return counts;
  };
  const foreign = (text: string, upstream: Upstream): readonly Sighting[] =>
    finders.find(([name]) => name === upstream)?.[1].known(text) ?? [];
  return Object.assign(count, { foreign });
}

/** Finds canaries by name. */
export function finderOf(canaries: Canaries, names: readonly CanaryName[] = CANARY_NAMES) {
  return createFinder(names.map((name) => ({ name, value: canaries[name] })));
}

/** As a client writes it: as it is, in JSON, in a URL. */
function literalsOf(value: string): readonly string[] {
  const texts = [value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value)];
  return [...new Set(texts)].map((text) => Buffer.from(text, 'utf8').toString('latin1'));
}

function occurrences(text: string, literal: string): number {
  let count = 0;
  for (let at = text.indexOf(literal); at >= 0; at = text.indexOf(literal, at + literal.length)) {
    count += 1;
  }
  return count;
}

interface UpstreamJudged {
  readonly report: PlaceReport;
  readonly leaks: number;
  readonly findings: readonly string[];
}

function judgeUpstream(
  upstream: Upstream,
  { made, received }: Evidence,
  counter: Counter,
): UpstreamJudged {
  const byId = new Map(made.map((one) => [one.id, one]));
  const findings = new Set<string>();
  const canaries: Partial<Record<CanaryName, Count>> = {};
  let bytes = 0;
  let leaks = 0;
  const here = received.filter((request) => request.upstream === upstream);
  for (const request of here) {
    bytes += request.head.length + request.body.length;
    const origin = byId.get(exchangeIn(request.head) ?? -1);
    const wrong = judgeRequest(request, origin, counter, canaries);
    if (wrong.length > 0) leaks += 1;
    for (const finding of wrong) findings.add(finding);
  }
  // A search that finds nothing shows nothing, unless it finds what must be there.
  const missing = AT_UPSTREAM[upstream].filter((name) => (canaries[name]?.found ?? 0) === 0);
  for (const name of missing) findings.add(`no ${KINDS[name]} at ${upstream}, where it belongs`);
  const report = { place: upstream, searched: here.length, bytes, canaries };
  return { report, leaks, findings: [...findings] };
}

/** What of a request is not as it should be; its counts are added to those of its place. */
function judgeRequest(
  { upstream, key, whole, ...request }: Received,
  origin: Made | undefined,
  counter: Counter,
  counts: Partial<Record<CanaryName, Count>>,
): string[] {
  const shape = origin?.shape ?? 'unknown';
  if (origin === undefined) return [`a request at ${upstream} that nobody sent`];
  const { head, body } = origin.sent;
  const isLarge = body.length > LARGE_BYTES;
  if (whole && isLarge && !request.body.equals(body)) {
    return [`a body at ${upstream} is not the one that was sent (${shape})`];
  }
  // What can be counted: of a body that broke off nobody knows how much came.
  const countable = (text: Sent): string => (whole && !isLarge ? textOf(text) : text.head);
  const text = isLarge ? request.head : textOf(request);
  const found = counter(countable(request));
  const expected = expectedAt(upstream, key, counter(countable({ head, body })));
  const wrong = counter
    .foreign(text, upstream)
    .map(
      ({ name, spelling }) => `${kind(name)} in a request at ${upstream} (${shape}), ${spelling}`,
    );
  for (const name of CANARY_NAMES) {
    const [want, got] = [expected.get(name) ?? 0, found.get(name) ?? 0];
    if (want === 0 && got === 0) continue;
    const count = counts[name] ?? { expected: 0, found: 0 };
    counts[name] = { expected: count.expected + want, found: count.found + got };
    // What does not belong here at all was told already.
    if (want === got || !AT_UPSTREAM[upstream].includes(name)) continue;
    wrong.push(
      `${KINDS[name]} ${got} times in a request at ${upstream}, not ${want} times (${shape})`,
    );
  }
  return wrong;
}

/** A passthrough lane carries what the client sent, but for the proxy's own token; a keyed one does not. */
function expectedAt(
  upstream: Upstream,
  key: CanaryName | null,
  sent: ReadonlyMap<CanaryName, number>,
): ReadonlyMap<CanaryName, number> {
  if (key === null) return new Map([...sent].filter(([name]) => name !== 'proxyToken'));
  const prompt = AT_UPSTREAM[upstream].filter((name) => PROMPTS.some((one) => one === name));
  return new Map([[key, 1], ...prompt.map((name) => [name, sent.get(name) ?? 0] as const)]);
}

function textOf({ head, body }: Sent): string {
  return `${head}\n${body.toString('latin1')}`;
}

function kind(name: string): string {
  return KINDS[name as CanaryName] ?? name;
}

/** Every exchange arrived where it may, as often as it may. */
function arrivalFindings({ made, received }: Evidence): string[] {
  const arrived = new Map<string, number>();
  for (const { head, upstream } of received) {
    const at = `${exchangeIn(head)} ${upstream}`;
    arrived.set(at, (arrived.get(at) ?? 0) + 1);
  }
  const findings = new Set<string>();
  for (const { id, shape, way, arrives } of made) {
    for (const upstream of UPSTREAMS) {
      const times = arrived.get(`${id} ${upstream}`) ?? 0;
      const [least, most] = arrives[upstream] ?? [0, 0];
      if (times >= least && times <= most) continue;
      const range = least === most ? `${least}` : `${least} to ${most}`;
      findings.add(`${shape} (${way}) arrived ${times} times at ${upstream}, not ${range}`);
    }
  }
  return [...findings];
}

/** What must be refused was refused, and by that name. */
function answerFindings({ shape, way, error, answer }: Made): string[] {
  if (error === undefined || answer.error === error) return [];
  return [`${shape} (${way}) was answered ${answer.error ?? answer.status}, not ${error}`];
}

/** No connection to an upstream carries two credentials. */
function connectionFindings(received: readonly Received[], canaries: Canaries): string[] {
  const credentials = ['apiKey', 'oauth', 'zaiKey', 'thirdKey', 'thirdKeyNew'] as const;
  const byConnection = new Map<string, Set<CanaryName>>();
  for (const { connection, head } of received) {
    const seen = byConnection.get(connection) ?? new Set();
    // A key in a query is no login.
    const fields = head.slice(head.indexOf('\n') + 1);
    for (const name of credentials) if (fields.includes(canaries[name])) seen.add(name);
    byConnection.set(connection, seen);
  }
  return [...byConnection].flatMap(([connection, seen]) =>
    seen.size < 2
      ? []
      : [
          `a connection to ${connection.split(' ')[0]} carried ${[...seen].map(kind).join(' and ')}`,
        ],
  );
}

interface ToldJudged {
  readonly reports: readonly PlaceReport[];
  readonly findings: readonly string[];
}

function judgeTold(told: readonly Told[], canaries: Canaries): ToldJudged {
  const finder = finderOf(canaries);
  const findings = new Set<string>();
  const reports = new Map<
    string,
    { searched: number; bytes: number; found: Map<string, number> }
  >();
  for (const { place, at, bytes } of told) {
    const report = reports.get(place) ?? { searched: 0, bytes: 0, found: new Map() };
    reports.set(place, report);
    report.searched += 1;
    report.bytes += bytes.length;
    const may: readonly string[] = MAY_HOLD[place] ?? [];
    for (const { name, spelling } of finder.known(bytes.toString('latin1'))) {
      report.found.set(name, (report.found.get(name) ?? 0) + 1);
      if (!may.includes(name)) findings.add(`${kind(name)} in ${place}: ${at}, ${spelling}`);
    }
  }
  for (const [place, { found }] of reports) {
    if (MUST_HOLD.has(place) && found.size === 0) {
      findings.add(`nothing found in ${place}, where something belongs`);
    }
  }
  return {
    reports: [...reports].map(([place, { searched, bytes, found }]) => ({
      place,
      searched,
      bytes,
      canaries: Object.fromEntries(
        [...found].map(([name, times]) => {
          const may = (MAY_HOLD[place] ?? []).some((one) => one === name);
          return [name, { expected: may ? times : 0, found: times }];
        }),
      ),
    })),
    findings: [...findings],
  };
}
