/**
 * Puts what a client heard beside what the twin received and sent: which upstream a request reached,
 * and whether the answer arrived as it was sent, to its end or to where it was broken off. The twin's
 * own record holds the hash of what it sent, so nothing in the stream has to tell.
 *
 * One rule for every fault of a plan, whatever its kind: an answer that ended arrives whole and ends;
 * one that was broken off is visibly broken for the client too, and what came is how it began.
 *
 * A request is told by the tag in its body. Both sides may settle in either order; what is settled on
 * both is judged and forgotten, so that memory does not grow with the run.
 */
import { ATTEMPTS_MAX, DRILL_SETTLE_MS_MAX } from '../core/limits.ts';
import type { FaultKind } from '../twin/plan-schema.ts';
import type { ReceivedRequest, Twin } from '../twin/types.ts';
import type { IsolationSearch } from './isolation.ts';
import { tagWithin } from './plan.ts';
import type { DrillLane, DrillRequest, Heard } from './types.ts';

/** What is wrong with an exchange in the eyes of both ends. */
export type Fault =
  /** It reached an upstream that it does not belong to. */
  | 'misroute'
  /** It was sent again where something had happened already, or too often. */
  | 'repeated'
  /** The client's bytes are not those that were sent. */
  | 'altered'
  /** The client was told an end of another kind than the twin's. */
  | 'cut'
  /** The proxy's own error stands in place of an answer. */
  | 'replaced'
  /** No upstream saw it, but the client had an answer that says it was served. */
  | 'unseen'
  /** An error of the proxy's own, for a try that the twin never saw: a fault unless it was made so. */
  | 'unreached';

/** What the twin knows of an exchange, all its tries together. */
export interface Sighting {
  readonly fault: Fault | null;
  /** The planned faults that befell it. */
  readonly met: readonly FaultKind[];
  /** How often its request came. */
  readonly tries: number;
}

/** The parts of a twin that a witness reads. */
export type WitnessedTwin = {
  readonly [Lane in DrillLane]: Pick<Twin[Lane], 'requests' | 'clear'>;
} & Pick<Twin, 'faults'>;

export interface Witness {
  /** The client's side of an exchange. */
  heard(request: DrillRequest, heard: Heard): void;
  /** Matches what has settled since. */
  settle(): void;
  /** Exchanges of which the other side is still to come. */
  readonly open: number;
  /**
   * How many tries the twin may have never seen, since it ended the connection that they were about to
   * use: a client each for a connection that was shared (HTTP/2), else one.
   */
  unseenTriesMax(clients: number): number;
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
/** What an upstream that gives no answer is told as. */
const GATEWAY_ERRORS: ReadonlySet<number> = new Set([502, 504]);
/** Answers that the proxy may try once more after. */
const TRIED_AGAIN: ReadonlySet<number> = new Set([401, 429, 503, 529]);
/** What ends connections; all but the first only where they are shared. */
const ENDINGS: readonly FaultKind[] = ['idle_close', 'goaway', 'end_mid_stream'];
const LANES: readonly DrillLane[] = ['anthropic', 'zai'];

/**
 * Begins to watch a twin; what it received before is forgotten.
 *
 * @param judged is told of every exchange once
 * @param look is shown every request once, as its upstream received it
 */
export function createWitness(
  twin: WitnessedTwin,
  judged: (request: DrillRequest, heard: Heard, sighting: Sighting) => void,
  look: IsolationSearch['look'] = () => undefined,
): Witness {
  const heardOf = new Map<string, Pending>();
  const arrivedOf = new Map<string, Arrived[]>();
  let unread: Arrived[] = [];
  let shared = false;
  for (const lane of LANES) twin[lane].clear();

  const sort = (arrived: Arrived): void => {
    look(arrived.lane, arrived.request);
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
      for (const request of requests) {
        unread.push({ lane, request });
        if (request.protocol === 'h2') shared = true;
      }
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
    const tries = arrived.map((one) => one.request);
    const met = tries.flatMap(({ fault }) => (fault === null ? [] : [fault]));
    judged(request, heard, { fault: faultOf(request, heard, arrived), met, tries: tries.length });
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
    unseenTriesMax: (clients) => endingsIn(twin, shared) * (shared ? clients : 1),
    close: () => {
      take();
      for (const [tag, pending] of heardOf) judge(tag, pending);
    },
  };
}

/** Connections that a plan let the twin end without an exchange of theirs knowing. */
function endingsIn(twin: WitnessedTwin, shared: boolean): number {
  const kinds = shared ? ENDINGS : ENDINGS.slice(0, 1);
  let endings = 0;
  for (const { fault, anthropic, zai } of twin.faults().rules) {
    if (kinds.includes(fault.kind)) endings += anthropic.fired + zai.fired;
  }
  return endings;
}

/** How long the twin's side is waited for, ms: a request that failed may never have reached it. */
function patienceFor({ heard }: Pending): number {
  return heard.failure === null && heard.status === OK ? DRILL_SETTLE_MS_MAX : FAILED_MS;
}

function isSettled({ request }: Arrived): boolean {
  return request.answer.ended || request.aborted || request.broken !== null;
}

function faultOf({ lane }: DrillRequest, heard: Heard, arrived: readonly Arrived[]): Fault | null {
  if (arrived.some((one) => one.lane !== lane)) return 'misroute';
  const tries = arrived.map((one) => one.request);
  if (heard.sha256 === null) return faultOfTurn(heard, tries.at(-1));
  if (isRepeated(tries)) return 'repeated';
  if (heard.failure === 'abandoned') return null;
  // The last try is the one whose answer the client got.
  const last = tries.at(-1);
  if (last === undefined) return faultOfUnseen(heard);
  const { answer, broken } = last;
  if (answer.ended) return faultOfEnded(heard, answer);
  if (broken !== null) return faultOfBroken(heard, last);
  // The client left, and the upstream was silent if there was nothing more to be had from it.
  return heard.failure === 'stall' && isSame(heard, answer) ? null : 'cut';
}

/**
 * Of an agent's turn, which may have made many requests, and of which only the text was seen: the
 * client has compared that itself. What it ended well with must have come, and ended, as the last one.
 */
function faultOfTurn(heard: Heard, last: ReceivedRequest | undefined): Fault | null {
  const { failure } = heard;
  if (failure === 'altered') return 'altered';
  if (failure === 'abandoned' || failure === 'gave_up') return null;
  if (last === undefined) return heard.ended ? 'unseen' : null;
  const { answer, broken } = last;
  const isSilent = failure === 'stall' && !answer.ended && broken === null;
  if (failure !== null) return isSilent ? null : 'cut';
  if (!answer.ended) return 'cut';
  return answer.status === heard.status ? null : 'altered';
}

/**
 * Only a request that was refused, or whose connection ended before a byte of the answer, may be sent
 * once more. A connection may have overtaken a head that was sent; an HTTP/2 stream that is reset is
 * no connection that ended.
 */
function isRepeated(tries: readonly ReceivedRequest[]): boolean {
  if (tries.length > ATTEMPTS_MAX) return true;
  return tries.slice(0, -1).some(({ answer, broken, protocol }) => {
    if (broken === 'reset') return protocol === 'h2';
    return answer.status > 0 && answer.status < 400;
  });
}

/** A failure, or an error of the proxy's own that blames nobody else, tells itself what is wrong. */
function faultOfUnseen(heard: Heard): Fault | null {
  if (isUpstreamError(heard)) return 'unreached';
  return heard.ended && heard.own === null ? 'unseen' : null;
}

function isUpstreamError({ own, status, ended }: Heard): boolean {
  return ended && own !== null && GATEWAY_ERRORS.has(status);
}

function faultOfEnded(heard: Heard, answer: ReceivedRequest['answer']): Fault | null {
  if (isUpstreamError(heard) && TRIED_AGAIN.has(answer.status)) return 'unreached';
  if (heard.own !== null) return 'replaced';
  if (!heard.ended) return 'cut';
  return isSame(heard, answer) ? null : 'altered';
}

/**
 * The client must see a break too: a cut after the head, an error of the proxy's own before it. FIN
 * comes behind what was sent, so all of that must arrive; a reset may overtake the end of it, and the
 * head too.
 */
function faultOfBroken(heard: Heard, { answer, broken }: ReceivedRequest): Fault | null {
  if (isUpstreamError(heard)) return answer.status === 0 || broken !== 'fin' ? null : 'replaced';
  if (heard.own !== null || heard.ended || heard.failure !== 'cut') return 'cut';
  const isHow =
    broken === 'fin'
      ? isSame(heard, answer)
      : answer.status === heard.status && answer.prefixSha256(heard.bytes) === heard.sha256;
  return isHow ? null : 'altered';
}

function isSame(heard: Heard, answer: ReceivedRequest['answer']): boolean {
  return (
    answer.status === heard.status && answer.bytes === heard.bytes && answer.sha256 === heard.sha256
  );
}
