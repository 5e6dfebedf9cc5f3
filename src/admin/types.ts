/**
 * What the running proxy lets itself be asked and told over the control socket. The proxy implements
 * `Control`; the socket (`server.ts`) and the command line (`client.ts`) only carry it.
 */

/** The answer of `lanekeeper status`. Fields are stable; new ones may be added. */
export interface StatusReport {
  readonly version: string;
  readonly pid: number;
  /** Unix seconds. */
  readonly started: number;
  readonly uptime_s: number;
  readonly listen: { readonly host: string; readonly port: number };
  readonly home: string;
  readonly config_file: string | null;
  readonly twin: boolean;
  readonly paused: boolean;
  readonly force: boolean;
  readonly tee: boolean;
  readonly draining: boolean;
  /** It ends with its last lease (started by `run`); absent where nobody said. */
  readonly leased?: boolean;
  readonly lanes: readonly LaneStatus[];
  readonly default_lane: string;
  readonly connections: number;
  readonly tunnels: number;
  readonly exchanges: { readonly open: number; readonly total: number };
  readonly ledger: LedgerStatus;
  readonly ca: {
    readonly hosts: readonly string[];
    readonly expires: string;
    readonly bundle: string;
  };
  /** Of all processes together. */
  readonly memory: { readonly rss_bytes: number; readonly heap_bytes: number };
  /** The processes that serve connections; `pid` above is who started them, where that is another. */
  readonly workers: readonly WorkerStatus[];
  /** Workers that ended unasked and were replaced. */
  readonly workers_lost: number;
  readonly notes: readonly string[];
}

/** One process that serves connections. */
export interface WorkerStatus {
  readonly pid: number;
  /** Unix seconds. */
  readonly started: number;
  /** It takes no new connections and ends with its open ones. */
  readonly draining: boolean;
  readonly connections: number;
  readonly exchanges_open: number;
  readonly rss_bytes: number;
  readonly heap_bytes: number;
}

/** The status as the control socket serves it: with the leases that it counts itself. */
export interface ServedStatus extends StatusReport {
  /** Leases held now. */
  readonly leases: number;
}

export interface LaneStatus {
  readonly name: string;
  readonly upstream: string;
  readonly credentials: 'passthrough' | 'key';
  readonly header_mode: 'x-api-key' | 'authorization' | null;
  readonly exchanges: number;
  readonly errors: number;
  readonly sockets_idle: number;
  readonly sockets_busy: number;
}

export interface LedgerStatus {
  readonly path: string;
  readonly written: number;
  readonly dropped: number;
  /** The last reason why a record could not be written, or null. */
  readonly fault: string | null;
}

/** One exchange as counted for metrics. */
export interface ExchangeSample {
  readonly lane: string;
  readonly op: 'stream' | 'nonstream';
  readonly status: number | null;
  readonly decision: string;
  readonly latency_ms: number;
  readonly ttfb_ms: number | null;
}

/** What `reload` changed. */
export interface Reloaded {
  readonly changed: readonly string[];
  readonly notes: readonly string[];
}

/** What `reload --restart` did. */
export interface Restarted {
  /** Process ids of the workers that serve now. */
  readonly workers: readonly number[];
}

type Awaitable<Value> = Value | Promise<Value>;

export interface Control {
  status(): Awaitable<StatusReport>;
  pause(): Awaitable<void>;
  resume(): Awaitable<void>;
  /** @throws ControlError `no_force_lane` where no zai lane is configured */
  force(on: boolean): Awaitable<void>;
  /** @throws ControlError `tee_disabled` where ENABLE_BODY_TEE is not 1 */
  tee(on: boolean): Awaitable<void>;
  /** Applies the configuration anew. @throws ControlError `bad_config`, the old one stays */
  reload(): Promise<Reloaded>;
  /**
   * Replaces every worker by a new process of the program as it lies on disk now; open exchanges
   * finish in the old ones.
   *
   * @throws ControlError `no_restart` where there is none to replace; `bad_config`, or the code with
   *   which a new worker did not start: the old ones stay
   */
  restart(): Promise<Restarted>;
  /** Stops accepting and ends when open exchanges have; answers at once. */
  drain(): void;
  /** Prometheus text. */
  metrics(): Promise<string>;
  /** Counts a user of a leased proxy (`run`); the returned function gives the lease back. */
  lease(): () => void;
}

/** A refusal of a control command, with a stable code and a text that names the mend. */
export class ControlError extends Error {
  override readonly name = 'ControlError';
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
