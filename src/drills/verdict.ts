/** Judges a drill: each check with what it rests on. A check that can not be made says so. */
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
  readonly trends: readonly WatchedTrend[];
  /** A twin was compared with; else only the client and the ledger can tell. */
  readonly witnessed: boolean;
  /** The drill was ended before its own end. */
  readonly interrupted: boolean;
  /** Where the client is an agent: its requests, where there was a twin to compare the ledger with. */
  readonly agent?: { readonly requests: RequestCount | null };
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
    leaks(evidence),
  ];
  return evidence.name === 'warmup' ? [...warmup(evidence), ...checks] : checks;
}

function routing({ counts, ledger, witnessed }: Evidence): Check {
  const said = ledger?.misroutes ?? 0;
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

/** Every answer that was not the upstream's own refusal arrived whole, and some did. */
function streams({ counts, ledger, witnessed, interrupted, agent }: Evidence): Check {
  const { whole, exchanges, abandoned } = counts;
  let busy = 0;
  for (const [kind, count] of counts.errors) if (BUSY.has(kind)) busy += count;
  const failed = sumOf(counts.errors) - busy;
  const notWhole = ledger?.notWhole ?? 0;
  const parts = [`${whole} of ${exchanges} whole`];
  const compared = agent === undefined ? 'byte for byte as sent' : 'shown word for word as sent';
  parts.push(witnessed ? compared : 'by their grammar');
  if (busy > 0) parts.push(`${busy} refused by a busy upstream (MITM_ENABLE_BACKOFF=1 retries)`);
  if (abandoned > 0) parts.push(`${abandoned} cut by the end of the drill`);
  if (notWhole > abandoned) parts.push(`${notWhole} not whole in the ledger`);
  const some = whole > 0 || (interrupted && exchanges === abandoned);
  return {
    name: 'streams',
    met: failed === 0 && notWhole <= abandoned && some,
    detail: parts.join(', '),
  };
}

function stalls({ counts }: Evidence): Check {
  return { name: 'stalls', met: counts.stalls === 0, detail: `${counts.stalls}` };
}

/** Exchanges that the end of the drill cut may have no record: their head may not have been read. */
function records({ counts, ledger, agent }: Evidence): Check {
  const { exchanges, abandoned } = counts;
  if (ledger === null) return { name: 'records', met: null, detail: 'no ledger to read' };
  if (agent !== undefined) return agentRecords(counts, ledger.records, agent.requests);
  return {
    name: 'records',
    met: ledger.records <= exchanges && ledger.records >= exchanges - abandoned,
    detail: `${ledger.records} records, ${exchanges} exchanges`,
  };
}

/** A turn makes at least one request; each has its record, and each record its request. */
function agentRecords(
  { exchanges, abandoned }: Counts,
  records: number,
  requests: RequestCount | null,
): Check {
  const enough = records >= exchanges - abandoned;
  const parts = [`${records} records, ${exchanges} turns`];
  if (requests === null) return { name: 'records', met: enough, detail: parts.join('; ') };
  const { answered, compared, unknown, differing, missing } = requests;
  parts.push(`${answered} requests answered, ${compared} compared with the bytes in the ledger`);
  if (unknown > 0) parts.push(`${unknown} records of a request that no upstream had`);
  if (differing > 0) parts.push(`${differing} records of other bytes than were sent`);
  if (missing > 0) parts.push(`${missing} requests without a record`);
  const some = compared > 0 || exchanges === abandoned;
  const met = enough && some && unknown + differing + missing === 0;
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
