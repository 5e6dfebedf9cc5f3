/**
 * A cell of the micro-benchmark: one operation of `core`, the lanes or the ledger, on given bytes.
 */
export interface Cell {
  /** Unique; the part before the colon groups cells in the report. */
  readonly name: string;
  /** Bytes that one operation goes over, or 0 where it is not about bytes. */
  readonly bytes: number;
  /**
   * Name of the cell to compare with, of the same group: what the least imaginable work, or Node's own
   * means, costs on the same bytes. Null for such a cell itself, and where there is none.
   */
  readonly floor: string | null;
  /** Runs the operation once; what it gives back keeps the compiler from leaving it out. */
  run(): unknown;
}
