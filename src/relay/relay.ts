/**
 * The relay: the only room that sees both sides of an exchange. It is small on purpose: what is
 * decided is decided in `core`, how bytes travel is the edge's and the lanes' affair.
 *
 * It knows no sockets, timers or files of its own, so the simulator can drive it whole.
 */
import type { Clock, Inbound } from '../core/ports.ts';
import type { RoutingTable } from '../core/route.ts';
import type { Lane } from '../lanes/lane.ts';
import type { Ledger } from '../ledger/record.ts';
import type { Tee } from '../ledger/tee.ts';
import { Exchange } from './exchange.ts';
import type { HoldBudget } from './held-body.ts';

/** What the relay needs of the tee. */
export type BodyTee = Pick<Tee, 'active' | 'open' | 'write'>;

export interface RelayDeps {
  /** The routing in force now. */
  routing(): RoutingTable;
  /** The lane of that name as it is configured now. */
  lane(name: string): Lane;
  readonly ledger: Ledger;
  readonly clock: Clock;
  /** In [0, 1). */
  random(): number;
  /** `MITM_ENABLE_BACKOFF`. */
  backoff(): boolean;
  readonly holdBudget: HoldBudget;
  /** Samples bodies while it is on. */
  readonly tee: BodyTee;
  /** A new id, unique within the ledger. */
  newId(): string;
}

export interface Relay {
  /** Takes over one request; its answer, end and record follow, whatever happens. */
  handle(inbound: Inbound): void;
  /** Exchanges under way. */
  readonly open: number;
  /** Exchanges since the start. */
  readonly total: number;
}

export function createRelay(deps: RelayDeps): Relay {
  let open = 0;
  let total = 0;
  const over = (): void => {
    open -= 1;
  };
  return {
    handle(inbound) {
      open += 1;
      total += 1;
      new Exchange(inbound, deps, over).start();
    },
    get open() {
      return open;
    },
    get total() {
      return total;
    },
  };
}
