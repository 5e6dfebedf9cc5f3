/** What a gate is, and what one is judged by. */
import type { Database, Row } from '../../reports/database.ts';
import type { Source } from '../../reports/source.ts';
import type { SessionRecord } from '../record.ts';

/** The acceptance gates of the contract, in their order. */
export const GATE_NAMES = ['routing', 'stability', 'safety', 'observability'] as const;
export type GateName = (typeof GATE_NAMES)[number];

/** A verdict and what it rests on. */
export interface Gate {
  readonly name: GateName;
  readonly met: boolean;
  readonly evidence: GateEvidence;
}

export interface GateEvidence {
  /** Why it is not met, worst first; empty where it is. */
  readonly reasons: readonly string[];
  /** The queries that its figures come from, in `src/reports/sql`; anybody can run them. */
  readonly queries: readonly string[];
  readonly [figure: string]: unknown;
}

/** The ledger of the session, loaded; null where there is none to judge by. */
export interface LoadedLedger {
  readonly database: Database;
  readonly source: Source;
  /** Records of the whole ledger; lines that are none. */
  readonly records: number;
  readonly damaged: number;
}

/** What all gates are judged by. */
export interface GateCase {
  /** Absolute. */
  readonly home: string;
  /** Null where no session was recorded: then the whole ledger is judged. */
  readonly session: SessionRecord | null;
  /** Unix seconds; null: from the beginning, or to the end. */
  readonly window: { readonly since: number | null; readonly until: number | null };
  readonly ledger: LoadedLedger | null;
  /** Why there is no ledger, for people. */
  readonly missing: string | null;
}

/** A gate whose reasons are all that is against it. */
export function gateOf(name: GateName, evidence: GateEvidence): Gate {
  return { name, met: evidence.reasons.length === 0, evidence };
}

/** A count in a row; 0 where there is none. */
export function countIn(row: Row, name: string): number {
  return Number(row[name] ?? 0);
}

/** Ids in a row, for people: a few, and none where there are none. */
export function idsIn(row: Row): string {
  const ids = row['rids'];
  return Array.isArray(ids) && ids.length > 0 ? ` (${ids.join(', ')})` : '';
}

/** Why a ledger is no good as evidence as a whole. */
export function reasonsOfLedger({ ledger, missing }: GateCase): string[] {
  if (ledger === null) return [missing ?? 'there is no ledger'];
  return ledger.source.unreadable.map(
    ({ file, reason }) => `${file} of the ledger can not be read: ${reason}`,
  );
}
