/**
 * Puts what a client heard beside what the twin received and sent: which upstream a request reached,
 * and whether every byte of the answer arrived. The twin's own record holds the hash of what it sent,
 * so nothing in the stream has to tell.
 *
 * A request is told by the tag in its body. Both sides may settle in either order; what is settled on
 * both is judged and forgotten, so that memory does not grow with the run.
 */
import { DRILL_SETTLE_MS_MAX } from '../core/limits.ts';
import type { ReceivedRequest, Twin } from '../twin/types.ts';
import { tagWithin } from './plan.ts';
import type { DrillLane, DrillRequest, Heard } from './types.ts';

/** What is wrong with an exchange in the eyes of both ends. */
export type Fault =
  /** It reached an upstream that it does not belong to. */
  | 'misroute'
  /** The client's bytes are not those that were sent. */
  | 'altered'
  /** The client was told a proper end, or none, other than the twin's. */
  | 'cut'
  /** No upstream saw it, but the client had an answer that says it was served. */
  | 'unseen';

/** The parts of a twin that a witness reads. */
export type WitnessedTwin = {
  readonly [Lane in DrillLane]: Pick<Twin[Lane], 'requests' | 'clear'>;
};

export interface Witness {
  /** The client's side of an exchange. */
  heard(request: DrillRequest, heard: Heard): void;
  /** Matches what has settled since. */
  settle(): void;
  /** Exchanges of which the other side is still to come. */
  readonly open: number;
  /** Judges what is left as it stands; nothing more is to come. */
  close(): void;
}

interface Arrived {
  readonly lane: DrillLane;
  readonly request: ReceivedRequest;
}
interface Pending {
  readonly request: DrillRequest;
  readonly heard: Heard;
  readonly at: number;
}

const OK = 200;
const FAILED_MS = 1_000;
const LANES: readonly DrillLane[] = ['anthropic', 'zai'];

/**
 * Begins to watch a twin; what it received before is forgotten.
 *
 * @param judged is told of every exchange once, with its fault or null
 */
export function createWitness(
  twin: WitnessedTwin,
  judged: (request: DrillRequest, heard: Heard, fault: Fault | null) => void,
): Witness {
  const heardOf = new Map<string, Pending>();
  const arrivedOf = new Map<string, Arrived[]>();
  let unread: Arrived[] = [];
  for (const lane of LANES) twin[lane].clear();

  const sort = (arrived: Arrived): void => {
    const tag = tagWithin(arrived.request.body);
    if (tag === null) return;
    const before = arrivedOf.get(tag);
    if (before === undefined) arrivedOf.set(tag, [arrived]);
    else before.push(arrived);
  };
  const take = (): void => {
    for (const lane of LANES) {
      const requests = twin[lane].requests();
      if (requests.length === 0) continue;
      twin[lane].clear();
      for (const request of requests) unread.push({ lane, request });
    }
    const seen = unread;
    unread = [];
    for (const arrived of seen) {
      // A request that is still on its way has no body yet.
      if (arrived.request.whole || arrived.request.aborted) sort(arrived);
      else unread.push(arrived);
    }
  };
  const judge = (tag: string, { request, heard }: Pending): void => {
    const arrived = arrivedOf.get(tag) ?? [];
    heardOf.delete(tag);
    arrivedOf.delete(tag);
    judged(request, heard, faultOf(request, heard, arrived));
  };
  return {
    heard: (request, heard) => {
      heardOf.set(request.tag, { request, heard, at: performance.now() });
    },
    settle: () => {
      take();
      for (const [tag, pending] of heardOf) {
        const arrived = arrivedOf.get(tag) ?? [];
        const settled = arrived.length > 0 && arrived.every(isSettled);
        if (settled || performance.now() - pending.at > patienceFor(pending)) judge(tag, pending);
      }
    },
    get open() {
      return heardOf.size;
    },
    close: () => {
      take();
      for (const [tag, pending] of heardOf) judge(tag, pending);
    },
  };
}

/** How long the twin's side is waited for, ms: a request that failed may never have reached it. */
function patienceFor({ heard }: Pending): number {
  return heard.failure === null && heard.status === OK ? DRILL_SETTLE_MS_MAX : FAILED_MS;
}

function isSettled({ request }: Arrived): boolean {
  return request.answer.ended || request.aborted;
}

function faultOf({ lane }: DrillRequest, heard: Heard, arrived: readonly Arrived[]): Fault | null {
  if (arrived.some((one) => one.lane !== lane)) return 'misroute';
  if (heard.failure !== null) return null;
  // The last try is the one whose answer the client got.
  const answer = arrived.at(-1)?.request.answer;
  if (answer === undefined) return heard.status === OK ? 'unseen' : null;
  // An error of the proxy's own, in place of the upstream's answer.
  if (heard.status !== OK && heard.status !== answer.status) return null;
  if (!answer.ended) return 'cut';
  const same = answer.bytes === heard.bytes && answer.sha256 === heard.sha256;
  // An agent shows no bytes: it has compared the text itself.
  const matches = answer.status === heard.status && (heard.sha256 === null || same);
  return matches ? null : 'altered';
}
