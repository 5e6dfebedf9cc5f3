/** Judges a chaos drill: what an act may cost is stated with it; anything more is not met. */
import type { ActOutcome, ChaosOutcome } from './chaos.ts';
import { unwritten } from './chaos.ts';
import type { Visit } from './chaos-load.ts';

/** One check. */
export interface Check {
  readonly name: string;
  readonly met: boolean;
  readonly detail: string;
}

/** What an act cost. */
export interface Cost {
  readonly streams: number;
  /** Streams that were cut. */
  readonly lost: number;
  readonly arrivals: number;
  /** Connections that were not let in, and for how long on end at most. */
  readonly refused: number;
  readonly refusedMs: number;
  /** Arrivals that failed once they were let in. */
  readonly failed: number;
  /** Failures that the act does not excuse. */
  readonly unexcused: number;
  /** From the act until the proxy was whole again. */
  readonly restoredMs: number;
}

/** Counts what an act cost. */
export function costOf(outcome: ActOutcome): Cost {
  const { act, streams, arrivals, at, restoredAt, workers } = outcome;
  const lost = streams.filter((visit) => !isWhole(visit)).length;
  const bad = arrivals.filter((visit) => !isWhole(visit));
  const refused = bad.filter(({ heard }) => !heard.sent);
  const kills = act.mayLose(1, 1) > 0;
  const isExcused = ({ heard, began }: Visit): boolean => {
    if (began >= restoredAt) return false;
    if (kills && began < at) return true;
    return !heard.sent && act.mayRefuse;
  };
  return {
    streams: streams.length,
    lost,
    arrivals: arrivals.length,
    refused: refused.length,
    refusedMs: longestRun(arrivals),
    failed: bad.length - refused.length,
    unexcused:
      bad.filter((visit) => !isExcused(visit)).length +
      Math.max(0, lost - act.mayLose(streams.length, workers)),
    restoredMs: restoredAt - at,
  };
}

/** All checks, in a fixed order. */
export function judgeChaos(outcome: Omit<ChaosOutcome, 'checks' | 'ok'>): Check[] {
  const { acts, faults, exchanges, ledger } = outcome;
  const costs = acts.map(costOf);
  const unexcused = costs.reduce((sum, cost) => sum + cost.unexcused, 0);
  const left = acts.flatMap((act) => act.left);
  const sockets = acts.reduce(
    (sum, act) => sum + (act.clientSockets ?? 0) + act.upstreamSockets,
    0,
  );
  const wrong = [...faults].map(([fault, count]) => `${fault} ${count}`).join(', ');
  const missing = exchanges - ledger.records;
  const mayMiss = acts.reduce((sum, act) => sum + unwritten(act), 0);
  const killed = acts.reduce((sum, { act, workers }) => sum + act.mayLose(workers, 1), 0);
  return [
    {
      name: 'recovery',
      met: acts.length > 0 && unexcused === 0,
      detail: `${unexcused} exchanges failed that the act does not excuse, in ${acts.length} acts`,
    },
    {
      name: 'streams',
      met: faults.size === 0,
      detail:
        wrong === '' ? 'none altered, misrouted or ended other than by what befell it' : wrong,
    },
    {
      name: 'orphans',
      met: left.length === 0,
      detail: left.length === 0 ? 'no process was left' : `processes ${left.join(', ')} were left`,
    },
    {
      name: 'sockets',
      met: sockets === 0,
      detail: sockets === 0 ? 'none was stuck' : `${sockets} were stuck`,
    },
    {
      name: 'ledger',
      met: missing >= 0 && missing <= mayMiss && ledger.doubled === 0 && ledger.damaged <= killed,
      detail:
        `${ledger.records} records of ${exchanges} exchanges, ${missing} without one ` +
        `(${mayMiss} cut, or ended just before a process was killed), ` +
        `${ledger.doubled} doubled, ${ledger.damaged} damaged lines`,
    },
  ];
}

function isWhole({ heard }: Visit): boolean {
  return heard.failure === null && heard.status === 200 && heard.closed;
}

/** The longest time on end, ms, in which nobody was let in. */
function longestRun(arrivals: readonly Visit[]): number {
  let longest = 0;
  let since: number | null = null;
  for (const { heard, began, ended } of arrivals) {
    if (heard.sent) {
      if (since !== null) longest = Math.max(longest, began - since);
      since = null;
      continue;
    }
    since ??= began;
    longest = Math.max(longest, ended - since);
  }
  return longest;
}
