/** What a chaos drill says when it is over, to people and to programs. */
import type { ChaosOutcome } from './chaos.ts';
import { costOf } from './chaos-judge.ts';

/** Where it ran. */
export interface ChaosSetting {
  readonly workers: number;
  readonly evidence: string;
}

/** For people. */
export function describeChaos(outcome: ChaosOutcome, setting: ChaosSetting): string {
  const rows = outcome.acts.map((one) => {
    const cost = costOf(one);
    return [
      one.act.name,
      `${cost.lost} of ${cost.streams}`,
      `${cost.failed} of ${cost.arrivals}`,
      cost.refused === 0 ? '0' : `${cost.refused}, ${ms(cost.refusedMs)}`,
      ms(cost.restoredMs),
      String(one.left.length),
      one.clientSockets === null ? '-' : String(one.clientSockets + one.upstreamSockets),
    ];
  });
  const head = [
    'act',
    'streams lost',
    'arrivals lost',
    'refused',
    'whole after',
    'orphans',
    'stuck',
  ];
  const lines = [
    `chaos of a proxy of its own, ${setting.workers} workers, the twin behind it${outcome.interrupted ? '; interrupted' : ''}`,
    `exchanges  ${outcome.exchanges} in ${outcome.seconds.toFixed(1)} s`,
    '',
    ...columns([head, ...rows]),
    '',
    ...outcome.checks.map(
      ({ name, met, detail }) => `${(met ? 'met' : 'NOT MET').padEnd(10)} ${name}: ${detail}`,
    ),
    `evidence: ${setting.evidence}`,
  ];
  return lines.join('\n');
}

/** The same as a value to be printed as JSON. */
export function chaosSummary(outcome: ChaosOutcome, setting: ChaosSetting) {
  return {
    ok: outcome.ok,
    drill: 'chaos',
    ...setting,
    interrupted: outcome.interrupted,
    seconds: outcome.seconds,
    exchanges: outcome.exchanges,
    acts: outcome.acts.map((one) => {
      const cost = costOf(one);
      return {
        act: one.act.name,
        does: one.act.does,
        streams: cost.streams,
        streams_lost: cost.lost,
        arrivals: cost.arrivals,
        arrivals_lost: cost.failed,
        refused: cost.refused,
        refused_ms: Math.round(cost.refusedMs),
        whole_after_ms: Math.round(cost.restoredMs),
        unexcused: cost.unexcused,
        orphans: one.left,
        stuck_client_sockets: one.clientSockets,
        stuck_upstream_sockets: one.upstreamSockets,
      };
    }),
    faults: Object.fromEntries(outcome.faults),
    ledger: outcome.ledger,
    checks: outcome.checks,
  };
}

function ms(value: number): string {
  return `${value.toFixed(0)} ms`;
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]?.map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths?.[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
