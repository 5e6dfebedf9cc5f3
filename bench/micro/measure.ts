/**
 * Measures cells: blocks of all cells in turn, so that whatever else the machine does meets all alike.
 * The figure of a block is the median of a few batches.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Cell } from './cell.ts';

export interface MeasureOptions {
  /** Blocks of each cell. */
  readonly blocks: number;
  /** Time that a block takes, ms. */
  readonly blockMs: number;
  /** Time that a cell runs before it is measured, ms. */
  readonly warmupMs: number;
}

/** What one process measured of a cell. */
export interface Samples {
  readonly name: string;
  readonly bytes: number;
  readonly floor: string | null;
  /** Nanoseconds of an operation, one figure for each block. */
  readonly ns: readonly number[];
  /** Bytes of the JavaScript heap that an operation allocates; null where Node does not count them. */
  readonly heapBytes: number | null;
}

/** Short ones: on a busy machine most of them are not interrupted, and the median is one of those. */
const BATCHES = 15;
const ALLOCATION_TRIES = 5;
const UNCOUNTED_ROUNDS = 3;
const ALLOCATION_OPS = 2000;
const NS_PER_MS = 1e6;

/** Holds the last results, so that the compiler can not leave the work out. */
const sink: unknown[] = [null];

/** Measures all cells. */
export function measure(cells: readonly Cell[], options: MeasureOptions): Samples[] {
  const operations = cells.map((cell) => warmUp(cell, options));
  const figures = cells.map((): number[] => []);
  // Cells that share code undo each other's optimisations: that is over before anything counts.
  for (let round = 0; round < Math.min(UNCOUNTED_ROUNDS, options.blocks); round += 1) {
    for (const [at, cell] of cells.entries()) blockOf(cell, operations[at] ?? 1);
  }
  for (let block = 0; block < options.blocks; block += 1) {
    for (let turn = 0; turn < cells.length; turn += 1) {
      // Each block begins with another cell, so that none always follows the same one.
      const at = (turn + block) % cells.length;
      const cell = cells[at];
      if (cell !== undefined) figures[at]?.push(blockOf(cell, operations[at] ?? 1));
    }
  }
  const collect = collector();
  return cells.map((cell, at) => ({
    name: cell.name,
    bytes: cell.bytes,
    floor: cell.floor,
    ns: figures[at] ?? [],
    heapBytes: allocation(cell, figures[at]?.[0] ?? 1, options.blockMs, collect),
  }));
}

/** The middle of a list; of two in the middle their mean. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** A quantile, between two values by their distance. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}

/** Runs a cell until the compiler has had its time; gives back how many operations make a batch. */
function warmUp(cell: Cell, { warmupMs, blockMs }: MeasureOptions): number {
  let operations = 1;
  let perOperation = Number.POSITIVE_INFINITY;
  const endsAt = performance.now() + warmupMs;
  do {
    const ms = batchOf(cell, operations) / NS_PER_MS;
    perOperation = ms / operations;
    if (ms < blockMs / BATCHES) operations *= 2;
  } while (performance.now() < endsAt);
  return Math.max(1, Math.round(blockMs / BATCHES / perOperation));
}

function blockOf(cell: Cell, operations: number): number {
  const batches: number[] = [];
  for (let i = 0; i < BATCHES; i += 1) batches.push(batchOf(cell, operations) / operations);
  return median(batches);
}

/** Nanoseconds that so many operations take. */
function batchOf(cell: Cell, operations: number): number {
  const startedAt = process.hrtime.bigint();
  for (let i = 0; i < operations; i += 1) sink[0] = cell.run();
  return Number(process.hrtime.bigint() - startedAt);
}

/** Counted by V8 itself, whatever the collector does meanwhile. */
function allocation(cell: Cell, ns: number, ms: number, collect: () => void): number | null {
  const operations = Math.min(ALLOCATION_OPS, Math.ceil((ms * NS_PER_MS) / ns));
  const tries: number[] = [];
  for (let i = 0; i < ALLOCATION_TRIES; i += 1) {
    collect();
    const before = allocatedBytes();
    for (let op = 0; op < operations; op += 1) sink[0] = cell.run();
    const after = allocatedBytes();
    if (before === null || after === null) return null;
    tries.push((after - before) / operations);
  }
  return Math.round(Math.min(...tries));
}

/** All bytes that were ever allocated on the heap; null before Node 25. */
function allocatedBytes(): number | null {
  const statistics: object = getHeapStatistics();
  const value: unknown = Reflect.get(statistics, 'total_allocated_bytes');
  return typeof value === 'number' ? value : null;
}

function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
