/** What a run leaves in `raw.jsonl`, one object a line. */
import type { Measured } from './load/types.ts';
import type { Seen } from './load/upstream.ts';
import type { Memory } from './targets/running.ts';
import type { Duty } from './targets/types.ts';

/** The machine and the run. */
export interface MachineRow {
  readonly row: 'machine';
  readonly date: string;
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly pinned: boolean;
  /** Without it there is no CPU time and no memory of processes. */
  readonly linux: boolean;
  readonly rounds: number;
  readonly seconds: number;
  /** What is not measured, and how to get it. */
  readonly missing: readonly string[];
}

/** A target, and whether it does its job: where it does not, it has no cells. */
export interface TargetRow {
  readonly row: 'target';
  readonly target: string;
  readonly about: string;
  readonly duty: Duty;
  readonly round: number;
  readonly problem: string | null;
}

export interface CellRow {
  readonly row: 'cell';
  readonly target: string;
  readonly cell: string;
  readonly round: number;
  readonly measured: Measured;
  readonly seen: Seen;
  /** At the end of the load. */
  readonly memory: readonly Memory[];
}

/** One start. */
export interface StartRow {
  readonly row: 'start';
  readonly target: string;
  /** To the first accepted connection, and to the first answer through it, ms from the start. */
  readonly portMs: number;
  readonly answerMs: number;
  /** CPU of its processes until then, ms; null where the system does not tell. */
  readonly cpuMs: number | null;
  /** At rest, after that answer. */
  readonly memory: readonly Memory[];
}

/** Throughput with so many workers, nothing pinned. */
export interface WorkersRow {
  readonly row: 'workers';
  readonly cell: string;
  readonly workers: number;
  readonly round: number;
  readonly measured: Measured;
}

/** A summary of a ledger, or DuckDB's own of the same file. */
export interface LedgerRow {
  readonly row: 'ledger';
  readonly kind: string;
  readonly records: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakMib: number;
}

export type Row = MachineRow | TargetRow | CellRow | StartRow | WorkersRow | LedgerRow;
