/**
 * A hostile load that runs beside honest traffic: one for each protocol, joined by `soak.ts`.
 */

/** The proxy that is attacked. */
export interface HostileTarget {
  readonly port: number;
  /** PEM of its trust bundle. */
  readonly ca: string;
}

export interface HostileLoadOptions {
  readonly seed: number;
  /** Attackers at once. */
  readonly concurrency: number;
  /** Each attacker rests so long between two inputs, ms. */
  readonly pauseMs: number;
  readonly stop: AbortSignal;
}

export interface HostileCounts {
  readonly inputs: number;
  /** By what was done. */
  readonly kinds: Readonly<Record<string, number>>;
  /** What came out other than it must; the first few, in words. */
  readonly surprises: readonly string[];
}

export interface HostileLoad {
  readonly name: string;
  run(target: HostileTarget, options: HostileLoadOptions): Promise<HostileCounts>;
}
