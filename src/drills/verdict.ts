/** Judges a drill: each check with what it rests on. A check that can not be made says so. */
import { compareClasses } from './expected-records.ts';
import type { IsolationCount } from './isolation.ts';
import type { LedgerCount } from './ledger-check.ts';
import type { DrillName } from './plan.ts';
import type { RequestCount } from './request-match.ts';
import type { WatchedTrend } from './samples.ts';
import type { Counts } from './tally.ts';
import type { LeakVerdict } from './trend.ts';

/** One check. */
export interface Check {
  readonly name: string;
  /** Null where there is nothing to judge by. */
  readonly met: boolean | null;
  readonly detail: string;
}

/** What is judged. */
export interface Evidence {
  readonly name: DrillName;
  readonly counts: Counts;
  readonly ledger: LedgerCount | null;
  /** Null where no upstream could be looked into. */
  readonly isolation: IsolationCount | null;
  readonly trends: readonly WatchedTrend[];
  /** A twin was compared with; else only the client and the ledger can tell. */
  readonly witnessed: boolean;
  /** Tries that the twin may have never seen, by its fault plan. */
  readonly unseenTriesMax: number;
  /** The drill was ended before its own end. */
  readonly interrupted: boolean;
  /** Where the client is an agent: the requests that its turns made. */
  readonly requests?: RequestCount;
}

/** The upstream has no room: its right, and no fault of what lies between. */
const BUSY: ReadonlySet<string> = new Set(['http_429', 'http_503', 'http_529']);

/** All checks of a drill, in a fixed order. */
export function judge(evidence: Evidence): Check[] {
  const checks = [
    routing(evidence),
    streams(evidence),
    stalls(evidence),
    records(evidence),
    ...isolation(evidence),
    leaks(evidence),
  ];
  return evidence.name === 'warmup' ? [...warmup(evidence), ...checks] : checks;
}

function routing({ counts, ledger, witnessed, requests }: Evidence): Check {
  const said = ledger === null ? 0 : misroutesIn(ledger, counts, requests !== undefined);
  const sources = [
    ...(witnessed ? [`${counts.misroutes} at the upstreams`] : []),
    ...(ledger === null ? [] : [`${said} in the ledger`]),
  ];
  if (sources.length === 0) {
    return { name: 'routing', met: null, detail: 'no twin and no ledger to ask' };
  }
  // Nothing at all on zai is no fault of routing but a switch that is off.
  const ways = [...(ledger?.decisions.keys() ?? [])];
  const off = said > 0 && !ways.some((way) => way.startsWith('zai '));
  const hint = off ? '; Haiku is not routed to zai: lanekeeper force on' : '';
  return {
    name: 'routing',
    met: counts.misroutes === 0 && said === 0,
    detail: `misroutes: ${sources.join(', ')}${hint}`,
  };
}

/**
 * Records of a model on a lane beyond the exchanges that belong there. Of an agent, whose turns make any
 * number of requests, by names that stand for its own choice of a model, those of a family on a lane
 * where no turn of that family belongs.
 */
export function misroutesIn(ledger: LedgerCount, counts: Counts, isAgent: boolean): number {
  const families = new Set([...counts.ways.keys()].map(familyIn));
  let misroutes = 0;
  for (const [way, count] of ledger.ways) {
    if (!isAgent) misroutes += Math.max(0, count - (counts.ways.get(way) ?? 0));
    else if (!families.has(familyIn(way))) misroutes += count;
  }
  return misroutes;
}

/** @param way model and lane */
function familyIn(way: string): string {
  return way.replace(/^\S*(haiku|sonnet)\S*/i, '$1');
}

/** Every answer arrived as the upstream sent and ended it, and some came whole. */
function streams({ counts, witnessed, interrupted, unseenTriesMax, requests }: Evidence): Check {
  const { whole, spoilt, exchanges, abandoned } = counts;
  let busy = 0;
  for (const [kind, count] of counts.errors) if (BUSY.has(kind)) busy += count;
  const unreached = Math.min(counts.errors.get('unreached') ?? 0, unseenTriesMax);
  const failed = sumOf(counts.errors) - busy - unreached;
  const parts = [`${whole} of ${exchanges} whole`];
  const how = requests === undefined ? 'byte for byte as sent' : 'shown word for word as sent';
  parts.push(witnessed ? how : 'by their grammar');
  if (counts.faults.size > 0) parts.push(`${spoilt} as a fault of the upstream left them`);
  if (unreached > 0) parts.push(`${unreached} not reached, as its plan let the upstream go away`);
  if (busy > 0) parts.push(`${busy} refused by a busy upstream (MITM_ENABLE_BACKOFF=1 retries)`);
  if (abandoned > 0) parts.push(`${abandoned} cut by the end of the drill`);
  // What an agent asked for again unseen.
  const unseen = Math.max(0, (requests?.notWhole ?? 0) - abandoned);
  if (unseen > 0) parts.push(`${unseen} requests of them not whole in the ledger`);
  const some = whole + spoilt > 0 || (interrupted && exchanges === abandoned);
  return { name: 'streams', met: failed === 0 && unseen === 0 && some, detail: parts.join(', ') };
}

function stalls({ counts }: Evidence): Check {
  return { name: 'stalls', met: counts.stalls === 0, detail: `${counts.stalls}` };
}

/**
 * Each exchange has its one record, and each record tells what client and upstream saw. Those of which
 * nothing can be foreseen (their client left) may have one of any kind, or none yet where the end of the
 * drill cut them.
 */
function records(evidence: Evidence): Check {
  const { counts, ledger, witnessed, unseenTriesMax, requests } = evidence;
  if (ledger === null) return { name: 'records', met: null, detail: 'no ledger to read' };
  if (requests !== undefined) return agentRecords(counts, ledger.records, requests, witnessed);
  const { missing, surplus, unequal } = compareClasses(counts.expected, ledger.classes);
  const parts = [`${ledger.records} records, ${counts.exchanges} exchanges`];
  const isSurplus = sumOf(surplus) > counts.unforeseen;
  if (missing.size > 0) parts.push(`without their record: ${listed(missing)}`);
  if (isSurplus) parts.push(`of no exchange: ${listed(surplus)}`);
  if (unequal.length > 0) parts.push(`of other bytes or ids: ${unequal.join('; ')}`);
  const retriesMax = counts.retried + unseenTriesMax;
  const isRetries =
    !witnessed || (ledger.retries >= counts.retried && ledger.retries <= retriesMax);
  if (!isRetries) {
    parts.push(`${ledger.retries} retries, but ${counts.retried} requests came more than once`);
  }
  const isAll = ledger.records >= counts.exchanges - counts.abandoned;
  const isSame = isAll && missing.size === 0 && !isSurplus && unequal.length === 0;
  if (isSame && isRetries) parts.push('alike in status, end, bytes and id');
  return { name: 'records', met: isSame && isRetries, detail: parts.join('; ') };
}

function listed(classes: ReadonlyMap<string, number>): string {
  return [...classes].map(([name, count]) => `${count} of ${name}`).join(', ');
}

/** No check where nothing could be looked at: a client's view can not tell what upstreams received. */
function isolation({ isolation: count }: Evidence): Check[] {
  if (count === null) return [];
  const { searched, leaks: found } = count;
  const detail =
    `${found} of ${searched.anthropic + searched.zai} requests at the upstreams ` +
    'held a credential of the other lane';
  return [{ name: 'isolation', met: found === 0, detail }];
}

/** A turn makes at least one request; each has its record, and each record its request. */
function agentRecords(
  { exchanges, abandoned }: Counts,
  records: number,
  { answered, compared, unknown, differing, missing }: RequestCount,
  witnessed: boolean,
): Check {
  const parts = [`${records} records, ${exchanges} turns`];
  if (witnessed) {
    parts.push(`${answered} requests answered, ${compared} compared with the bytes in the ledger`);
  }
  if (unknown > 0) parts.push(`${unknown} records of a request that no upstream had`);
  if (differing > 0) parts.push(`${differing} records of other bytes than were sent`);
  if (missing > 0) parts.push(`${missing} requests without a record`);
  const some = !witnessed || compared > 0 || exchanges === abandoned;
  const enough = records >= exchanges - abandoned && some;
  const met = enough && unknown + differing + missing === 0;
  return { name: 'records', met, detail: parts.join('; ') };
}

function leaks({ trends }: Evidence): Check {
  const judged = trends.filter((trend) => trend.verdict !== 'too short to judge');
  if (judged.length === 0) return { name: 'leaks', met: null, detail: 'too short to judge' };
  const named = (verdict: LeakVerdict): string =>
    judged.flatMap((trend) => (trend.verdict === verdict ? [trend.name] : [])).join(', ');
  const leaking = named('leak');
  const unsteady = named('unsteady');
  const parts = [leaking === '' ? 'no leak' : `leak: ${leaking}`];
  const flat = judged.filter((trend) => trend.zero === 'holds').map((trend) => trend.name);
  if (flat.length > 0) parts.push(`indistinguishable from 0: ${flat.join(', ')}`);
  if (unsteady !== '')
    parts.push(`grew in steps, which a longer run may tell from a leak: ${unsteady}`);
  return { name: 'leaks', met: leaking === '', detail: parts.join('; ') };
}

/** T1, T2, T3 of the contract. */
function warmup({ counts, ledger }: Evidence): Check[] {
  const saw = (way: string): number => ledger?.decisions.get(way) ?? 0;
  const ways = [...(ledger?.decisions ?? [])].map(([way, count]) => `${way} ${count}`).join(', ');
  const detail = ledger === null ? 'no ledger to read' : `ledger: ${ways || 'empty'}`;
  const known = (met: boolean): boolean | null => (ledger === null ? null : met);
  return [
    { name: 'T1 haiku on zai', met: known(saw('zai forced_model') === 1), detail },
    { name: 'T2 sonnet on anthropic', met: known(saw('anthropic default') === 2), detail },
    { name: 'T3 medium stream', met: counts.whole === 3, detail: `${counts.whole} of 3 whole` },
  ];
}

function sumOf(counts: ReadonlyMap<string, number>): number {
  let total = 0;
  for (const count of counts.values()) total += count;
  return total;
}
